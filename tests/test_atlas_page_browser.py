"""The interactive map, in a real browser: what it holds, finds, shows and plays."""

import io
from pathlib import Path

import numpy as np
import pytest
from chromium import Chromium, chromium_program
from hostile_page import HOSTILE, STANDING, colour_of, page_data
from PIL import Image

from imagespace.atlas.page import write_page
from imagespace.atlas.page_data import PageData

needs_browser = pytest.mark.skipif(
    chromium_program() is None, reason="no Chromium on the path to open the page in"
)
READY = "window.atlas && !window.atlas.isRequested"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[PageData, Path]:
    data = page_data()
    return data, write_page(data, tmp_path_factory.mktemp("page") / "atlas.html")


@pytest.fixture(scope="module")
def browser(written):
    if chromium_program() is None:
        pytest.skip("no Chromium on the path to open the page in")
    with Chromium(1200, 800) as opened:
        opened.open(written[1], until=READY)
        yield opened


def prefer_motion(browser: Chromium, preference: str) -> None:
    """ "reduce" makes every flight a jump; "" is the browser's own."""
    feature = {"name": "prefers-reduced-motion", "value": preference}
    browser.send("Emulation.setEmulatedMedia", features=[feature])


@pytest.fixture
def page(browser):
    """The page as it was opened: all of the map, nothing looked for, only the clusters' panel."""
    browser.evaluate(
        "document.getElementById('query').value = ''; atlas.look(''); atlas.pin(-1);"
        "document.querySelector('#legend [aria-pressed=true]')?.click();"
        "if (atlas.walks.isStandingShown) atlas.walksPanel.stands.click();"
        "atlas.setPanel('walks', false); atlas.setPanel('clusters', true); atlas.flight = null;"
        "Object.assign(atlas.camera, atlas.homeView()); atlas.moved()"
    )
    browser.wait_for("!atlas.isRequested")
    yield browser
    prefer_motion(browser, "")
    thrown = [e["params"] for e in browser.events if e["method"] == "Runtime.exceptionThrown"]
    assert thrown == []


def pixels(browser: Chromium) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("RGB"), np.int64)


def on_screen(browser: Chromium, row: int) -> tuple[int, int]:
    place = f"[atlas.camera.toScreenX(x[{row}]), atlas.camera.toScreenY(y[{row}])]"
    x, y = browser.evaluate(f"(({{x, y}}) => {place})(atlas.data.points)")
    return round(x), round(y)


