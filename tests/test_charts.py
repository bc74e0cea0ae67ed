"""Charts stand where their numbers are."""

import re
from xml.etree import ElementTree

import pytest

from imagespace.evaluation.charts import line_chart, row_chart
from imagespace.evaluation.metrics import METRICS, Measured


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


def test_words_below_stand_under_their_places_as_far_as_there_is_room() -> None:
    points = [(at, Measured(0.5)) for at in (0.0, 90.0, 100.0)]
    words = {0.0: "0 min", 90.0: "18 min", 100.0: "20 min"}
    with_words = Chart(line_chart("title", {"a": points}, METRICS["follows"], "x", below=words))
    without = Chart(line_chart("title", {"a": points}, METRICS["follows"], "x"))
    at = {text: (x, y) for x, y, _, text in with_words.texts}
    first, second, _ = (x for x, _ in with_words.points)
    assert (at["0 min"][0], at["18 min"][0]) == (first, second)
    assert at["0 min"][1] == at["18 min"][1] > at["0"][1]
    assert "20 min" not in at  # it would stand on "18 min"
    assert at["x"][1] > at["0 min"][1]
    assert set(at) - {"0 min", "18 min"} == {text for *_, text in without.texts}


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
