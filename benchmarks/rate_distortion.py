"""An autoencoder seen as compression, beside JPEG and WebP: distortion against bytes a picture.

    python benchmarks/rate_distortion.py AUTOENCODER FOLDER [--num 200] [--out docs/images/NAME]

Held-out pictures. Whitened latents are rounded to multiples of a step; their size is that of an
ideal arithmetic coder whose table, one a channel, was counted on training pictures and ships with
the coder (the cross entropy; a real coder needs a byte or two more). The autoencoder's weights are
not counted, as no codec's code is. JPEG is counted twice: whole files (Pillow, optimised tables),
and without the headers and tables before the scan, some 200 to 300 bytes, most of which a private
format would not repeat (not so the Huffman tables, which are each picture's own: this is kind to
JPEG). WebP is counted whole, at method 6. Writes OUT-curves.png, OUT-pictures.png and
prints a table.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from imagespace.pictures.fidelity import LARGEST_PSNR_DB, psnr, ssim
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import from_pixels, load_autoencoder_by_name, pixels_to_image, to_pixels
from imagespace.pipeline.autoencoding import decoded, encoded_rows

STEPS = (2.8, 2.0, 1.4, 1.0, 0.7, 0.5, 0.35, 0.25, 0.12, 0.06)
QUALITIES = (1, 2, 4, 6, 8, 10, 14, 18, 24, 30, 40, 50, 60, 70, 80, 90, 95)
LARGEST_LEVEL = 400
COLOURS = {  # Okabe and Ito, told apart by every eye
    "autoencoder": "#0072B2",
    "WebP": "#D55E00",
    "JPEG without header": "#009E73",
    "JPEG file": "#999999",
}
Point = tuple[float, float, float, float]  # bytes, PSNR, SSIM, setting


def levels(latents: Tensor, step: float) -> Tensor:
    return (latents / step).round().clamp(-LARGEST_LEVEL, LARGEST_LEVEL).long()


def table_bits(training: Tensor, step: float) -> Tensor:
    """Bits of each level in each channel [C, 2 L + 1], from counts on training latents."""
    indices = levels(training, step).transpose(0, 1).flatten(1) + LARGEST_LEVEL
    counts = torch.stack([torch.bincount(i, minlength=2 * LARGEST_LEVEL + 1) for i in indices])
    smoothed = counts.double() + 0.01
    return -torch.log2(smoothed / smoothed.sum(dim=1, keepdim=True))


def latent_bytes(indices: Tensor, bits: Tensor) -> np.ndarray:
    """Bytes of each picture's levels [N, C, H, W]."""
    total = torch.zeros(len(indices), dtype=torch.float64)
    for channel in range(indices.shape[1]):
        total += bits[channel][indices[:, channel] + LARGEST_LEVEL].sum(dim=(1, 2))
    return np.ceil(total.numpy() / 8)


def coded(image: Image.Image, kind: str, quality: int) -> tuple[int, Image.Image]:
    """Bytes of a picture in a codec, and what it is read back as."""
    file = io.BytesIO()
    if kind == "WebP":
        image.save(file, "WEBP", quality=quality, method=6)
    else:
        image.save(file, "JPEG", quality=quality, optimize=True)
    data = file.getvalue()
    size = len(data)
    if kind == "JPEG without header":
        size -= data.index(b"\xff\xda")  # start of scan
    return size, Image.open(io.BytesIO(data)).convert(image.mode)


def figures(pixels: np.ndarray, copies: np.ndarray) -> tuple[float, float]:
    x, y = from_pixels(pixels), from_pixels(copies)
    return float(psnr(y, x).clamp(max=LARGEST_PSNR_DB).mean()), float(ssim(y, x).mean())


