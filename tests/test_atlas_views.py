"""Exact views: basins, the hill, the clouds and forks against closed forms."""

import json
import math
from collections import Counter

import numpy as np
import pytest
import torch
from command import run
from PIL import Image

from imagespace.atlas.basins import basins, basins_view
from imagespace.atlas.commitment import commitment_view, fork, switch
from imagespace.atlas.data_cloud import data_cloud
from imagespace.atlas.ends import Course, course_of, ends, no_noise, walk_places
from imagespace.atlas.forward import cloud_at, forward_view
from imagespace.atlas.hill import hill_view
from imagespace.atlas.plane import Plane
from imagespace.atlas.reading import NearestReading
from imagespace.atlas.slice import slice_at, slice_view
from imagespace.cli.chosen_pictures import some_pictures
from imagespace.diffusion.exact import ExactGaussian, ExactMixture, ExactPictures
from imagespace.diffusion.samplers import DDIM, DDPM, DPMSolverPP2M, Euler, Heun, walk
from imagespace.diffusion.schedule import Cosine, DDPMLinear, RectifiedFlow
from imagespace.diffusion.spacing import step_times
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import LARGEST_BATCH, to_pixels
from imagespace.randomness import picture_noise

FLOW = RectifiedFlow()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def course(num_steps, sampler=DDIM, schedule=FLOW):
    return Course(step_times(num_steps, schedule), sampler)


@pytest.mark.parametrize("sampler", [DDIM, Euler, DPMSolverPP2M])
def test_two_pictures_share_noise_space_by_the_hyperplane_between_them(sampler):
    """The flow of two equal points keeps to its side of (x - alpha (a + b) / 2) . (a - b) = 0."""
    a, b = draw(2, 1, 3, 3, seed=1)
    two = torch.stack([a, b])
    denoiser, reading = ExactPictures(FLOW, two), NearestReading(two, ["a", "b"])
    noises = draw(3, 1, 3, 3, seed=2)
    found = basins(denoiser, noises, course(10, sampler), reading, num=17, walk_all=True)
    (x_1,) = found.plane.grid_points(found.u, found.v, 17 * 17)
    side = ((x_1 * (b - a)).flatten(1).sum(dim=1) > 0).long().reshape(17, 17)
    assert found.kinds.tolist() == side.tolist()
    assert {0, 1} == set(found.kinds.ravel().tolist())
    # Fewer walks find the same: between four that ended alike there is nothing else here.
    fewer = basins(denoiser, noises, course(10, sampler), reading, num=17)
    assert fewer.kinds.tolist() == side.tolist()
    assert fewer.walked.sum() < 17 * 17
    assert fewer.num_right == fewer.num_checked > 0


class Still(ExactGaussian):
    """Sees each point where it stands: the walk of one step ends where it began."""

    def __call__(self, x_t, t):
        return x_t


class Island:
    """Kind 1 within `radius` of `centre`, else 0."""

    what = "kinds"

    def __init__(self, centre, radius):
        self.centre, self.radius = centre, radius

    def __call__(self, x):
        return ((x - self.centre).norm(dim=1) < self.radius).long()

    def name(self, number):
        return str(number)


def test_an_island_between_four_walked_points_is_missed_and_the_check_tells():
    three = torch.tensor([[-3.0, -3.0], [3.0, -3.0], [0.0, 3.0]])
    plane = Plane.through(*three)
    u, v = plane.grid(17)
    # Nine points around (6, 6), of which none is on the coarse grid of every fourth.
    island = Island(plane.points(u[6:7], v[6:7]), 1.5 * float(u[1] - u[0]))
    denoiser, way = Still(FLOW, torch.zeros(2), 1.0), Course([1.0, 0.0], DDIM)
    found = basins(denoiser, three, way, island, num=17, spherical=False)
    everywhere = basins(denoiser, three, way, island, num=17, spherical=False, walk_all=True)
    assert everywhere.kinds.sum() == 9
    assert everywhere.num_checked == 0
    missed = found.num_checked - found.num_right
    assert 0 < missed < 9
    assert found.kinds.sum() == missed  # those that the check walked are right


@pytest.mark.parametrize("schedule", [RectifiedFlow(), Cosine(), DDPMLinear()])
def test_clouds_have_the_moments_of_the_forward_process(schedule):
    pictures = draw(3, 1, 12, 12)
    plane = Plane.through(*pictures)
    t, num = 0.3, 4000
    alpha, sigma = (float(f(torch.tensor(t))) for f in (schedule.alpha, schedule.sigma))
    one = cloud_at(schedule, plane, pictures[0], t, num=num)
    expected = plane.coordinates(alpha * pictures[:1])[0]
    assert torch.allclose(one.mean, expected, atol=1e-6)
    assert one.std == pytest.approx(sigma)
    error = sigma / num**0.5
    assert float((one.samples.mean(dim=0) - expected).abs().max()) < 4 * error
    covariance = torch.cov((one.samples / sigma).T)
    assert float((covariance - torch.eye(2)).abs().max()) < 5 * (2 / num) ** 0.5
    within = float(((one.samples - one.mean).norm(dim=1) <= one.std).double().mean())
    assert within == pytest.approx(1 - math.exp(-0.5), abs=4 * 0.5 / num**0.5)
    assert float(one.heights.square().mean().sqrt()) == pytest.approx(one.height, rel=0.01)


