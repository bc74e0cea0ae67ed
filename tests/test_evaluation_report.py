"""Reports show the numbers that they were given, and comparisons know noise from difference."""

import base64
import copy
import io
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from imagespace.errors import UserError
from imagespace.evaluation.charts import line_chart, row_chart
from imagespace.evaluation.comparison import compare, comparison_text, holm_threshold, z_score
from imagespace.evaluation.comparison_page import write_comparison
from imagespace.evaluation.metrics import METRICS, Measured, figure
from imagespace.evaluation.report import write_report
from imagespace.evaluation.report_file import read_report

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


def test_a_page_nests_and_needs_nothing_else(tmp_path: Path) -> None:
    images = small_images()
    page = Page(write_report(tmp_path, small_report(), images))
    check_self_contained(page)
    shown = [
        Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2])))
        for image in page.all("img")
    ]
    assert len(shown) == 2
    assert np.array_equal(np.asarray(shown[0]), np.asarray(images["samples"]))
    assert page.all("img")[1]["alt"] == "odd ones"
    for said in (
        "Evaluation of glyphs",
        "2,000 samples",
        "Peer figures were left out: 8 < 10 pictures",
        "imagespace evaluate runs/one --data 'my pictures' --num 2000 --seed 0",
    ):
        assert said in page.text
    # Every heading of a part stands once, and none of them is empty-handed.
    for part in ("Quality", "Prompt following", "Legibility", "Newness", "Curves"):
        assert page.html.count(f"<h2>{part}</h2>") == 1 + (part in ("Quality", "Legibility"))
    assert "Not measured" not in page.text


def test_headlines_are_the_given_numbers(tmp_path: Path) -> None:
    page = Page(write_report(tmp_path, small_report(), {}))
    # (0.013 - 0.001) / (0.301 - 0.001) of the way; its error is sqrt(2) 0.001 / 0.3.
    assert "4.0 % ± 0.5 of the way from real pictures (0 %) to blurred ones" in page.text
    assert "61.0 % ± 1.1 of the drawings have the radical" in page.text
    assert "0 % at most 0.19 % of the samples" in page.text
    assert "72.0 % ± 1.0 is how glyph-like" in page.text
    report = small_report()
    report["legibility"]["glyph_like"]["samples"] = leaf(1.0, 0.0, interval=[0.9981, 1.0])
    assert "100 % at least 99.81 % is how" in Page(write_report(tmp_path, report, {})).text


def test_the_quality_to_read_first_is_the_worst(tmp_path: Path) -> None:
    report = small_report()
    report["quality"]["random"] = copy.deepcopy(report["quality"]["image-text"])
    report["quality"]["random"]["samples"]["kernel_distance"]["value"] = 0.061
    page = Page(write_report(tmp_path, report, {}))
    # (0.061 - 0.001) / (0.301 - 0.001), whichever stands first.
    assert "20.0 % ± 0.5 of the way" in page.text
    assert "in random features: 0.061" in page.text
    assert "4.0 % in image-text features" in page.text


def test_what_curves_follow_is_their_label(tmp_path: Path) -> None:
    report = small_report()
    report["curves"]["steps"][0]["follows"] = leaf(0.6, 0.02)
    for said, label in ((None, "follows the prompt"), ("retrieval R@5", "retrieval R@5")):
        report["curves_follow"] = said
        page = Page(write_report(tmp_path, report, {}))
        # By steps and by sampler.
        assert page.html.count(f"<figcaption>{label}</figcaption>") == 2
        page = Page(write_comparison(tmp_path, [report, report], [{}, {}]))
        assert page.html.count(f"<figcaption>{label} by steps</figcaption>") == 1