@needs_browser
def test_opening_the_page_asks_the_network_for_nothing(page, written):
    asked = [
        event["params"]["request"]["url"]
        for event in page.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked == [written[1].resolve().as_uri()]
    # Its own policy stops what a script would ask for: an attempt is refused, not merely absent.
    assert page.evaluate("fetch('data:text/plain,x').then(() => 'loaded', () => 'refused')") == (
        "refused"
    )


@needs_browser
def test_hostile_words_are_text(page, written):
    data = written[0]
    assert page.evaluate("document.title") == data.title
    assert page.evaluate("document.getElementById('title').textContent") == data.title
    for row, caption in enumerate(HOSTILE):
        page.evaluate(f"atlas.pin({row})")
        shown = page.evaluate("document.getElementById('caption').textContent")
        assert page.evaluate("document.getElementById('caption').childElementCount") == 0
        if len(caption) > 10_000:
            assert shown.startswith("aaaa")
            assert f"{len(caption):,}" in shown
        elif "\ud83d" in caption:
            assert shown.startswith("a damaged ")
        else:
            assert shown == (caption or "(no caption)")
    names = page.evaluate("[...document.querySelectorAll('#legend span')].map(e => e.textContent)")
    assert set(names) == {*data.cluster_names, "in no cluster"}
    assert page.evaluate("document.querySelector('#scores dt').textContent") == "Neighbours <kept>"
    assert page.evaluate("document.title") == data.title  # no caption has run


@needs_browser
def test_positions_survive(page, written):
    for name, exact in (
        ("atlas.data.points", written[0].positions),
        ("atlas.walks.points", written[0].walks.positions.reshape(-1, 2)),
        ("atlas.walks.standing.points", STANDING.reshape(-1, 2)),
    ):
        read = np.array(page.evaluate(f"[...{name}.x].map((x, i) => [x, {name}.y[i]])"))
        extent = np.ptp(exact.astype(np.float64), axis=0)
        assert np.abs(read - exact).max(axis=0) == pytest.approx([0, 0], abs=extent.max() / 60_000)
        assert (np.abs(read - exact) <= extent / 60_000).all()


@needs_browser
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("cat", ["red cat", "a cat, asleep", "CAT!"]),
        ("cat red", ["red cat"]),
        ("concat", ["concatenated cats"]),  # no such word: those that begin with it
        ("atz", ["die Katze"]),  # nor that: those that hold it
        ("犬", ["猫と犬"]),
        ("قطة", [HOSTILE[3]]),
        ("🚀", [HOSTILE[4]]),
        ("needle", [HOSTILE[6]]),
        ("</script>", [HOSTILE[0]]),
        ("nowhere", []),
    ],
)
def test_search_finds_exactly_the_captions_with_the_word(page, written, typed, expected):
    page.evaluate("document.getElementById('query').focus()")
    page.type(typed)
    rows = page.evaluate("atlas.found.rows")
    assert [written[0].captions[row] for row in rows] == expected
    lit = page.evaluate("[...atlas.scene.isLit.keys()].filter(i => atlas.scene.isLit[i])")
    assert lit == rows
    told = page.evaluate("document.getElementById('found').textContent")
    assert told.startswith(f"{len(rows)} picture" if rows else "No picture")


@needs_browser
def test_enter_flies_to_the_found_picture_and_shows_it(page, written):
    row = written[0].captions.index("dog")
    page.evaluate("document.getElementById('query').focus()")
    page.type("dog")
    page.key("Enter", "\r")
    page.wait_for("!atlas.flight && !atlas.isRequested")
    x, y = on_screen(page, row)
    assert (x, y) == (600, 400)
    assert page.evaluate("document.getElementById('caption').textContent") == "dog"
    # The thumbnail, in the middle of the screen, has the colour of that picture on the sheet.
    square = pixels(page)[y - 8 : y + 8, x - 8 : x + 8].reshape(-1, 3)
    assert np.abs(square - colour_of(row)).max() <= 6


@needs_browser
@pytest.mark.parametrize("row", [20, 47, 88])
def test_zooming_in_turns_a_dot_into_its_picture(page, row):
    prefer_motion(page, "reduce")
    page.evaluate(f"atlas.flyTo({row})")
    page.wait_for("!atlas.flight && !atlas.isRequested")
    page.evaluate("atlas.escape()")
    page.wait_for("!atlas.isRequested")
    x, y = on_screen(page, row)
    near = pixels(page)[y - 8 : y + 8, x - 8 : x + 8].reshape(-1, 3)
    assert np.abs(near - colour_of(row)).max() <= 6
    assert page.evaluate(f"atlas.pick({x}, {y}, 10)") == row


@needs_browser
def test_wheel_keeps_the_place_under_the_pointer(page):
    x, y = 700, 300
    where = f"[atlas.camera.toMapX({x}), atlas.camera.toMapY({y}), atlas.camera.scale]"
    before = page.evaluate(where)
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-200)
    page.wait_for(f"atlas.camera.scale > {before[2]} && !atlas.isRequested")
    after = page.evaluate(where)
    assert after[:2] == pytest.approx(before[:2], abs=0.01 / before[2])


