"""Writes the interactive map as one HTML file that asks the network for nothing."""

import base64
import hashlib
import io
import json
import os
import zlib
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagespace.atlas.page_data import PageData, PageWalks
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
    "atlas.js",
)
WEBP_LIMIT_PX = 16383  # the longest side that the format has
LOSSLESS_BELOW_PIXELS = 2_000_000  # a larger sheet takes minutes to pack without loss
# In base64 a third more: a page of 20,000 pictures with its captions and walks keeps below 12 MB.
SPRITES_BUDGET_BYTES = 5_500_000
WALKS_BUDGET_BYTES = 1_500_000
QUALITIES = (90, 80, 70, 60, 50, 40)
TRIAL_SHARE = 0.05  # of the sheet, to see which quality fits
UINT16_MAX = 65535


def write_page(data: PageData, path: str | Path) -> Path:
    """Writes the map as one HTML file, whole or not at all; returns its path.

    Positions are stored in 16 bits a coordinate, `q = round(65535 (x - x_min) / (x_max - x_min))`,
    so that each is off by at most 1/131070 of the extent; density in 8 bits of its square root;
    pictures as WebP, without loss up to two million pixels. Nothing in the page is HTML that came
    with the data, and its own policy forbids every script but the one that is written here.

    Errors: UserError for a sheet with a side above 16,383 px.
    """
    path = Path(path)
    words, blocks = _packed(data)
    blocks["words"] = _deflated(json.dumps(words).encode())
    web = files("imagespace.atlas") / "web"
    parts = [(web / name).read_text(encoding="utf-8") for name in SCRIPTS]
    script = "(() => {\n'use strict';\n" + "\n".join(parts) + "\n})();\n"
    style = (web / "atlas.css").read_text(encoding="utf-8")
    page = Template((web / "atlas.html").read_text(encoding="utf-8")).substitute(
        title=escape(data.title),
        style=style,
        style_hash=_policy_hash(style),
        script=script,
        script_hash=_policy_hash(script),
        data="\n".join(
            f'<script type="text/plain" id="data-{name}">{_base64(block)}</script>'
            for name, block in blocks.items()
        ),
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # A lone surrogate in the title has no UTF-8; everywhere else JSON escapes it.
        temporary.write_bytes(page.encode("utf-8", "replace"))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _packed(data: PageData) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The page's words and numbers, and its arrays and sheets by name."""
    points, box = _quantised(data.positions)
    # The square root spends the 256 levels where a map is: in its thin parts.
    share = np.sqrt(data.density / max(float(data.density.max()), 1e-30))
    words: dict[str, Any] = {
        "title": data.title,
        "box": box,
        "clusterNames": list(data.cluster_names),
        "captions": list(data.captions),
        "spritePx": data.sprite_px,
        "columns": data.columns,
        "densityShape": list(data.density.shape),
        "extent": [float(edge) for edge in data.extent],
        "scores": [[str(name), str(value)] for name, value in data.scores.items()],
        "walks": None,
    }
    blocks = {
        "positions": _deflated(points.tobytes()),
        "clusters": _deflated(data.cluster_of.astype("<i4").tobytes()),
        "density": _deflated(np.rint(255 * share).astype(np.uint8).tobytes()),
        "sprites": _webp(data.sprites, SPRITES_BUDGET_BYTES),
    }
    if data.walks is not None:
        walks = data.walks
        walk_points, walk_box = _quantised(walks.positions.reshape(-1, 2))
        sheet, columns = _walk_sheet(walks)
        words["walks"] = {
            "box": walk_box,
            "times": [round(float(t), 6) for t in walks.times],
            "prompts": list(walks.prompts),
            "spritePx": walks.thumbnails.shape[2],
            "columns": columns,
        }
        blocks |= {
            "walk-positions": _deflated(walk_points.tobytes()),
            "walk-off-map": _deflated(walks.is_off_map.astype(np.uint8).tobytes()),
            "walk-nearest": _deflated(walks.nearest.astype("<i4").tobytes()),
            "walk-sprites": _webp(sheet, WALKS_BUDGET_BYTES),
        }
    return words, blocks


def _quantised(positions: NDArray[np.float32]) -> tuple[NDArray[np.uint16], list[float]]:
    """[M, 2] as uint16, with the box [x_min, y_min, x_span, y_span] that they are shares of."""
    exact = positions.astype(np.float64)
    low = exact.min(axis=0)
    span = exact.max(axis=0) - low
    share = (exact - low) / np.where(span > 0, span, 1)
    return np.rint(UINT16_MAX * share).astype("<u2"), [*low.tolist(), *span.tolist()]


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


def _webp(sheet: Image.Image, budget_bytes: int) -> bytes:
    """The sheet without loss if it is small, else at the best quality that fits the budget."""
    if max(sheet.size) > WEBP_LIMIT_PX:
        raise UserError(
            f"a sheet of {sheet.width} x {sheet.height} px",
            f"a browser takes sides up to {WEBP_LIMIT_PX} px",
            "Map fewer pictures, or smaller ones.",
        )
    image = sheet.convert("RGB")
    if image.width * image.height <= LOSSLESS_BELOW_PIXELS:
        return _saved(image, lossless=True)
    middle, half = image.height // 2, max(1, round(image.height * TRIAL_SHARE / 2))
    trial = image.crop((0, middle - half, image.width, middle + half))
    allowed = budget_bytes * trial.height / image.height
    fitting = (q for q in QUALITIES if len(_saved(trial, quality=q)) <= allowed)
    return _saved(image, quality=next(fitting, QUALITIES[-1]))


def _saved(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", method=3, **options)
    return buffer.getvalue()


def _deflated(block: bytes) -> bytes:
    return zlib.compress(block, 9)


def _base64(block: bytes) -> str:
    return base64.b64encode(block).decode()


def _policy_hash(text: str) -> str:
    return "sha256-" + _base64(hashlib.sha256(text.encode()).digest())
