"""The page of a model of points, in a real browser: its density, field and walks at any time."""

import json
import math

import numpy as np
import pytest
import torch
from chromium import Chromium, chromium_program
from command import run

from imagespace.atlas.point_page import write_point_page
from imagespace.atlas.point_space import page_of_points
from imagespace.checkpoints import ModelConfig, SamplingConfig, save_model
from imagespace.diffusion.exact import ExactGaussian, ExactMixture
from imagespace.diffusion.schedule import RectifiedFlow
from imagespace.errors import UserError
from imagespace.networks.build import build_network
from imagespace.networks.perceptron import PerceptronConfig

FLOW = RectifiedFlow()
READY = "window.atlas && !window.atlas.isRequested"
MEANS = torch.tensor([[0.8, 0.3], [-0.7, -0.4]])
PLANE = ExactMixture(FLOW, MEANS, torch.tensor([0.15, 0.25]))
LINE = ExactGaussian(FLOW, torch.tensor([0.3]), 0.5)


@pytest.fixture(scope="module")
def plane():
    points = PLANE.sample(500, torch.Generator().manual_seed(0))
    return page_of_points(PLANE, 2, points, "Two </title><b>heaps</b>", num=31, num_steps=20)


@pytest.fixture(scope="module")
def line():
    return page_of_points(LINE, 1, None, "A line", num_steps=40)


@pytest.fixture(scope="module")
def browser():
    if chromium_program() is None:
        pytest.skip("no Chromium on the path to open the page in")
    with Chromium(1200, 800) as opened:
        yield opened


@pytest.fixture(scope="module")
def opened(browser, plane, tmp_path_factory):
    path = write_point_page(plane, tmp_path_factory.mktemp("plane") / "points.html")
    browser.open(path, until=READY)
    yield browser, path
    thrown = [e["params"] for e in browser.events if e["method"] == "Runtime.exceptionThrown"]
    assert thrown == []


@pytest.fixture
def page(opened):
    """The page as it was opened: all of it, at noise, along the flow, nothing followed."""
    browser, _ = opened
    browser.evaluate(
        "atlas.choose('flow', -1); atlas.walks.isPlaying = false; atlas.walks.seek(0);"
        "atlas.flight = null; Object.assign(atlas.camera, atlas.homeView()); atlas.moved()"
    )
    browser.wait_for("!atlas.isRequested")
    return browser


def luminance(browser, x, y):
    """Of a pixel of the screen at a place of the map, with nothing but the density drawn."""
    return browser.evaluate(
        "(() => { const { camera, screen, shown } = atlas; const before = { ...shown };"
        "Object.assign(shown, { field: false, walkers: false, real: false });"
        "screen.repaint(camera); Object.assign(shown, before);"
        f"const at = [camera.toScreenX({x}), camera.toScreenY({y})].map(Math.round);"
        "const [r, g, b] = screen.context.getImageData(...at, 1, 1).data; return r + g + b; })()"
    )


def test_the_page_asks_the_network_for_nothing_and_its_title_is_text(opened, plane):
    browser, path = opened
    asked = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked == [path.resolve().as_uri()]
    assert browser.evaluate("document.title") == plane.title
    assert browser.evaluate("document.getElementById('title').textContent") == plane.title
    refused = "fetch('data:text/plain,x').then(() => 'loaded', () => 'refused')"
    assert browser.evaluate(refused) == "refused"
    assert path.stat().st_size < 12_000_000


def test_arrows_are_the_closed_form_at_places_between_the_grid(page):
    for t in (0.9, 0.35, 0.06):
        for x, y in ((0.31, -0.22), (-1.13, 0.57), (0.83, 0.35)):
            read = page.evaluate(
                f"atlas.data.slices.find(({{ t }}) => Math.abs(t - {t}) < 1e-6).field.at({x}, {y})"
            )
            place = torch.tensor([[x, y]])
            exact = PLANE.direction(place, torch.tensor(t))[0]
            # A cell of the grid is 0.08: what a straight line between two points leaves out.
            assert read == pytest.approx(exact.tolist(), abs=0.03)


def test_shading_is_the_root_of_the_density_against_the_highest(page):
    """At t = 0.12, in the middle of either heap, between them, and where there is nothing."""
    page.evaluate("atlas.walks.seek(0.88 * 20)")
    places = torch.cat([0.88 * MEANS, torch.tensor([[0.06, 0.04], [0.6, -1.1]])])
    density = PLANE.log_density(places, torch.tensor(0.12)).exp()
    shares = (density / density[0]).sqrt().numpy()
    ramp = [51, 100, 168, 260, 386, 512]  # the sums of red, green and blue of its shades
    expected = np.interp(5 * shares, range(6), ramp)
    seen = [luminance(page, *place) for place in places.tolist()]
    assert seen == pytest.approx(expected.tolist(), abs=35)


def test_walks_stand_where_they_walked_and_the_slider_moves_them(page, plane):
    for kind, places in (("flow", plane.flow), ("noise", plane.noise)):
        span = np.ptp(places.reshape(-1, 2), axis=0)
        page.evaluate(f"document.querySelector('[data-kind={kind}]').click()")
        assert page.evaluate("atlas.walks.kind") == kind
        for step in (0, 7, 20):
            page.evaluate(
                f"document.getElementById('scrub').value = {step};"
                "document.getElementById('scrub').dispatchEvent(new Event('input'))"
            )
            heads = page.evaluate(
                "[...Array(atlas.walks.num).keys()].map(w => atlas.walks.head(w))"
            )
            assert (np.abs(heads - places[:, step]) <= span / 60_000).all()
            page.wait_for("!atlas.isRequested")
            told = page.evaluate("document.getElementById('step').textContent")
            assert told == f"t = {1 - step / 20:.2f}"
    # Both begin at the same noises; only the flow's ends are a function of them.
    assert np.array_equal(plane.flow[:, 0], plane.noise[:, 0])
    apart = np.linalg.norm(plane.flow[:, -1] - plane.noise[:, -1], axis=1)
    assert apart.mean() == pytest.approx(plane.numbers["flow_and_noise_end_apart"], rel=1e-5)
    assert apart.mean() > 0.3