@pytest.mark.parametrize("schedule", [RectifiedFlow(), Cosine(), DDPMLinear()])
@pytest.mark.parametrize("t", [0.0, 0.5, 1.0])
def test_the_cloud_of_a_set_has_the_moments_of_the_forward_process(schedule, t):
    """On the plane: mean alpha m, covariance alpha^2 Cov(x_0) + sigma^2 I."""
    num = 5000
    stretched = torch.linspace(0.2, 3, 16).reshape(1, 4, 4)
    x_0 = 1.5 + stretched * draw(num, 1, 4, 4)
    plane = Plane.through(*draw(3, 1, 4, 4, seed=7))
    one = data_cloud(schedule, plane, x_0, t, seed=3)
    alpha, sigma = (float(f(torch.tensor(t))) for f in (schedule.alpha, schedule.sigma))
    axes = torch.stack([plane.first.flatten(), plane.second.flatten()])
    flat = x_0.flatten(1).double()
    clean = (flat - flat.mean(dim=0)) @ axes.T
    expected = alpha**2 * clean.T @ clean / num + sigma**2 * torch.eye(2)
    mean = axes @ (alpha * flat.mean(dim=0) - plane.origin.flatten())
    assert torch.allclose(one.mean, mean, atol=1e-5)
    assert torch.allclose(one.covariance, expected, atol=1e-6)
    # What is drawn has these moments, up to the chance of its noise.
    assert float((one.points.mean(dim=0) - mean).abs().max()) < 4.5 * sigma / num**0.5 + 1e-5
    found = torch.cov(one.points.T, correction=0)
    largest = float(expected.diagonal().max())
    assert float((found - expected).abs().max()) < 5 * (2 / num) ** 0.5 * largest * (t > 0) + 1e-5
    assert one.spread == pytest.approx(torch.linalg.eigvalsh(expected).sqrt().flip(0).tolist())


def test_a_set_that_is_given_is_drawn_below_the_three_and_in_the_film():
    pictures, data = draw(3, 1, 8, 8), 0.5 * draw(50, 1, 8, 8, seed=5)
    plane = Plane.through(*pictures)
    view = forward_view(FLOW, pictures, ["a", "b", "c"], film=True, data=data)
    assert "50 of its pictures" in " ".join(view.figure.get_supxlabel().split())
    assert view.numbers["pictures_of_the_set"] == 50
    for t, panel in zip((0, 0.3, 0.6, 0.8, 0.9, 1), view.figure.subfigs[2].axes, strict=True):
        assert panel.get_title() == f"t = {t:g}"
        (dots,) = panel.collections
        x_t = FLOW.add_noise(
            data, picture_noise((1, 8, 8), 0, "forward/data", range(50)), torch.tensor(t)
        )
        assert np.allclose(dots.get_offsets(), plane.coordinates(x_t), atol=1e-5)
    # At the end all that is left is noise: as long as it is broad.
    longest, shortest = (
        view.numbers[f"{kind}_spread_of_the_set"] for kind in ("longest", "shortest")
    )
    assert longest[-1] == pytest.approx(1)
    assert shortest[-1] == pytest.approx(1)
    without = forward_view(FLOW, pictures, ["a", "b", "c"], film=True)
    assert "of its pictures" not in without.figure.get_supxlabel()
    assert np.abs(np.asarray(view.frames[0], int) - np.asarray(without.frames[0])).max() > 50


def test_pictures_that_stand_for_a_set_are_different_ones_of_it(tiny_model, shapes_folder):
    pixels = read_folder(shapes_folder, 16, 1).pixels
    some = to_pixels(some_pictures(tiny_model, shapes_folder, 20, seed=1))
    assert len(some) == 20
    # Shapes may look alike: of no picture are there more than in the set.
    have = Counter(picture.tobytes() for picture in pixels)
    assert Counter(picture.tobytes() for picture in some) <= have
    assert np.array_equal(to_pixels(some_pictures(tiny_model, shapes_folder, 999, 0)), pixels)
    assert not np.array_equal(some, to_pixels(some_pictures(tiny_model, shapes_folder, 20, seed=2)))


