"""Writes the interactive map as one HTML file that asks the network for nothing."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imagespace.atlas.page_data import PageData, PageWalks
from imagespace.atlas.single_file import (
    deflated,
    density_levels,
    quantised,
    write_single_file,
)
from imagespace.errors import UserError

# The parts of the script, each one concept; they run as one function, in this order.
SCRIPTS = (
    "data.js",
    "camera.js",
    "layer.js",
    "palette.js",
    "thinning.js",
    "density.js",
    "scene.js",
    "labels.js",
    "search.js",
    "card.js",
    "walks.js",
    "legend.js",
    "controls.js",
    "viewport.js",
    "atlas.js",
)
WEBP_LIMIT_PX = 16383  # the longest side that the format has
LOSSLESS_BELOW_PIXELS = 2_000_000  # a larger sheet takes minutes to pack without loss
# In base64 a third more: a page of 20,000 pictures with its captions and walks keeps below 12 MB.
SPRITES_BUDGET_BYTES = 5_500_000
WALKS_BUDGET_BYTES = 1_500_000
QUALITIES = (90, 80, 70, 60, 50, 40)
SMALLEST_SPRITE_PX = 8
TRIAL_SHARE = 0.05  # of the sheet, to see which quality fits


def write_page(data: PageData, path: str | Path) -> Path:
    """Writes the map as one HTML file, whole or not at all; returns its path.

    Positions are stored in 16 bits a coordinate, `q = round(65535 (x - x_min) / (x_max - x_min))`,
    so that each is off by at most 1/131070 of the extent; density in 8 bits of its square root;
    pictures as WebP, without loss up to two million pixels. Nothing in the page is HTML that came
    with the data, and its own policy forbids every script but the one that is written here.

    Errors: UserError for a sheet with a side above 16,383 px.
    """
    words, blocks = _packed(data)
    return write_single_file(path, "atlas.html", SCRIPTS, data.title, words, blocks)


def _packed(data: PageData) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The page's words and numbers, and its arrays and sheets by name."""
    points, box = quantised(data.positions)
    sprites, sprite_px = _webp(data.sprites, data.sprite_px, SPRITES_BUDGET_BYTES)
    words: dict[str, Any] = {
        "title": data.title,
        "box": box,
        "clusterNames": list(data.cluster_names),
        "captions": list(data.captions),
        "spritePx": sprite_px,
        "columns": data.columns,
        "densityShape": list(data.density.shape),
        "extent": [float(edge) for edge in data.extent],
        "scores": [[str(name), str(value)] for name, value in data.scores.items()],
        "walks": None,
    }
    blocks = {
        "positions": deflated(points.tobytes()),
        "clusters": deflated(data.cluster_of.astype("<i4").tobytes()),
        "density": density_levels(data.density),
        "sprites": sprites,
    }
    if data.walks is not None:
        walks = data.walks
        walk_points, walk_box = quantised(walks.positions.reshape(-1, 2))
        x_t_points, x_t_box = quantised(walks.x_t_positions.reshape(-1, 2))
        sheet, columns = _walk_sheet(walks)
        thumbnails, thumbnail_px = _webp(sheet, walks.thumbnails.shape[2], WALKS_BUDGET_BYTES)
        words["walks"] = {
            "box": walk_box,
            "standingBox": x_t_box,
            "times": [round(float(t), 6) for t in walks.times],
            "prompts": list(walks.prompts),
            "spritePx": thumbnail_px,
            "columns": columns,
        }
        blocks |= {
            "walk-positions": deflated(walk_points.tobytes()),
            "walk-off-map": deflated(walks.is_off_map.astype(np.uint8).tobytes()),
            "walk-standing": deflated(x_t_points.tobytes()),
            "walk-standing-off-map": deflated(walks.is_x_t_off_map.astype(np.uint8).tobytes()),
            "walk-nearest": deflated(walks.nearest.astype("<i4").tobytes()),
            "walk-sprites": thumbnails,
        }
    return words, blocks


def _walk_sheet(walks: PageWalks) -> tuple[Image.Image, int]:
    """Every step's thumbnail on one nearly square sheet, walk by walk, and its columns."""
    size_px, channels = walks.thumbnails.shape[3:]
    flat = walks.thumbnails.reshape(-1, size_px, size_px, channels)
    columns = int(np.ceil(np.sqrt(len(flat))))
    lines = -(-len(flat) // columns)
    cells = np.zeros((lines * columns, size_px, size_px, channels), np.uint8)
    cells[: len(flat)] = flat
    grid = cells.reshape(lines, columns, size_px, size_px, channels).swapaxes(1, 2)
    sheet = grid.reshape(lines * size_px, columns * size_px, channels)
    return Image.fromarray(sheet[..., 0] if channels == 1 else sheet), columns


def _webp(sheet: Image.Image, sprite_px: int, budget_bytes: int) -> tuple[bytes, int]:
    """The sheet and the side of one picture on it: as it is, or what fits the budget.

    Small sheets lose nothing; others have the best quality that fits. Where the worst quality is
    too large still, as of many walks of many steps, the pictures are smaller.
    """
    if max(sheet.size) > WEBP_LIMIT_PX:
        raise UserError(
            f"a sheet of {sheet.width} x {sheet.height} px",
            f"a browser takes sides up to {WEBP_LIMIT_PX} px",
            "Map fewer pictures, or smaller ones.",
        )
    whole = sheet.convert("RGB")
    if whole.width * whole.height <= LOSSLESS_BELOW_PIXELS:
        return _saved(whole, lossless=True), sprite_px
    columns, lines = whole.width // sprite_px, whole.height // sprite_px
    cells = (0, 0, columns * sprite_px, lines * sprite_px)
    for side in (sprite_px, *range(sprite_px - 2, SMALLEST_SPRITE_PX - 1, -2)):
        image = whole
        if side < sprite_px:  # a box filter of whole pictures mixes none with its neighbour
            size = (columns * side, lines * side)
            image = whole.resize(size, Image.Resampling.BOX, box=cells)
        quality = _best_quality(image, budget_bytes)
        if quality is not None:
            break
    return _saved(image, quality=quality or QUALITIES[-1]), side


def _best_quality(image: Image.Image, budget_bytes: int) -> int | None:
    """The best quality at which a part of the image keeps its part of the budget, if any does."""
    middle, half = image.height // 2, max(1, round(image.height * TRIAL_SHARE / 2))
    trial = image.crop((0, middle - half, image.width, middle + half))
    allowed = budget_bytes * trial.height / image.height
    fitting = (q for q in QUALITIES if len(_saved(trial, quality=q)) <= allowed)
    return next(fitting, None)


def _saved(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", method=3, **options)
    return buffer.getvalue()