@needs_browser
def test_dragging_moves_what_is_drawn_with_the_pointer(page):
    row = 20
    prefer_motion(page, "reduce")
    page.evaluate(f"atlas.flyTo({row}); atlas.escape()")
    page.wait_for("!atlas.flight && !atlas.isRequested")
    x, y = on_screen(page, row)
    # Past the margin of the layer, so that it is drawn anew on the way.
    page.mouse("mousePressed", 500, 250, button="left", clickCount=1)
    for step in range(1, 41):
        page.mouse("mouseMoved", 500 + 8 * step, 250 + 4 * step, button="left", buttons=1)
    page.mouse("mouseReleased", 820, 410, button="left", clickCount=1)
    page.wait_for("!atlas.isRequested")
    assert on_screen(page, row) == (x + 320, y + 160)
    page.evaluate("atlas.setPanel('clusters', false)")
    moved = pixels(page)[y + 152 : y + 168, x + 312 : x + 328].reshape(-1, 3)
    assert np.abs(moved - colour_of(row)).max() <= 6


@needs_browser
def test_legend_leaves_one_cluster_lit(page, written):
    button = "document.querySelectorAll('#legend button')[0]"
    name = page.evaluate(f"{button}.querySelector('span').textContent")
    page.evaluate(f"{button}.click()")
    lit = page.evaluate("[...atlas.scene.isLit.keys()].filter(i => atlas.scene.isLit[i])")
    cluster = written[0].cluster_names.index(name)
    assert lit == np.flatnonzero(written[0].cluster_of == cluster).tolist()
    page.evaluate(f"{button}.click()")
    assert page.evaluate("atlas.scene.isLit") is None


@needs_browser
def test_a_walk_plays_to_its_last_position(page, written):
    walks = written[0].walks
    page.evaluate("document.querySelector('[data-panel=walks]').click()")
    page.evaluate(
        "atlas.walksPanel.select.value = '0';"
        "atlas.walksPanel.select.dispatchEvent(new Event('change'))"
    )
    page.wait_for("!atlas.flight && !atlas.isRequested")
    where = "document.getElementById('where').textContent"
    page.evaluate("atlas.walks.place = 0; atlas.moved()")
    page.wait_for("!atlas.isRequested")
    assert "farther from every real picture" in page.evaluate(where)
    page.evaluate("atlas.walks.place = 4; atlas.moved()")
    # Told at once: on a busy machine a second message may come after the end.
    assert page.evaluate(
        "(document.getElementById('play').click(), atlas.walks.isPlaying && atlas.walks.step < 4)"
    )
    page.wait_for("!atlas.walks.isPlaying && !atlas.isRequested")
    head = page.evaluate("atlas.walks.head(0, true)")
    extent = np.ptp(walks.positions.reshape(-1, 2), axis=0)
    assert np.abs([head["x"], head["y"]] - walks.positions[0, -1]).max() <= extent.max() / 60_000
    assert page.evaluate(where) == "On the map."
    told = page.evaluate("document.getElementById('told').textContent")
    assert "up </script>" in told
    assert written[0].captions[9] in told
    # What the panel shows is the last thumbnail of this walk and the picture nearest to it.
    middle = "[...document.getElementById('{}').getContext('2d').getImageData(64, 64, 1, 1).data]"
    assert page.evaluate(middle.format("seen"))[:3] == pytest.approx([80] * 3, abs=3)
    assert page.evaluate(middle.format("near"))[:3] == pytest.approx(colour_of(9), abs=3)


def follow(page, walk: int, step: int) -> None:
    """Shows one walk at one step, without flights."""
    prefer_motion(page, "reduce")
    page.evaluate(f"atlas.setPanel('walks', true); atlas.walksPanel.select.value = '{walk}'")
    page.evaluate("atlas.walksPanel.select.dispatchEvent(new Event('change'))")
    page.evaluate(f"atlas.walks.isPlaying = false; atlas.walks.place = {step}; atlas.moved()")
    page.wait_for("!atlas.flight && !atlas.isRequested")