def test_a_deterministic_walk_that_is_left_goes_where_it_went(tiny_model):
    options = {"num_steps": 5, "sampler": "ddim"}
    denoiser = tiny_model.prompted("disc", guidance=1.0, **options)
    way = course_of(tiny_model, options)
    start = picture_noise((1, 16, 16), 3, "start", [0])[0]
    found = fork(denoiser, start, way, way, num=3)
    assert torch.allclose(found.fork_ends, found.end.expand_as(found.fork_ends), atol=1e-5)
    assert found.correlations() == pytest.approx(1, abs=1e-6)
    # And the walk is the model's own.
    own = list(tiny_model.walk("disc", 1, 3, guidance=1.0, **options))
    x = picture_noise((1, 16, 16), 3, "start", [0])
    assert torch.equal(own[0].x_t, x)
    assert torch.allclose(found.end, own[-1].x_next[0], atol=1e-5)


def test_forks_of_the_last_step_all_end_alike_and_of_the_first_as_the_data_are():
    """From pure noise the share that ends at a picture is that picture's probability."""
    two = torch.stack([torch.full((1, 4, 4), 0.8), torch.full((1, 4, 4), -0.8)])
    denoiser = ExactMixture(FLOW, two, torch.zeros(2), torch.tensor([0.75, 0.25]))
    way, stochastic = course(12), course(12, DDPM)
    found = fork(denoiser, draw(1, 4, 4, seed=4), way, stochastic, num=100)
    same = found.same(NearestReading(two, ["light", "dark"]))
    assert same[-1].all()
    own = float(found.end.mean() > 0)
    expected = 0.75 if own else 0.25
    assert same[0].mean() == pytest.approx(expected, abs=4 * (0.1875 / 100) ** 0.5)
    assert (np.diff(same.mean(axis=1)) > -0.2).all()


def test_a_changed_prompt_wins_at_the_first_step_and_not_after_the_last():
    light, dark = torch.full((1, 4, 4), 0.8), torch.full((1, 4, 4), -0.8)
    reading = NearestReading(torch.stack([light, dark]), ["light", "dark"])
    first, second = (ExactGaussian(FLOW, mean, 0.1) for mean in (light, dark))
    found = switch(first, second, draw(10, 1, 4, 4), course(6))
    kinds, old, new = found.kinds(reading)
    assert (old, new) == (0, 1)
    assert (kinds[0] == 1).all()
    assert (kinds[-1] == 0).all()
    whole = ends(second, draw(10, 1, 4, 4), course(6))
    assert torch.equal(found.ends[0], whole)


