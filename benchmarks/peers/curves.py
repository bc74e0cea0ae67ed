"""Draws quality against training time, ours and the peers', from what judge.py found.

Run: python benchmarks/peers/curves.py RUNS/judged.json --out curves.png [--pictures sheet.png]
         [--way WAY ...]

Both axes are logarithmic; whiskers are 95 % of each distance. A peer's line is its run that ends
nearest in random features; of ours, every `--way` is a line ("glyphs, no-caption, seed 0", as
judge.py names it; all of them unless given). `--pictures` shows the first samples of each line's
end, whose files lie beside judged.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from verdict import OURS, STANDARD_ERRORS, Record, way_of

PEERS_SAY = {
    "lucidrains": "denoising-diffusion-pytorch",
    "smalldiffusion_dit": "smalldiffusion DiT",
    "diffusers_unet": "diffusers U-Net",
}
# Wong's colour-blind-safe palette, and a mark besides, so that no line is told by colour alone.
COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#000000")
PEER_COLOURS = {
    "lucidrains": "#D55E00",
    "smalldiffusion_dit": "#CC79A7",
    "diffusers_unet": "#E69F00",
}
NUM_SHOWN = 10
MARKS = {"lucidrains": "s", "smalldiffusion_dit": "^", "diffusers_unet": "D"}


def lines_of(report: dict[str, Any], ways: list[str]) -> list[tuple[str, str, str, list[Record]]]:
    """(label, colour, mark, records by time) of each line."""
    samples: list[Record] = report["samples"]
    lines = []
    of_ours = [record for record in samples if record["peer"] == OURS]
    for number, way in enumerate(ways or sorted({way_of(record) for record in of_ours})):
        own = [record for record in of_ours if way_of(record) == way]
        label = "imagespace: " + way.removesuffix(", seed 0")
        lines.append((label, COLOURS[number % len(COLOURS)], "o", own))
    for end in report["ends"]:
        run, peer = end["nearest"]["random"]["run"], end["peer"]
        own = [record for record in samples if record["run"] == run]
        lines.append((PEERS_SAY[peer], PEER_COLOURS[peer], MARKS[peer], own))
    return [(*line, sorted(own, key=lambda r: float(r["minutes"]))) for *line, own in lines]


def draw(axes: Axes, name: str, report: dict[str, Any], ways: list[str]) -> None:
    """One extractor's panel."""
    for label, colour, mark, records in lines_of(report, ways):
        minutes = [record["minutes"] for record in records]
        distances = [record["kernel_distance"][name] for record in records]
        values = [distance["value"] for distance in distances]
        errors = [STANDARD_ERRORS * distance["error"] for distance in distances]
        axes.errorbar(
            minutes, values, errors, label=label, color=colour, marker=mark, capsize=2, lw=1.6, ms=5
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([0.5, 1, 2, 5, 10, 20], ["½", "1", "2", "5", "10", "20"])
    axes.minorticks_off()
    axes.set_xlabel("minutes of training")
    axes.set_title(f"kernel distance, {name} features", fontsize=10)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def show(report: dict[str, Any], ways: list[str], folder: Path, out: Path) -> None:
    """The first samples of each line's end, a row each, under what drew them."""
    lines = lines_of(report, ways)
    figure, rows = plt.subplots(len(lines), 1, figsize=(8, 1.2 * len(lines)), squeeze=False)
    for axes, (label, _, _, records) in zip(rows[:, 0], lines, strict=True):
        last = records[-1]
        samples = np.load(folder / last["file"])[:NUM_SHOWN, :, :, 0]
        blank = np.full((NUM_SHOWN - len(samples), *samples.shape[1:]), 255, np.uint8)
        samples = np.concatenate([samples, blank])  # slow samplers drew fewer
        axes.imshow(np.concatenate(list(samples), axis=1), cmap="gray", vmin=0, vmax=255)
        seen = f"{last['minutes']:.0f} minutes, {last['pictures_seen']:,} pictures seen"
        axes.set_title(f"{label}: {seen}", fontsize=8, loc="left", pad=2)
        axes.axis("off")
    figure.tight_layout(pad=0.4)
    figure.savefig(out, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("judged", type=Path, help="--out of judge.py")
    parser.add_argument("--way", action="append", default=[], help="of ours; may be repeated")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, help="PNG of the last samples of each line")
    args = parser.parse_args()
    report = json.loads(args.judged.read_text(encoding="utf-8"))
    names = list(report["floor"])
    figure, panels = plt.subplots(1, len(names), figsize=(4.2 * len(names), 4.2), squeeze=False)
    for axes, name in zip(panels[0], names, strict=True):
        draw(axes, name, report, args.way)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.12, 1, 1))
    figure.savefig(args.out, dpi=110)
    print(f"wrote {args.out}")
    if args.pictures is not None:
        show(report, args.way, args.judged.parent, args.pictures)
        print(f"wrote {args.pictures}")


if __name__ == "__main__":
    main()
