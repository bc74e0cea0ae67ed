"""How large is the interactive map of 20,000 pictures, and how fast does it move?

Lays out pictures of a folder (or, without one, drawn marks) by the clusters that their metadata
names, writes the page with walks over it, opens it in headless Chromium without a graphics
processor and drags it about. The layout is made up: it shows what the page does, not what a space
looks like. `imagespace map` writes the page of a real one, which `--page` names.

Run: python benchmarks/atlas_page.py --data glyphs --cluster radical_name --out atlas.html
"""

import argparse
import io
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imagespace.atlas.page import write_page
from imagespace.atlas.page_data import PageData, PageWalks

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from chromium import Chromium, chromium_program

SIZES = ((1440, 900, 1.0), (390, 844, 2.0))
PAN_SECONDS = 4
# Runs in the page: the time of each animation frame until it is stopped.
RECORDER = """(() => { const times = []; window.frameTimes = times; window.isRecording = true;
  const tick = (now) => { times.push(now); if (window.isRecording) requestAnimationFrame(tick); };
  requestAnimationFrame(tick); })()"""

# Of the walks with a prompt the one that leads farthest: the best to look at.
LONGEST = """atlas.walks.choose([...Array(atlas.walks.num).keys()].reduce((best, walk) => {
  const far = (w) => (atlas.walks.prompts[w] ? atlas.walks.boxOf(w).width : 0);
  return far(walk) > far(best) ? walk : best; }))"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="an index.html of `imagespace map` instead")
    parser.add_argument("--data", type=Path, help="folder with metadata.jsonl; none: drawn marks")
    parser.add_argument("--cluster", default="radical_name", help="the column that names clusters")
    parser.add_argument("--num", type=int, default=20_000)
    parser.add_argument("--walks", type=int, default=200)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--sprite-px", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("atlas.html"))
    parser.add_argument("--screenshots", type=Path, help="folder for pictures of the page")
    parser.add_argument("--no-speed", action="store_true")
    args = parser.parse_args()
    page: Path = args.page or args.out
    if args.page is None:
        data = made_up(args, np.random.default_rng(args.seed))
        start = time.perf_counter()
        write_page(data, page)
        took = time.perf_counter() - start
        print(f"{len(data.captions):,} pictures, written in {took:.1f} s")
    print(f"{page}: {page.stat().st_size / 1e6:.2f} MB")
    if chromium_program() is None:
        print("no Chromium here: speed not measured")
        return
    for width, height, ratio in SIZES:
        with Chromium(width, height, ratio) as browser:
            start = time.perf_counter()
            browser.open(page, until="window.atlas && !window.atlas.isRequested")
            print(f"{width} x {height} at {ratio:g}: opened in {time.perf_counter() - start:.1f} s")
            if not args.no_speed:
                speeds(browser, width, height)
            if args.screenshots:
                portraits(browser, args.screenshots, f"{width}x{height}")
    print(f"Python {platform.python_version()}, {platform.system()} on {platform.machine()}")


def speeds(browser: Chromium, width: int, height: int) -> None:
    places = {"whole map": 1, "zoomed in 4 times": 4, "thumbnails, 16 times": 16}
    for name, zoom in places.items():
        browser.evaluate(f"atlas.camera.scale = atlas.scene.homeScale * {zoom}; atlas.moved()")
        browser.wait_for("!atlas.isRequested")
        report(f"  panning, {name}", frame_times(browser, width, height))
    browser.evaluate("atlas.goHome()")
    browser.wait_for("!atlas.isRequested")
    browser.evaluate("atlas.setPanel('walks', true); atlas.walksPanel.toggle()")
    report("  panning while all walks play", frame_times(browser, width, height))
    browser.evaluate("atlas.setPanel('walks', false)")


def frame_times(browser: Chromium, width: int, height: int) -> tuple[np.ndarray, float]:
    """Milliseconds between animation frames while the mouse drags the map in circles.

    Besides, the processor's milliseconds that a frame takes, in all of the browser's processes
    together: what it says does not depend on what else the machine does.
    """
    # Right of the panels on a wide screen, between them on a narrow one.
    middle = (0.5 * width + (60 if width > 700 else 0), 0.42 * height)
    reach = (0.2 * width, 0.12 * height)
    browser.mouse("mousePressed", *middle, button="left", clickCount=1)
    browser.evaluate(RECORDER)
    used = browser.processor_seconds()
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < PAN_SECONDS:
        angle = 2 * np.pi * elapsed
        x, y = middle[0] + reach[0] * np.sin(angle), middle[1] + reach[1] * np.sin(1.7 * angle)
        browser.mouse("mouseMoved", x, y, button="left", buttons=1)
        time.sleep(max(0, 1 / 60 - (time.perf_counter() - start - elapsed)))
    used = browser.processor_seconds() - used
    times = browser.evaluate("(window.isRecording = false, window.frameTimes)")
    browser.mouse("mouseReleased", *middle, button="left", clickCount=1)
    return np.diff(times), 1000 * used / (len(times) - 1)


def report(name: str, measured: tuple[np.ndarray, float]) -> None:
    frames_ms, processor_ms = measured
    slow, worst = np.percentile(frames_ms, 99), frames_ms.max()
    print(
        f"{name}: {1000 / frames_ms.mean():.0f} frames a second; 99 % below {slow:.0f} ms, "
        f"worst {worst:.0f} ms; {processor_ms:.0f} ms of processor time a frame"
    )


def portraits(browser: Chromium, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    views = {
        "home": "atlas.goHome()",
        "middle": "atlas.zoomAt(innerWidth * .55, innerHeight * .5, 4, false)",
        "near": "atlas.zoomAt(innerWidth * .55, innerHeight * .5, 4, false)",
        "search": "(atlas.goHome(), document.getElementById('query').value = 'water',"
        " atlas.look('water'))",
        "found": "atlas.flyToNext(1)",
        "walk": "(atlas.escape(), atlas.escape(), atlas.goHome(), atlas.setPanel('walks', true),"
        f" {LONGEST}, atlas.walksPanel.select.value = String(atlas.walks.chosen),"
        " atlas.showWalk(), atlas.walks.seek(17), atlas.walksPanel.tell())",
        "standing": "atlas.toggleStanding()",
        "all-standing": "(atlas.walksPanel.select.value = '-1', atlas.walks.choose(-1),"
        " atlas.goHome(), atlas.walks.seek(19), atlas.walksPanel.tell())",
        "walks": "(atlas.toggleStanding(), atlas.walksPanel.tell())",
        "belief": "(atlas.setPanel('walks', false), atlas.setPanel('belief', true))",
    }
    for view, action in views.items():
        browser.evaluate(f"{action}; atlas.invalidate()")
        time.sleep(0.3)
        browser.wait_for("!atlas.isRequested")
        shot = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
        reduced(shot).save(folder / f"{name}-{view}.png", optimize=True)


def reduced(shot: Image.Image) -> Image.Image:
    """The picture in 256 colours; frequent ones count by the root, so that rare ones stay too."""
    colours, counts = np.unique(np.asarray(shot).reshape(-1, 3), axis=0, return_counts=True)
    weighed = np.repeat(colours, np.ceil(np.sqrt(counts)).astype(int), axis=0)
    palette = Image.fromarray(weighed[None]).quantize(256, kmeans=3)
    return shot.quantize(palette=palette, dither=Image.Dither.NONE)


def made_up(args: argparse.Namespace, random: np.random.Generator) -> PageData:
    rows = list(metadata(args))
    pictures = [opened(args, row) for row in rows]
    names, cluster_of = clusters([str(row.get(args.cluster, "")) for row in rows])
    positions = layout(cluster_of, len(names), random)
    size_px, columns = args.sprite_px, int(np.ceil(np.sqrt(len(rows))))
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"
    sheet = Image.new(mode, (columns * size_px, -(-len(rows) // columns) * size_px))
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (i % columns * size_px, i // columns * size_px))
    density, extent = density_of(positions)
    return PageData(
        title="Glyphs by radical (a made-up layout)" if args.data else "Drawn marks",
        positions=positions,
        cluster_of=cluster_of,
        cluster_names=names,
        captions=[str(row["text"]) for row in rows],
        sprites=sheet,
        sprite_px=size_px,
        columns=columns,
        density=density,
        extent=extent,
        scores={
            "This layout": "made up, to show the page: no space was measured",
            "Neighbours kept (of 15)": "not measured",
        },
        walks=walks_to(positions, pictures, rows, args, random) if args.walks else None,
    )


def metadata(args: argparse.Namespace) -> list[dict[str, Any]]:
    if args.data is None:
        words = ("water", "fire", "tree", "metal", "earth", "bird", "hand", "mouth", "grass")
        return [
            {"text": f"{words[i % 9]} number {i}", args.cluster: words[i % 9]}
            for i in range(args.num)
        ]
    lines = (args.data / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    order = np.random.default_rng(args.seed).permutation(len(lines))[: args.num]
    return [json.loads(lines[i]) for i in np.sort(order)]


def opened(args: argparse.Namespace, row: dict[str, Any]) -> Image.Image:
    size = (args.sprite_px, args.sprite_px)
    if args.data is not None:
        with Image.open(args.data / row["file_name"]) as image:
            mode = "L" if image.mode in ("L", "1") else "RGB"
            return image.convert(mode).resize(size, Image.Resampling.LANCZOS)
    number = int(row["text"].rsplit(" ", 1)[1])
    coarse = np.random.default_rng(number).integers(0, 2, (5, 5)) * 255
    return Image.fromarray(coarse.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)


def clusters(labels: list[str], most: int = 40) -> tuple[list[str], np.ndarray]:
    """The most frequent labels as clusters, largest first; all others are in none."""
    found, counts = np.unique(labels, return_counts=True)
    names = [str(name) for name in found[np.argsort(-counts, kind="stable")] if name][:most]
    index = {name: i for i, name in enumerate(names)}
    return names, np.array([index.get(label, -1) for label in labels], np.int32)


def layout(cluster_of: np.ndarray, num: int, random: np.random.Generator) -> np.ndarray:
    """Clusters as bent clouds on a sunflower's spiral, the pictures of none between them."""
    angle, radius = np.arange(num) * 2.399963, 2.2 * np.sqrt(np.arange(num) + 0.6)
    centres = radius[:, None] * np.stack([1.25 * np.cos(angle), np.sin(angle)], axis=1)
    sizes = np.array([(cluster_of == c).sum() for c in range(num)])
    spread = 0.9 * np.sqrt(sizes / np.median(sizes)).clip(0.5, 1.7)
    turns = random.uniform(0, np.pi, num)
    along = random.standard_normal(len(cluster_of))
    across = 0.45 * random.standard_normal(len(cluster_of)) + 0.35 * along**2 - 0.3
    turn = turns[cluster_of]
    cloud = np.stack(
        [
            along * np.cos(turn) - across * np.sin(turn),
            along * np.sin(turn) + across * np.cos(turn),
        ],
        axis=1,
    )
    # Knots inside a cluster, as kinds of glyph make them.
    knots = random.standard_normal((num, 6, 2))
    knot = knots[cluster_of, random.integers(0, 6, len(cluster_of))]
    cloud = 0.5 * cloud + 0.75 * knot * random.uniform(0.6, 1, (len(knot), 1))
    placed = centres[cluster_of] + 0.8 * spread[cluster_of, None] * cloud
    alone = cluster_of < 0
    whole = np.abs(centres).max()
    placed[alone] = random.standard_normal((alone.sum(), 2)) * [0.5 * whole, 0.4 * whole]
    return placed.astype(np.float32)


