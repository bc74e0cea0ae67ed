"""How large is the page of a model of points, how fast does it move, and what does it look like?

Opens the page in headless Chromium without a graphics processor, plays it from noise to data, and
takes pictures of it at several times.

Run: python benchmarks/point_page.py --page moons.html --screenshots shots
"""

import argparse
import io
import platform
import sys
import time
from pathlib import Path

import numpy as np
from atlas_page import RECORDER, SIZES, reduced, report
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from chromium import Chromium

PLAY_SECONDS = 6
# Of the walks whose two ends lie far apart, one that begins near the middle.
FOLLOWED = """(() => { const { walks } = atlas; const reach = (w) => Math.hypot(...walks.head(w));
  const apart = (w) => { const [a, b] = ['flow', 'noise'].map((kind) => walks.end(w, kind));
    return Math.hypot(a[0] - b[0], a[1] - b[1]); };
  walks.seek(0);
  const all = [...Array(walks.num).keys()].sort((a, b) => apart(b) - apart(a));
  return all.slice(0, 40).reduce((best, w) => (reach(w) < reach(best) ? w : best)); })()"""
VIEWS = {
    "noise": "atlas.walks.seek(0)",
    "between": "atlas.walks.seek(0.68 * (atlas.walks.numSteps - 1))",
    "near": "(atlas.walks.seek(0.85 * (atlas.walks.numSteps - 1)), atlas.camera.scale *= 2.2)",
    "data": "(Object.assign(atlas.camera, atlas.homeView()),"
    " atlas.walks.seek(atlas.walks.numSteps - 1))",
    "with-noise": "(atlas.choose('noise', -1),"
    " atlas.walks.seek(0.68 * (atlas.walks.numSteps - 1)))",
    "followed": f"(atlas.choose('flow', {FOLLOWED}),"
    " atlas.walks.seek(0.9 * (atlas.walks.numSteps - 1)))",
    "belief": "(atlas.choose('flow', -1), atlas.setPanel('belief', true))",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, required=True, help="of `imagespace view points`")
    parser.add_argument("--screenshots", type=Path, help="folder for pictures of the page")
    parser.add_argument("--no-speed", action="store_true")
    args = parser.parse_args()
    print(f"{args.page}: {args.page.stat().st_size / 1e6:.2f} MB")
    for width, height, ratio in SIZES:
        with Chromium(width, height, ratio) as browser:
            start = time.perf_counter()
            browser.open(args.page, until="window.atlas && !window.atlas.isRequested")
            print(f"{width} x {height} at {ratio:g}: opened in {time.perf_counter() - start:.1f} s")
            if not args.no_speed:
                report("  while it plays", playing(browser))
            if args.screenshots:
                portraits(browser, args.screenshots, f"{width}x{height}")
    print(f"Python {platform.python_version()}, {platform.system()} on {platform.machine()}")


def playing(browser: Chromium) -> tuple[np.ndarray, float]:
    """Milliseconds between frames while it plays, and the processor's milliseconds a frame."""
    browser.evaluate(f"(atlas.walks.seek(0), atlas.togglePlay(), {RECORDER})")
    used = browser.processor_seconds()
    time.sleep(PLAY_SECONDS)
    used = browser.processor_seconds() - used
    times = browser.evaluate("(window.isRecording = false, window.frameTimes)")
    browser.evaluate("atlas.walks.isPlaying = false")
    return np.diff(times), 1000 * used / (len(times) - 1)


def portraits(browser: Chromium, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for view, action in VIEWS.items():
        browser.evaluate(f"{action}; atlas.invalidate()")
        time.sleep(0.2)
        browser.wait_for("!atlas.isRequested")
        shot = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
        reduced(shot).save(folder / f"{name}-{view}.png", optimize=True)


if __name__ == "__main__":
    main()