def test_words_of_users_stay_words(tmp_path: Path) -> None:
    report = small_report()
    report["model"] = {"name": HOSTILE, "source": HOSTILE, "sha256": HOSTILE}
    report["sampling"] = {"sampler": HOSTILE, HOSTILE: HOSTILE}
    report["notes"], report[HOSTILE] = [HOSTILE], {HOSTILE: leaf(1.0)}
    report["quality"] = {HOSTILE: {HOSTILE: {HOSTILE: leaf(1.0, 0.1)}}}
    report["prompt_following"] = {HOSTILE: {"samples": leaf(0.5), HOSTILE: leaf(0.5)}}
    report["legibility"] = {HOSTILE: {HOSTILE: leaf(0.5)}}
    report["newness"] = {
        "copies": {HOSTILE: {"samples": leaf(0.1), HOSTILE: leaf(0.1)}},
        "loss": {HOSTILE: {"t=1": leaf(1.0), HOSTILE: leaf(1.0)}, "train": {"t=1": leaf(1.0)}},
        HOSTILE: {HOSTILE: leaf(1.0)},
    }
    report["curves"] = {HOSTILE: [{"at": HOSTILE, HOSTILE: leaf(1.0)}], "steps": [{"at": 1}]}
    images = {HOSTILE: Image.new("L", (2, 2))}
    page = Page(write_report(tmp_path, report, images))
    check_self_contained(page)
    assert f"Evaluation of {HOSTILE}" in page.text
    assert len(page.all("img")) == 1
    other = copy.deepcopy(report) | {"model": {"source": HOSTILE + "2"}, "seed": HOSTILE}
    other["command"] = report["curves_follow"] = HOSTILE
    page = Page(write_comparison(tmp_path, [report, other], [images, {}]))
    check_self_contained(page)
    assert len(page.all("img")) == 1


