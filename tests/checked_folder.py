"""Folders made for the check before training, and what is asked of its findings."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imagespace.checkup.checkup import Checkup
from imagespace.checkup.recommendation import Speed
from imagespace.cli import main

SPEED = Speed(torch.float32, 1e11)
WORDS = [
    *("red", "blue", "green", "old", "young", "big", "small", "round"),
    *("flat", "dark", "bright", "wet", "dry", "soft", "hard", "cold"),
]


def picture(seed: int, side: int = 64, grey: bool = False) -> Image.Image:
    """Soft random patches: no two seeds look alike."""
    shape = (6, 6) if grey else (6, 6, 3)
    values = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    return Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC)


def caption(number: int) -> str:
    """Distinct for numbers below 256, of words that each occur with many pictures."""
    return f"{WORDS[number % 16]} {WORDS[number // 16]} house"


def healthy(folder: Path, num: int = 120) -> Path:
    """Pictures with captions beside which nothing is to be said but what is said of any set."""
    folder.mkdir()
    rows = []
    for number in range(num):
        picture(number).save(folder / f"{number:03}.png")
        split = "validation" if number % 12 == 0 else "train"
        rows.append({"file_name": f"{number:03}.png", "text": caption(number), "split": split})
    write_rows(folder, rows)
    return folder


def write_rows(folder: Path, rows: list[dict]) -> None:
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def kinds(checkup: Checkup) -> set[str]:
    return {finding.kind for finding in checkup.findings}


def of_kind(checkup: Checkup, kind: str):
    (finding,) = [each for each in checkup.findings if each.kind == kind]
    return finding


def nasty(folder: Path) -> Path:
    """Sidecar captions, and nearly every way in which a file can be of no use."""
    folder.mkdir()
    for number in range(20):
        picture(number).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(caption(number))
    (folder / "19.txt").unlink()
    (folder / "0 bytes.png").write_bytes(b"")
    whole = (folder / "1.png").read_bytes()
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "half.txt").write_text("a half")
    (folder / "words.jpg").write_text("no picture")
    (folder / "lost.txt").write_text("a caption of nothing")
    (folder / "photo.heic").write_bytes(b"x")
    (folder / "README.md").write_text("read me")
    (folder / ".hidden").write_text("x")
    (folder / "deep").mkdir()
    picture(77).save(folder / "deep" / "b.png")
    (folder / "deep" / "loop").symlink_to(folder)
    (folder / "nowhere.png").symlink_to(folder / "gone.png")
    return folder


def run(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["imagespace", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)