def as_array(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def crossover(one: list[Point], other: list[Point], figure: int) -> float | None:
    """The lowest rate, in bytes, from which `other` has more of a figure than `one`.

    More bytes than `one` can use bring it nothing more.
    """
    rates = np.geomspace(max(one[0][0], other[0][0]), other[-1][0], 400)
    own, its = (
        np.interp(np.log(rates), np.log([p[0] for p in points]), [p[figure] for p in points])
        for points in (one, other)
    )
    ahead = np.flatnonzero(its > own)
    return float(rates[ahead[0]]) if len(ahead) else None


def draw_curves(curves: dict[str, list[Point]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})
    chart, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for axis, number, name in zip(axes, (1, 2), ("PSNR in dB", "SSIM"), strict=True):
        for kind, points in curves.items():
            dash = "--" if kind == "JPEG file" else "-"
            x, y = [p[0] for p in points], [p[number] for p in points]
            axis.plot(x, y, dash, color=COLOURS[kind], lw=2.2, marker="o", ms=4, label=kind)
        axis.set_xscale("log")
        axis.set_xlabel("bytes a picture")
        axis.set_ylabel(name)
        ticks = [t for t in (25, 100, 400, 1600, 6400, 25600) if _within(t, curves)]
        axis.set_xticks(ticks, [f"{t:,}" for t in ticks])
        axis.minorticks_off()
        axis.grid(alpha=0.25)
    axes[0].set_ylim(top=45)
    axes[1].legend(loc="lower right", frameon=False)
    chart.savefig(path, dpi=110)


def _within(rate: float, curves: dict[str, list[Point]]) -> bool:
    rates = [point[0] for points in curves.values() for point in points]
    return min(rates) <= rate <= max(rates)


def draw_pictures(
    columns: list[np.ndarray], rows: dict[str, list[tuple[np.ndarray, float]]], path: Path
) -> None:
    """Originals over their copies at about equal bytes, each with its bytes."""
    side, gap, left, foot = columns[0].shape[0], 10, 150, 20
    height = side + foot + gap
    size_px = (left + len(columns) * (side + gap), (1 + len(rows)) * height)
    sheet = Image.new("RGB", size_px, "white")
    pen = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(size=15), ImageFont.load_default(size=13)
    shown = {"original": [(pixels, None) for pixels in columns], **rows}
    for number, (name, pictures) in enumerate(shown.items()):
        top = gap // 2 + number * height
        words = name.replace(" without", "\nwithout")
        pen.multiline_text((12, top + side / 2 - 8), words, fill="#222222", font=large)
        for column, (pixels, size) in enumerate(pictures):
            x = left + column * (side + gap)
            sheet.paste(pixels_to_image(pixels).convert("RGB"), (x, top))
            if size is not None:
                place = (x + side / 2, top + side + 3)
                pen.text(place, f"{size:,.0f} bytes", fill="#555555", font=small, anchor="ma")
    sheet.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("autoencoder")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=128, help="side in pixels")
    parser.add_argument("--num", type=int, default=200, help="held-out pictures")
    parser.add_argument("--training", type=int, default=1000, help="pictures that tables count")
    parser.add_argument("--shown", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("rate-distortion"))
    arguments = parser.parse_args()
    autoencoder, _ = load_autoencoder_by_name(arguments.autoencoder)
    pictures = read_folder(arguments.folder, arguments.size, autoencoder.config.num_channels)
    held_out = np.flatnonzero(~np.isin(pictures.splits, ["train", "validation"]))
    held_out = held_out if len(held_out) else pictures.indices("validation")
    rows = held_out[:: max(1, len(held_out) // arguments.num)][: arguments.num]
    pixels = np.ascontiguousarray(pictures.pixels[rows])
    train = pictures.indices("train")
    some = train[:: max(1, len(train) // arguments.training)][: arguments.training]
    known = encoded_rows(autoencoder, pictures.pixels, some)
    latents = encoded_rows(autoencoder, pictures.pixels, rows)
    curves: dict[str, list[Point]] = {kind: [] for kind in COLOURS}
    kept: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {kind: [] for kind in COLOURS}
    for step in STEPS:
        indices = levels(latents, step)
        sizes = latent_bytes(indices, table_bits(known, step))
        copies = to_pixels(decoded(autoencoder, indices * step))
        curves["autoencoder"].append((float(sizes.mean()), *figures(pixels, copies), step))
        kept["autoencoder"].append((sizes, copies))
    exact = figures(pixels, to_pixels(decoded(autoencoder, latents)))
    images = [pixels_to_image(each) for each in pixels]
    for kind in COLOURS:
        if kind == "autoencoder":
            continue
        for quality in QUALITIES:
            files = [coded(image, kind, quality) for image in images]
            sizes = np.array([size for size, _ in files])
            copies = np.stack([as_array(copy) for _, copy in files])
            point = (float(sizes.mean()), *figures(pixels, copies), float(quality))
            curves[kind].append(point)
            kept[kind].append((sizes, copies))
    for kind, points in curves.items():
        setting = "step" if kind == "autoencoder" else "quality"
        for size, decibels, similarity, value in points:
            measured = f"{size:7.0f} bytes  {decibels:5.2f} dB  {similarity:.4f}"
            print(f"{kind:20} {setting} {value:<5g} {measured}")
        curves[kind] = sorted(points)
    print(f"not quantised: {exact[0]:.2f} dB, SSIM {exact[1]:.4f}, {len(pixels)} pictures")
    for kind in list(COLOURS)[1:]:
        for number, name in ((1, "PSNR"), (2, "SSIM")):
            rate = crossover(curves["autoencoder"], curves[kind], number)
            print(f"{kind} overtakes in {name}: {'never' if rate is None else f'{rate:.0f} bytes'}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    draw_curves(curves, arguments.out.with_name(arguments.out.name + "-curves.png"))
    # At the rate of the codec's lowest quality, where the header is not counted.
    target = curves["JPEG without header"][0][0]
    nearest = {
        kind: int(np.argmin([abs(np.log(sizes.mean() / target)) for sizes, _ in kept[kind]]))
        for kind in COLOURS
        if kind != "JPEG file"
    }
    chosen = range(0, len(pixels), max(1, len(pixels) // arguments.shown))[: arguments.shown]
    half = int(np.argmin([abs(np.log(2 * s.mean() / target)) for s, _ in kept["autoencoder"]]))
    sheet = {}
    for name, kind, k in [
        ("autoencoder\nat half of that", "autoencoder", half),
        *((kind, kind, k) for kind, k in nearest.items()),
    ]:
        sizes, copies = kept[kind][k]
        sheet[name] = [(copies[row], float(sizes[row])) for row in chosen]
    path = arguments.out.with_name(arguments.out.name + "-pictures.png")
    draw_pictures([pixels[row] for row in chosen], sheet, path)


if __name__ == "__main__":
    main()