def places(tree: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The path of everything in a tree of dicts and lists."""
    found = [path] if path else []
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for name, value in inner:
        below = (*path, name)
        found += places(value, below) if isinstance(value, dict | list) else [below]
    return found


def test_any_part_may_be_absent_or_odd(tmp_path: Path) -> None:
    report, odds = small_report(), (None, "words", -5, [1, {"at": []}], {"more": {}})
    for number, path in enumerate(places(report)):
        for odd in ("absent", odds[number % len(odds)]):
            changed = copy.deepcopy(report)
            parent = changed
            for name in path[:-1]:
                parent = parent[name]
            if odd == "absent":
                del parent[path[-1]]
            else:
                parent[path[-1]] = odd
            html = write_report(tmp_path, changed, {}).read_text(encoding="utf-8")
            assert "How to repeat it" in html, path
    for name in list(report):
        del report[name]
        assert "How to repeat it" in Page(write_report(tmp_path, report, {})).text
    page = Page(write_report(tmp_path, {"format": "imagespace-evaluation-1"}, {}))
    assert page.text.count("Not measured.") == 4


def test_what_is_unknown_is_shown(tmp_path: Path) -> None:
    report = small_report() | {"beauty": {"symmetry": leaf(0.25, 0.02)}}
    report["quality"]["image-text"]["sketches"] = {"sliced_distance": leaf(7.5, 0.3)}
    page = Page(write_report(tmp_path, report, {"sketch": Image.new("F", (3, 3))}))
    for said in ("beauty.symmetry 0.25 ± 0.02", "sketches", "sliced distance", "7.5 ± 0.3"):
        assert said in page.text
    assert page.all("img")[0]["alt"] == "sketch"


@pytest.mark.parametrize(
    ("value", "error", "is_share", "expected"),
    [
        (0.01234, 0.00081, False, "0.0123 ± 0.0008"),
        (0.01234, 0.00123, False, "0.0123 ± 0.0012"),
        (0.5213, 0.0112, True, "52.1 ± 1.1 %"),
        (0.5213, 0.0231, True, "52 ± 2 %"),
        (-0.00004, 0.0003, False, "0.0000 ± 0.0003"),
        (123456.7, 2345.0, False, "123,457 ± 2,345"),
        (0.25, None, True, "25.0 %"),
        (0.0, 0.0, True, "0 %"),
    ],
)
def test_numbers_are_rounded_by_their_error(
    value: float, error: float | None, is_share: bool, expected: str
) -> None:
    assert figure(Measured(value, error), is_share) == expected


class Chart:
    """Reads where an SVG chart put its marks, by nothing but its tick labels."""

    def __init__(self, html: str) -> None:
        root = ElementTree.fromstring(re.search(r"<svg.*</svg>", html).group())
        self.width = float(root.get("viewBox").split()[2])
        self.points = [
            tuple(map(float, re.findall(r"-?[\d.]+", mark.get("transform"))))
            for mark in root.iter("path")
        ]
        self.whiskers = self._lines(root, "whisker")
        self.marks = self._lines(root, "mark")
        self.bars = [float(bar.get("width")) for bar in root.iter("rect")]
        self.texts = [
            (float(t.get("x")), float(t.get("y")), t.get("text-anchor"), t.text)
            for t in root.iter("text")
        ]

    @staticmethod
    def _lines(root: ElementTree.Element, kind: str) -> list[list[float]]:
        return [
            [float(line.get(end)) for end in ("x1", "y1", "x2", "y2")]
            for line in root.iter("line")
            if line.get("class").split()[0] == kind
        ]

    def ticks(self, anchor: str) -> list[tuple[float, float]]:
        """(position, number) of the numeric labels on the x ("middle") or y ("end") axis."""
        found = []
        for x, y, how, text in self.texts:
            if how == anchor and re.fullmatch(r"[\d.]+(e-\d+)?( %)?", text):
                number = float(text.removesuffix(" %")) / (100 if text.endswith("%") else 1)
                # Labels of the y axis hang 4 below their line.
                found.append((x if anchor == "middle" else y - 4, number))
        return sorted(found)


def read_off(ticks: list[tuple[float, float]], position: float, is_log: bool) -> float:
    """The number at a position, interpolated between the outermost ticks."""
    (p, first), (q, last) = ticks[0], ticks[-1]
    share = (position - p) / (q - p)
    return first * (last / first) ** share if is_log else first + share * (last - first)


@pytest.mark.parametrize(
    ("values", "is_log"), [([0.012, 0.03, 0.021], False), ([0.0031, 0.5, 0.04], True)]
)
def test_a_line_goes_through_its_numbers(values: list[float], is_log: bool) -> None:
    errors = [0.05 * value for value in values]
    points = [
        (at, Measured(v, e)) for at, v, e in zip((2.0, 5.0, 11.0), values, errors, strict=True)
    ]
    metric = METRICS["kernel_distance"]
    chart = Chart(line_chart("title", {"a": points}, metric, "steps", used=5.0))
    up, across = chart.ticks("end"), chart.ticks("middle")
    assert [number for _, number in across] == [2, 5, 11]
    assert [y for y, _ in up] == sorted(y for y, _ in up)
    assert [number for _, number in up] == sorted((number for _, number in up), reverse=True)
    for (x, y), value, error, whisker in zip(
        chart.points, values, errors, chart.whiskers, strict=True
    ):
        assert read_off(up, y, is_log) == pytest.approx(value, rel=0.005)
        assert read_off(up, whisker[1], is_log) == pytest.approx(value - 1.96 * error, rel=0.005)
        assert read_off(up, whisker[3], is_log) == pytest.approx(value + 1.96 * error, rel=0.005)
        assert whisker[0] == whisker[2] == x
    (first, _), (second, _), (third, _) = chart.points
    assert (second - first) / (third - first) == pytest.approx(3 / 9, abs=0.001)
    assert chart.marks[0][0] == chart.marks[0][2] == second


def test_steps_that_lie_far_apart_stand_at_their_logarithms() -> None:
    points = [(at, Measured(0.5)) for at in (4.0, 40.0, 400.0)]
    chart = Chart(line_chart("title", {"a": points}, METRICS["follows"], "steps"))
    (first, _), (second, _), (third, _) = chart.points
    assert second - first == pytest.approx(third - second, abs=0.02)
    assert [y for _, y in chart.points] == [chart.points[0][1]] * 3
    assert read_off(chart.ticks("end"), chart.points[0][1], False) == pytest.approx(0.5)


def test_a_scale_holds_floor_and_noise() -> None:
    rows = {
        "samples": Measured(0.0123, 0.001),
        "real": Measured(-0.0001, 0.0004),
        "blurred": Measured(0.31, 0.006),
        "noise": Measured(4.1, 0.02),
    }
    chart = Chart(row_chart("title", rows, METRICS["kernel_distance"]))
    across = chart.ticks("middle")
    at = dict(zip(rows, (x for x, _ in chart.points), strict=True))
    for name in ("samples", "blurred", "noise"):
        assert read_off(across, at[name], is_log=True) == pytest.approx(rows[name].value, rel=0.01)
    # The floor is not above zero: it stands before the scale, at a label that says so.
    (below,) = [(x, text) for x, _, _, text in chart.texts if text.startswith("<")]
    assert below == (at["real"], "<0.0005")
    assert at["real"] < across[0][0] < at["samples"]
    (floor,) = [whisker for whisker in chart.whiskers if whisker[0] == at["real"]]
    upper = -0.0001 + 1.96 * 0.0004
    assert read_off(across, floor[2], is_log=True) == pytest.approx(upper, rel=0.01)
    assert all(0 <= x <= chart.width for x, _ in chart.points)


def test_bars_are_as_long_as_their_shares() -> None:
    rows = {"samples": Measured(0.61, 0.01), "real": Measured(0.95), "noise": Measured(0.0)}
    chart = Chart(row_chart("title", rows, METRICS["follows"], ("chance", 0.25)))
    (zero, _), (one, _) = chart.ticks("middle")[0], chart.ticks("middle")[-1]
    assert [length / (one - zero) for length in chart.bars] == pytest.approx(
        [0.61, 0.95, 0], abs=1e-3
    )
    assert (chart.marks[0][0] - zero) / (one - zero) == pytest.approx(0.25, abs=1e-3)
    assert "chance 25 %" in [text for *_, text in chart.texts]


@pytest.mark.parametrize(
    "values",
    [
        [0.0],
        [0.0, 0.0],
        [-3.0, -2.0],
        [1e-9, 1e9],
        [-1e-5, 1e-5],
        [5.0],
        [1e12, 1.0000001e12],
        [0, 1e3],
    ],
)
def test_every_number_has_a_place(values: list[float]) -> None:
    rows = {str(i): Measured(value, abs(value) / 3) for i, value in enumerate(values)}
    points = {"a": [(float(i), value) for i, value in enumerate(rows.values())]}
    metric = METRICS["kernel_distance"]
    for html in (row_chart("title", rows, metric), line_chart("title", points, metric, "x")):
        chart = Chart(html)
        assert len(chart.points) == len(values)
        assert all(0 <= x <= chart.width and 0 <= y < 300 for x, y in chart.points)


def test_a_report_reads_back_as_it_was(tmp_path: Path) -> None:
    report = small_report()
    report["model"]["name"] = "魚 – fish"
    write_report(tmp_path, report, small_images())
    assert read_report(tmp_path) == read_report(tmp_path / "report.json") == report
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


def two_reports() -> tuple[dict[str, object], dict[str, object]]:
    other = small_report()
    other["model"] = {"source": "runs/two", "name": "glyphs", "sha256": "4567"}
    return small_report(), other


def test_z_scores_are_those_of_the_definition() -> None:
    # 0.04 / sqrt(0.03^2 + 0.04^2) = 0.04 / 0.05.
    assert z_score(Measured(0.50, 0.03), Measured(0.46, 0.04)) == pytest.approx(0.8)
    assert z_score(Measured(0.46, 0.04), Measured(0.50, 0.03)) == pytest.approx(-0.8)
    assert z_score(Measured(1.0, 0.0), Measured(1.0, 0.0)) == 0
    assert z_score(Measured(2.0, 0.0), Measured(1.0, 0.0)) == math.inf
    assert z_score(Measured(2.0, None), Measured(1.0, 0.1)) is None


def test_no_hits_among_many_are_no_certainty() -> None:
    some = Measured(20 / 2000, (0.01 * 0.99 / 2000) ** 0.5)
    # Wilson's interval of 0 of n is [0, z^2 / (n + z^2)]: with z = 1.96 it spans 0.0019171.
    expected = -0.01 / math.hypot(0.0019171 / 3.9199, 0.0022249)
    none = Measured(0.0, 0.0, (0.0, 0.0019171))
    assert z_score(none, some) == pytest.approx(expected, rel=1e-4)
    assert z_score(Measured(0.0, None, none.interval), some) == z_score(none, some)
    assert expected == pytest.approx(-4.39, abs=0.005)
    # One of 2,000 is no more than chance makes of none; and all of them mirror none of them.
    one = Measured(1 / 2000, (0.0005 * 0.9995 / 2000) ** 0.5)
    assert abs(z_score(none, one)) < 1
    mirrored = z_score(Measured(1.0, 0.0, (1 - 0.0019171, 1.0)), Measured(0.99, some.error))
    assert mirrored == pytest.approx(-expected, rel=1e-4)


def test_holm_goes_down_step_by_step() -> None:
    # Two-sided normal quantiles at 5 % / 3, / 2 and / 1.
    first, second, third = 2.3940, 2.2414, 1.9600
    for scores, expected in (
        ([2.5, -2.3, 1.97], third),  # all three pass, where Bonferroni would pass one
        ([2.5, 2.2, 2.1], second),  # the second fails, so the third is not asked
        ([-2.39, 2.39, 2.39], first),
        ([1.5], third),
        ([], third),
        ([math.inf, 0.0], third),
    ):
        threshold = holm_threshold(scores)
        assert threshold == pytest.approx(expected, abs=1e-4)
    passed = [abs(score) > holm_threshold([2.5, 2.2, 2.1]) for score in (2.5, 2.2, 2.1)]
    assert passed == [True, False, False]


def test_equal_models_are_rarely_told_apart() -> None:
    random = np.random.default_rng(0)
    families = random.normal(size=(4000, 30))
    alarms = np.mean([np.abs(scores).max() > holm_threshold(scores) for scores in families])
    # 5 %, and four standard errors of a share among 4,000.
    assert abs(alarms - 0.05) < 4 * (0.05 * 0.95 / 4000) ** 0.5


def test_differences_beyond_the_noise_are_found_with_their_direction() -> None:
    one, two = two_reports()
    two["quality"]["image-text"]["samples"]["kernel_distance"]["value"] = 0.023  # z = -7.07
    two["prompt_following"]["radical"]["samples"]["value"] = 0.75  # z = -9.0
    two["newness"]["nearest_ratio"]["pixels"]["samples"]["value"] = 0.8  # z = 39.6, no direction
    two["legibility"]["glyph_like"]["samples"]["value"] = 0.73  # z = -0.71
    comparison = compare([one, two])
    found = {difference.path: difference for difference in comparison.differences}
    kernel = found["quality.image-text.samples.kernel_distance"]
    assert kernel.z_score == pytest.approx(-0.01 / 0.001 / 2**0.5)
    row = comparison.figures[("quality", "image-text", "samples", "kernel_distance")]
    assert [measured.value for measured in row] == [0.013, 0.023]
    exceeding = {path for path, difference in found.items() if difference.exceeds_noise}
    assert exceeding == {
        "quality.image-text.samples.kernel_distance",
        "prompt_following.radical.samples",
        "newness.nearest_ratio.pixels.samples",
    }
    for path, said in {
        ("quality", "image-text", "samples", "kernel_distance"): "one better than two (z 7.1)",
        ("prompt_following", "radical", "samples"): "two better than one (z 9.0)",
        ("newness", "nearest_ratio", "pixels", "samples"): "one higher than two (z 39.6)",
        ("legibility", "glyph_like", "samples"): "within the noise",
    }.items():
        assert comparison.verdict(path) == said
    # Two-sided, 5 % over what is left when the three largest of 14 have passed.
    assert len(found) == 14
    assert comparison.threshold == pytest.approx(2.838, abs=1e-3)


def test_what_is_no_models_is_no_difference_of_models() -> None:
    one, two = two_reports()
    two["quality"]["image-text"]["blurred"]["kernel_distance"]["value"] = 0.5
    comparison = compare([one, two])
    assert not any(difference.exceeds_noise for difference in comparison.differences)
    assert not any("blurred" in difference.path for difference in comparison.differences)
    (note,) = [note for note in comparison.notes if "judged alike" in note]
    assert "quality.image-text.blurred.kernel_distance" in note


def test_three_models_are_compared_in_pairs() -> None:
    one, two = two_reports()
    three = copy.deepcopy(one) | {"model": {"source": "runs/three"}}
    three["prompt_following"]["radical"]["samples"]["value"] = 0.9
    del three["legibility"], two["newness"]["copies"]["pixels"]["samples"]["error"]
    del two["newness"]["copies"]["pixels"]["samples"]["interval"]
    two["newness"]["copies"]["pixels"]["samples"].update(value=0.004, num=None)
    comparison = compare([one, two, three])
    assert comparison.models == ["one", "two", "three"]
    radical = ("prompt_following", "radical", "samples")
    assert comparison.verdict(radical) == "three better than one (z 18.6), two (z 18.6)"
    assert len(comparison.of(radical)) == 3
    assert len(comparison.of(("legibility", "glyph_like", "samples"))) == 1
    # Without an error of its own, the second's copies are compared with no other's.
    (copies,) = comparison.of(("newness", "copies", "pixels", "samples"))
    assert copies.models == ("one", "three")
    assert "legibility.glyph_like is missing from three" in comparison.notes


def test_what_cannot_be_compared_is_refused() -> None:
    one, two = two_reports()
    with pytest.raises(UserError, match="needs two"):
        compare([one])
    for changed, said in (
        ({"data": {"key": "xyz"}}, "different pictures: data key abc and xyz"),
        ({"data": {}}, "different pictures"),
        ({"num_real": 500}, "different numbers of real pictures: 2000 and 500"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            compare([one, two, two | changed])
        assert "report 3" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_figures_of_two_judges_are_no_difference_of_models(tmp_path: Path) -> None:
    one, two = two_reports()
    judges = {"image-text": "aa", "radical": "bb", "reader": "cc"}
    one["judges"], two["judges"] = judges, judges
    assert len(compare([one, two]).differences) == 14
    for changed, gone in (
        ("image-text", {"quality", "prompt_following.retrieval"}),
        ("radical", {"prompt_following.radical", "prompt_following.nouns"}),
        ("reader", {"legibility"}),
    ):
        two["judges"] = judges | {changed: "other"}
        comparison = compare([one, two])
        left = {".".join(path) for path in comparison.figures}
        whole = {".".join(path) for path in compare([one, one]).figures}
        assert whole - left == {path for path in whole if path.startswith(tuple(gone))}
        assert f"{changed} is not the same in all reports: what it judges is left out" in (
            comparison.notes
        )
        page = Page(write_comparison(tmp_path, [one, two], [{}, {}]))
        assert "Curves" not in page.text
    # A judge that one of them had not is no other judge.
    del two["judges"]["reader"], two["legibility"]
    assert not any(note.startswith("reader") for note in compare([one, two]).notes)


def test_other_seeds_and_counts_are_noted() -> None:
    one, two = two_reports()
    assert compare([one, two]).notes == []
    two |= {"seed": 5, "num_samples": 500, "sampling": {"sampler": "ddim", "num_steps": 28}}
    two["model"]["sha256"] = "0123"
    assert compare([one, two]).notes == [
        "sampler differs: one ddpm, two ddim",
        "guidance differs: one 3.0, two None",
        "num samples differs: one 2000, two 500",
        "seed differs: one 0, two 5",
        "one and two are the same weights",
    ]


def test_models_of_one_name_are_told_apart() -> None:
    one, two = two_reports()
    for sources, labels in (
        (["a/run", "b/run"], ["a/run", "b/run"]),
        (["run", "run"], ["run [1]", "run [2]"]),
        (["real", "noise"], ["real [1]", "noise [2]"]),
    ):
        for report, source in zip((one, two), sources, strict=True):
            report["model"]["source"] = source
        assert compare([one, two]).models == labels


def test_the_table_lines_up_and_marks_what_counts() -> None:
    one, two = two_reports()
    two["prompt_following"]["radical"]["samples"]["value"] = 0.75
    comparison = compare([one, two])
    lines = comparison_text(comparison).splitlines()
    starts = [lines[0].index(model) for model in ("one", "two")]
    table = lines[1 : 1 + len(comparison.differences)]
    assert len(table) == 14
    for start in starts:
        assert all(line[start - 1] == " " and line[start] != " " for line in table)
    marked = [line.split()[1] for line in table if line.startswith("* ")]
    assert marked == ["prompt_following.radical.samples"]
    assert sum(line.endswith("within the noise") for line in table) == 13
    assert any(
        re.search(r"61\.0 ± 1\.1 % +75\.0 ± 1\.1 % +two better than one \(z 9\.0\)$", line)
        for line in table
    )
    assert lines[15].startswith("1 of 14 differences exceed the noise")


def test_a_comparison_page_shows_models_side_by_side(tmp_path: Path) -> None:
    one, two = two_reports()
    two["prompt_following"]["radical"]["samples"]["value"] = 0.75
    two["newness"]["bits_per_dimension"]["unseen"]["value"] = 6.5
    two["command"] = "imagespace evaluate runs/two --num 2000"
    images = [small_images(), small_images()]
    path = write_comparison(tmp_path / "new", [one, two], images)
    assert path == tmp_path / "new" / "comparison.html"
    page = Page(path)
    check_self_contained(page)
    assert [image["alt"] for image in page.all("img")] == ["one", "two", "one", "two"]
    assert "Comparison of one and two" in page.text
    assert "two better than one (z 9.0)" in page.text
    assert f"How to repeat it {one['command']} {two['command']}" in page.text
    assert page.text.count("within the noise") == 12 + len(compare([one, two]).references)
    # The better number of each difference is marked: more right radicals, fewer bits.
    assert re.findall(r'<td class="own">([\d.]+)', page.html) == ["75.0", "6.00"]
    assert json.loads(json.dumps(one)) == one  # and the reports are as they were
    with pytest.raises(UserError, match="data key"):
        write_comparison(tmp_path, [one, two | {"data": {"key": "other"}}], images)