def density_of(
    positions: np.ndarray, size: int = 192
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Counts smoothed by a Gaussian of 2.2 cells."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    pad = 0.08 * (high - low).max()
    extent = (low[0] - pad, high[0] + pad, low[1] - pad, high[1] + pad)
    counts, _, _ = np.histogram2d(
        positions[:, 1], positions[:, 0], size, range=[extent[2:], extent[:2]]
    )
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / 2.2) ** 2)
    for axis in (0, 1):
        counts = np.apply_along_axis(np.convolve, axis, counts, kernel / kernel.sum(), "same")
    return counts.astype(np.float32), tuple(float(edge) for edge in extent)


def walks_to(
    positions: np.ndarray,
    pictures: list[Image.Image],
    rows: list[dict[str, Any]],
    args: argparse.Namespace,
    random: np.random.Generator,
) -> PageWalks:
    """Walks that begin in one place, in noise, and bend towards a picture of their own."""
    goals = random.choice(len(positions), args.walks, replace=False)
    times = np.linspace(1, 0, args.steps)
    start = positions.mean(axis=0) + random.normal(0, 0.35, (args.walks, 1, 2)) - [0, 1.5]
    way = (1 - times[None, :, None]) ** 1.8
    path = start + (positions[goals][:, None] - start) * way
    bend = random.normal(0, 3.2, (args.walks, 1, 2)) * (way * (1 - way))
    path = (path + bend + random.normal(0, 0.12, path.shape) * times[None, :, None]).astype(
        np.float32
    )
    real = np.stack([np.asarray(pictures[i], np.float32) for i in goals])
    real = real.reshape(*real.shape[:3], -1)
    mean = np.mean([np.asarray(p, np.float32) for p in pictures[:500]], axis=0)
    mean = mean.reshape(*mean.shape[:2], -1)
    share = way[..., None, None].reshape(1, -1, 1, 1, 1) ** 0.7
    seen = real[:, None] * share + mean * (1 - share)
    flat = path.reshape(-1, 2)
    nearest = np.array([((positions - p) ** 2).sum(axis=1).argmin() for p in flat])
    off = np.broadcast_to(times > 0.55, path.shape[:2]) ^ (random.random(path.shape[:2]) < 0.03)
    # Noise has the same nearest pictures whatever becomes of it: x_t leaves them late.
    stands = path[:, -1:] + (path[:1, :1] - path[:, -1:]) * times[None, :, None] ** 0.2
    return PageWalks(
        positions=path,
        thumbnails=seen.clip(0, 255).astype(np.uint8),
        times=times,
        prompts=[str(rows[i]["text"]) for i in goals],
        is_off_map=off,
        nearest=nearest.reshape(path.shape[:2]),
        x_t_positions=stands.astype(np.float32),
        is_x_t_off_map=np.broadcast_to(times > 0.05, path.shape[:2]),
    )


if __name__ == "__main__":
    main()