def test_playing_goes_from_noise_to_data_and_stops(page):
    page.evaluate("atlas.walks.seek(18)")
    assert page.evaluate("(document.getElementById('play').click(), atlas.walks.isPlaying)")
    page.wait_for("!atlas.walks.isPlaying && !atlas.isRequested")
    assert page.evaluate("atlas.walks.time") == 0
    # At the end the button begins anew.
    assert page.evaluate("(document.getElementById('play').click(), atlas.walks.step)") == 0


def test_a_click_follows_the_walk_under_it_and_escape_leaves_it(page, plane):
    walk = 11
    page.evaluate("atlas.walks.seek(20); atlas.invalidate()")
    page.wait_for("!atlas.isRequested")
    # Deep enough that no other walk's end lies within the reach of a click.
    x, y = plane.flow[walk, -1].tolist()
    page.evaluate(
        f"Object.assign(atlas.camera, {{ x: {x}, y: {y}, scale: 35 * atlas.homeScale }});"
        "atlas.moved()"
    )
    page.wait_for("!atlas.isRequested")
    page.click(600, 400)
    page.wait_for("!atlas.isRequested")
    assert page.evaluate("atlas.walks.chosen") == walk
    assert page.evaluate("document.getElementById('walk').value") == str(walk)
    told = page.evaluate("document.getElementById('where').textContent")
    assert f"ends at ({x:.2f}, {y:.2f})" in told
    page.key("Escape")
    page.wait_for("atlas.walks.chosen === -1 && !atlas.isRequested")


def test_the_field_and_density_of_a_line_are_its_closed_form(browser, line, tmp_path):
    """x is time; quantiles are alpha m + sqrt(alpha^2 s^2 + sigma^2) z, arrows their slope."""
    browser.open(write_point_page(line, tmp_path / "line.html"), until=READY)
    z = torch.special.ndtri((torch.arange(60) + 0.5) / 60).numpy()
    for step in (0, 20, 30):
        t = line.times[step]
        assert line.flow[:, step, 0] == pytest.approx(line.width * (1 - t), rel=1e-5)
        expected = (1 - t) * 0.3 + math.sqrt(((1 - t) * 0.5) ** 2 + t**2) * z
        assert np.abs(line.flow[:, step, 1] - expected).max() < 3e-3
    for t, y in ((0.8, 1.1), (0.42, -0.6)):
        x = line.width * (1 - t)
        read = browser.evaluate(f"atlas.data.slices[0].field.at({x}, {y})")
        velocity = float(LINE.velocity(torch.tensor([[y]]), torch.tensor(t)))
        assert read[1] / read[0] == pytest.approx(-velocity / line.width, abs=0.01)
        # Brightest in the column of each time is its mean.
        mean = (1 - t) * 0.3
        assert luminance(browser, x, mean) > luminance(browser, x, mean + 0.5)
        assert luminance(browser, x, mean) == pytest.approx(luminance(browser, x, 0), rel=0.2)
    thrown = [e["params"] for e in browser.events if e["method"] == "Runtime.exceptionThrown"]
    assert thrown == []


def test_the_page_fits_a_phone(browser, plane, tmp_path):
    browser.resize(390, 844, 2)
    try:
        browser.open(write_point_page(plane, tmp_path / "phone.html"), until=READY)
        assert browser.evaluate("document.documentElement.scrollWidth") == 390
        for name in ("head", "walks", "zoom"):
            box = f"document.getElementById('{name}').getBoundingClientRect()"
            left, right, bottom = browser.evaluate(f"(b => [b.left, b.right, b.bottom])({box})")
            assert left >= 0
            assert right <= 390
            assert bottom <= 844
    finally:
        browser.resize(1200, 800)


def test_points_of_three_dimensions_have_no_page():
    with pytest.raises(UserError, match="3 dimensions"):
        page_of_points(ExactGaussian(FLOW, torch.zeros(3), 1.0), 3)


@pytest.mark.slow
def test_the_command_writes_the_page_and_map_names_it(tmp_path):
    network = PerceptronConfig(num_dimensions=1, width=16, depth=1)
    sampling = SamplingConfig(sampler="heun", num_steps=4, guidance=1.0)
    config = ModelConfig(name="points", network=network, sampling=sampling)
    save_model(tmp_path / "m.safetensors", build_network(network).state_dict(), config)
    words = ("view", "points", "m.safetensors", "--data", "coin", "--steps", "10")
    done = run(*words, "--out", "p.html", "--numbers", "p.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "half the steps end apart" in done.stdout
    assert json.loads((tmp_path / "p.json").read_text())["walks"] == 60
    assert "The space of coin" in (tmp_path / "p.html").read_text()
    mapped = run("map", "m.safetensors", "--out", "atlas", "--walks", "0", cwd=tmp_path)
    assert mapped.returncode == 2
    assert "view points m.safetensors --out points.html" in mapped.stderr
    assert not (tmp_path / "atlas").exists()