def test_points_of_a_grid_are_made_a_batch_at_a_time(monkeypatch):
    """In double precision all points of a large grid need more memory than there is."""
    sizes, right = [], Plane.points

    def points(plane, u, v):
        sizes.append(len(u))
        return right(plane, u, v)

    monkeypatch.setattr(Plane, "points", points)
    three, num = draw(3, 1, 3, 3, seed=2), 17
    denoiser = ExactPictures(FLOW, three)
    told = []
    slice_at(denoiser, three, 0.5, None, num, lambda *now: told.append(now))
    reading = NearestReading(three, ["a", "b", "c"])
    basins(denoiser, three, course(3), reading, num, walk_all=True)
    assert max(sizes) == LARGEST_BATCH
    assert sum(sizes) == 2 * num * num
    assert told[-1] == (num * num, num * num)
    assert len(told) == -(-num * num // LARGEST_BATCH)


class Asked(ExactGaussian):
    """Notes how many points it is asked about at once, and in which arithmetic."""

    def __init__(self, *about):
        super().__init__(*about)
        self.sizes, self.fast = [], set()

    def __call__(self, x_t, t):
        self.sizes.append(len(x_t))
        self.fast.add(torch.is_autocast_enabled("cpu"))
        return super().__call__(x_t, t)


def test_both_prompts_are_asked_in_batches_and_in_the_arithmetic_of_the_course():
    light, dark = (Asked(FLOW, torch.full((1, 2, 2), mean), 0.1) for mean in (0.8, -0.8))
    noises, times = draw(LARGEST_BATCH + 6, 1, 2, 2), step_times(4, FLOW)
    found = switch(light, dark, noises, Course(times, DDIM, torch.bfloat16))
    for denoiser in (light, dark):
        assert set(denoiser.sizes) == {LARGEST_BATCH, 6}
        assert denoiser.fast == {True}
    # Each walk is its own: in a batch or alone, under one prompt to the end.
    alone = ends(ExactGaussian(FLOW, torch.full((1, 2, 2), 0.8), 0.1), noises[-1:], course(4))
    assert torch.allclose(found.ends[-1, -1:], alone, atol=0.02)  # bfloat16 has 8 bits


def test_places_of_a_walk_are_those_of_its_steps():
    """x_t of one Gaussian by the flow is x_1 scaled: sqrt(alpha^2 s^2 + sigma^2) x_1 at mean 0."""
    denoiser, x_1, times = (
        ExactGaussian(FLOW, torch.zeros(2), 0.5),
        draw(7, 2),
        [1.0, 0.6, 0.3, 0.1],
    )
    steps = list(walk(denoiser, x_1, times, Heun(), no_noise))
    places = walk_places(denoiser, x_1, times, Heun())
    assert torch.equal(places[:-1], torch.stack([step.x_t for step in steps]))
    fine = torch.linspace(1, 0.1, 61).tolist()
    for t, x_t in zip(fine, walk_places(denoiser, x_1, fine, Heun()), strict=True):
        scale = math.sqrt((0.5 * (1 - t)) ** 2 + t**2)
        assert torch.allclose(x_t, scale * x_1, atol=2e-3)


@pytest.mark.slow
def test_views_of_a_model_of_pictures_have_their_numbers_and_films(tiny_model, tmp_path):
    pictures, names = draw(3, 1, 16, 16).clamp(-1, 1), ["one", "two", "three"]
    denoiser, eps = tiny_model.prompted(), draw(1, 16, 16, seed=9)
    reading = NearestReading(pictures, names)
    options = {"num_steps": 3, "sampler": "ddim"}
    way = course_of(tiny_model, options)
    shown = [("a disc", tiny_model.prompted("disc", guidance=1.0)), ("nothing", denoiser)]
    views = [
        slice_view(denoiser, pictures, names, 0.6, eps, 5, film_times=(0.9, 0.4)),
        hill_view(denoiser, pictures, names, 0.6, eps, 5, film_times=(0.9, 0.4)),
        forward_view(tiny_model.schedule, pictures, names),
        basins_view(shown, draw(3, 1, 16, 16, seed=8), (0, 1, 2), way, reading, num=5),
        commitment_view(fork(denoiser, eps, way, way, 2), None, "disc"),
    ]
    for number, view in enumerate(views):
        json.dumps(dict(view.numbers))
        with Image.open(view.save(tmp_path / f"{number}.png")) as image:
            assert image.convert("L").getextrema()[0] < 100
    for number in (0, 1, 3):
        path = views[number].save(tmp_path / f"{number}.webp")
        with Image.open(path) as film:
            assert film.n_frames == 2
    shares = views[3].numbers["shares"]
    for label in ("a disc", "nothing"):
        assert sum(shares[label].values()) == pytest.approx(1)


@pytest.mark.slow
def test_forward_from_files_writes_the_figure_and_its_numbers(tmp_path):
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 255, (128, 128), dtype=np.uint8)
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    words = ("forward", "--pictures", "0.png", "1.png", "2.png")
    done = run("view", *words, "--out", "f.png", "--numbers", "f.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    numbers = json.loads((tmp_path / "f.json").read_text())
    # Off the plane: sqrt(alpha^2 h^2 + sigma^2 (d - 2)), at t = 1 nearly sqrt(128^2).
    assert numbers["height_above_plane"]["0"][-1] > math.sqrt(128 * 128 - 2)
    assert "one sigma: 0, 0.1429" in done.stdout
    assert (tmp_path / "f.png").stat().st_size > 10_000
    again = run("view", *words, "--out", "f.png", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists" in again.stderr


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["basins", "--grid", "16"], "4 n + 1"),
        (["basins", "--sampler", "ddpm"], "draws fresh noise"),
        (["basins", "--seeds", "1", "1", "2"], "three different"),
        (["slice", "--at", "1"], "below 1"),
        (["hill", "--out", "h.txt"], "figure or a film"),
        (["basins", "--grid", "261"], "from 5 to 257"),
        (["slice", "--grid", "258"], "from 3 to 257"),
        (["hill", "--grid", "2"], "from 3 to 257"),
        (["points", "run", "--grid", "202"], "from 11 to 201"),
        (["commitment", "--forks", "501"], "from 2 to 500 at 8 steps"),
        (["commitment", "--other", "tree"], "no --prompt"),
        (["points", "glyphs"], "draws pictures, not points"),
        (["points", "run", "--steps", "1"], "from 2 to 1000"),
        (["forward", "--pictures", "a.png", "b.png", "c.png"], "no such picture"),
        (["commitment", "--steps", "0"], "1 to 1000"),
        (["commitment", "--out", "c.webp"], "does not move"),
        (["basins", "--out", "b.webp"], "more than once"),
        (["basins", "--guidance", "3"], "pulls towards a prompt"),
        (["basins", "--data", "."], "none is named"),
        (["commitment", "--data", "."], "none is named"),
        (["slice", "--guidance", "3"], "pulls towards a prompt"),
    ],
)
def test_a_mistake_is_one_plain_line(words, rule, tmp_path, refusal):
    assert rule in refusal("view", *words)
    assert list(tmp_path.iterdir()) == []