@needs_browser
def test_where_x_t_stands_is_drawn_when_it_is_asked_for(page):
    """Hollow at its own places, in its own colour; neither is there before the key is pressed."""
    follow(page, 1, 2)
    own = np.array([150, 214, 255])

    def ink(step: int) -> tuple[int, float]:
        """Pixels of x_t's colour about its place at a step, and how dark the middle is."""
        place = "[atlas.camera.toScreenX(x[k]), atlas.camera.toScreenY(y[k])]"
        x, y = page.evaluate(
            f"(({{x, y}}, k) => {place})(atlas.walks.standing.points, atlas.walks.at(1, {step}))"
        )
        x, y = round(x), round(y)
        seen = pixels(page)[y - 8 : y + 9, x - 8 : x + 9]
        return int((np.abs(seen - own).max(axis=2) < 30).sum()), float(seen[8, 8].max())

    assert page.evaluate("document.getElementById('stands').checked") is False
    assert ink(2)[0] == 0
    page.evaluate("document.getElementById('map').focus()")
    page.key("x", "x")
    page.wait_for("atlas.walks.isStandingShown && !atlas.flight && !atlas.isRequested")
    num, middle = ink(2)
    assert num > 20
    assert middle < 80  # off the map: hollow
    where = "document.getElementById('where').textContent"
    assert "drawn where its nearest pictures lie" in page.evaluate(where)
    page.evaluate("atlas.walks.place = 4; atlas.moved()")
    page.wait_for("!atlas.isRequested")
    assert "is on it too" in page.evaluate(where)
    page.key("x", "x")
    page.wait_for("!atlas.walks.isStandingShown && !atlas.flight && !atlas.isRequested")
    assert ink(4)[0] == 0


@needs_browser
@pytest.mark.slow
def test_keys_move_the_map_and_the_page_works_on_a_phone(browser, written):
    browser.resize(390, 844, 2)
    try:
        browser.open(written[1], until=READY)
        assert browser.evaluate("document.documentElement.scrollWidth") == 390
        scale = browser.evaluate("atlas.camera.scale")
        browser.evaluate("document.getElementById('map').focus()")
        browser.key("+", "+")
        browser.wait_for("!atlas.flight && !atlas.isRequested")
        assert browser.evaluate("atlas.camera.scale") == pytest.approx(1.5 * scale)
        x = browser.evaluate("atlas.camera.x")
        browser.key("ArrowRight")
        browser.wait_for("!atlas.flight && !atlas.isRequested")
        assert browser.evaluate("atlas.camera.x") > x
        browser.key("0", "0")
        browser.wait_for("!atlas.flight && !atlas.isRequested")
        assert browser.evaluate("atlas.camera.scale") == pytest.approx(scale)
        # Panels open one at a time, inside the screen.
        for name in ("clusters", "walks", "belief"):
            browser.evaluate(f"document.querySelector('[data-panel={name}]').click()")
            boxes = browser.evaluate(
                "['clusters', 'walks', 'belief'].map(id => document.getElementById(id))"
                ".filter(e => !e.hidden).map(e => [e.id, e.getBoundingClientRect().left,"
                " e.getBoundingClientRect().right, e.getBoundingClientRect().bottom])"
            )
            assert [box[0] for box in boxes] == [name]
            assert boxes[0][1] >= 0
            assert boxes[0][2] <= 390
            assert boxes[0][3] <= 844
    finally:
        browser.resize(1200, 800)


@needs_browser
@pytest.mark.slow
def test_one_picture_without_walks_or_clusters(browser, tmp_path):
    data = PageData(
        title="One",
        positions=np.array([[2.5, -1]], np.float32),
        cluster_of=np.array([-1]),
        cluster_names=[],
        captions=["alone"],
        sprites=Image.new("L", (8, 8), 200),
        sprite_px=8,
        columns=1,
        density=np.zeros((2, 2), np.float32),
        extent=(2, 3, -2, 0),
    )
    browser.open(write_page(data, tmp_path / "one.html"), until=READY)
    assert browser.evaluate("[atlas.data.points.x[0], atlas.data.points.y[0]]") == [2.5, -1]
    assert browser.evaluate("document.querySelector('[data-panel=walks]').hidden")
    x, y = on_screen(browser, 0)
    assert browser.evaluate(f"atlas.pick({x}, {y}, 10)") == 0
