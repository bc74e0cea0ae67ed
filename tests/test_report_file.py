"""A report reads back as it was written, and no damaged one is believed."""

import math
from pathlib import Path

import numpy as np
import pytest
from small_report import Page, leaf, small_images, small_report

from imagespace.errors import UserError
from imagespace.evaluation.report import write_report
from imagespace.evaluation.report_file import read_report


def test_a_report_reads_back_as_it_was(tmp_path: Path) -> None:
    report = small_report()
    report["model"]["name"] = "魚 – fish"
    write_report(tmp_path, report, small_images())
    stored = read_report(tmp_path)
    assert stored == read_report(tmp_path / "report.json")
    # 0.013 is within 2 sqrt(2) 0.001 of 0.012; 0.09 is not.
    assert stored.pop("knees") == {
        "steps": {
            "figures": {"kernel distance": [28, 100]},
            "as_good": [28, 100],
            "own": 28,
            "own_is_as_good": True,
        }
    }
    assert stored == report
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert "魚 – fish" in text
    assert text.startswith('{\n "format"')
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_what_json_cannot_hold_is_said(tmp_path: Path) -> None:
    report = small_report()
    report["prompt_following"]["radical"]["samples"] = leaf(math.nan, math.inf)
    report["curves"]["steps"][1]["kernel_distance"]["value"] = np.float32("-inf")
    report["seed"], report["data"]["path"] = np.int64(7), Path("a/b")
    page = Page(write_report(tmp_path, report, {}))
    stored = read_report(tmp_path)  # refuses NaN and Infinity, which are no JSON
    assert stored["prompt_following"]["radical"]["samples"] == {"value": None, "error": None}
    assert (stored["seed"], stored["data"]["path"]) == (7, "a/b")
    assert stored["curves"]["steps"][1]["kernel_distance"]["value"] is None
    assert stored["notes"][-1] == "3 of its numbers are not finite"
    assert "3 of its numbers are not finite" in page.text
    assert "nan" not in page.text.lower().split()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "damaged"),
        (b"\x89PNG\r\n\x1a\n\xff", "damaged"),
        (b'{"format": "imagespace-evaluation-1", "qual', "damaged"),
        (b'{"format": "imagespace-evaluation-1", "seed": NaN}', "damaged"),
        (b"[" * 100_000, "damaged"),
        (b'{"format": "imagespace-evaluation-1", "quality": []}', "its quality is no object"),
        (b'["imagespace-evaluation-1"]', "is no report of the format imagespace-evaluation-1"),
        (b'{"experiment": "coin"}', "is no report of the format"),
        (b'{"format": "imagespace-evaluation-2"}', "is no report of the format"),
    ],
)
def test_foreign_and_damaged_files_are_refused(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        read_report(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("step", ["write_text", "replace"])
def test_a_failed_write_leaves_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    write_report(tmp_path, small_report(), {})
    before = (tmp_path / "report.json").read_bytes()

    def full(self: Path, *arguments: object, **more: object) -> int:
        self.write_bytes(b"{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, step, full)
    with pytest.raises(OSError, match="No space"):
        write_report(tmp_path, small_report() | {"seed": 1}, {})
    assert (tmp_path / "report.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


# --- Comparing -----------------------------------------------------------------------------------
