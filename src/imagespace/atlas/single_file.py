"""An HTML page that is one file: script, style and data inside, nothing asked of the network."""

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

UINT16_MAX = 65535


def write_single_file(
    path: str | Path,
    template: str,
    scripts: Sequence[str],
    title: str,
    words: Mapping[str, Any],
    blocks: Mapping[str, bytes],
) -> Path:
    """Writes the page whole or not at all; returns its path.

    `template` and `scripts` are files of `web`; the scripts run as one function, in this order.
    `words` are JSON values, `blocks` bytes by name. Nothing in the page is HTML that came with the
    data, and its own policy forbids every script but the one that is written here.
    """
    path = Path(path)
    web = files("imagespace.atlas") / "web"
    parts = [(web / name).read_text(encoding="utf-8") for name in scripts]
    script = "(() => {\n'use strict';\n" + "\n".join(parts) + "\n})();\n"
    style = (web / "atlas.css").read_text(encoding="utf-8")
    whole = {**blocks, "words": deflated(json.dumps(dict(words)).encode())}
    page = Template((web / template).read_text(encoding="utf-8")).substitute(
        title=escape(title),
        style=style,
        style_hash=_policy_hash(style),
        script=script,
        script_hash=_policy_hash(script),
        data="\n".join(
            f'<script type="text/plain" id="data-{name}">{_base64(block)}</script>'
            for name, block in whole.items()
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


def quantised(positions: NDArray[np.floating]) -> tuple[NDArray[np.uint16], list[float]]:
    """[M, 2] as uint16, with the box [x_min, y_min, x_span, y_span] that they are shares of."""
    exact = positions.astype(np.float64)
    low = exact.min(axis=0)
    span = exact.max(axis=0) - low
    share = (exact - low) / np.where(span > 0, span, 1)
    return np.rint(UINT16_MAX * share).astype("<u2"), [*low.tolist(), *span.tolist()]


def density_levels(density: NDArray[np.floating]) -> bytes:
    """Density in 8 bits of its square root, which spends the levels where a map is: in thin parts.

    255 is the highest value.
    """
    share = np.sqrt(density / max(float(density.max()), 1e-30))
    return deflated(np.rint(255 * share).astype(np.uint8).tobytes())


def deflated(block: bytes) -> bytes:
    """The block as the page's script inflates it."""
    return zlib.compress(block, 9)


def _base64(block: bytes) -> str:
    return base64.b64encode(block).decode()


def _policy_hash(text: str) -> str:
    return "sha256-" + _base64(hashlib.sha256(text.encode()).digest())
