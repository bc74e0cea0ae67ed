"""A report of an evaluation with few entries of each kind, and a reader of its page."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def leaf(value: float, error: float | None = None, **more: object) -> dict[str, object]:
    return {"value": value, "error": error, **more}


def small_report() -> dict[str, object]:
    """Every section of a report, with few entries each."""

    def distances(kernel: float, precision: float) -> dict[str, object]:
        return {"kernel_distance": leaf(kernel, 0.001), "precision": leaf(precision, 0.01)}

    return {
        "format": "imagespace-evaluation-1",
        "imagespace": "0.1.0",
        "date": "2026-11-25",
        "model": {"source": "runs/one", "name": "glyphs", "sha256": "0123"},
        "data": {"path": "my pictures", "key": "abc", "num_train": 18070},
        "sampling": {"sampler": "ddpm", "num_steps": 28, "guidance": 3.0},
        "num_samples": 2000,
        "num_real": 2000,
        "seed": 0,
        "command": "imagespace evaluate runs/one --data 'my pictures' --num 2000 --seed 0",
        "seconds": {"draw": 210.0},
        "quality": {
            "image-text": {
                "samples": distances(0.013, 0.71),
                "real": distances(0.001, 0.86),
                "blurred": distances(0.301, 0.12),
                "noise": distances(4.1, 0.0),
            }
        },
        "prompt_following": {
            "radical": {
                "samples": leaf(0.61, 0.011),
                "real": leaf(0.952, 0.005),
                "always_commonest": leaf(0.061, 0.005),
            },
            "retrieval": {
                "samples": {"R@1": leaf(0.38, 0.011)},
                "chance": {"R@1": leaf(0.01, 0.0)},
            },
            "nouns": {"samples": leaf(0.925, 0.013)},
        },
        "legibility": {"glyph_like": {"samples": leaf(0.72, 0.01), "noise": leaf(0.02, 0.003)}},
        "newness": {
            "copies": {"pixels": {"samples": leaf(0.0, 0.0, num=2000, interval=[0.0, 0.00192])}},
            "nearest_ratio": {"pixels": {"samples": leaf(0.912, 0.002)}},
            "loss": {
                "train": {"t=0.1": leaf(0.02, 0.001), "t=0.5": leaf(0.2, 0.004)},
                "unseen": {"t=0.1": leaf(0.03, 0.001), "t=0.5": leaf(0.21, 0.004)},
            },
            "bits_per_dimension": {"train": leaf(5.8, 0.05), "unseen": leaf(6.0, 0.06)},
        },
        "curves": {
            "steps": [
                {"at": 4, "kernel_distance": leaf(0.09, 0.01), "seconds_per_picture": 0.02},
                {"at": 28, "kernel_distance": leaf(0.013, 0.001), "seconds_per_picture": 0.1},
                {"at": 100, "kernel_distance": leaf(0.012, 0.001), "seconds_per_picture": 0.4},
            ],
            "sampler": [{"at": "ddpm", "follows": leaf(0.6, 0.02)}],
        },
        "notes": ["Peer figures were left out: 8 < 10 pictures"],
    }


def small_images() -> dict[str, Image.Image]:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    return {"samples": Image.fromarray(pixels), "odd ones": Image.new("CMYK", (5, 4))}


class Page(HTMLParser):
    """Reads a page; fails where tags do not nest."""

    VOID = ("meta", "img", "br", "hr", "link", "input")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> closes nothing in HTML"
        self.tags.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_self_contained(page: Page) -> None:
    assert not re.search(r"https?://|@import|url\(", page.html)
    for _, attributes in page.tags:
        assert attributes.get("href", "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
        if "src" in attributes:
            assert attributes["src"].startswith("data:image/png;base64,")
    assert not page.all("script")
    assert not page.all("link")
