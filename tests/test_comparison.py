"""Comparisons know noise from difference."""

import copy
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from small_report import Page, check_self_contained, small_images, small_report

from imagespace.errors import UserError
from imagespace.evaluation.comparison import compare, comparison_text, holm_threshold, z_score
from imagespace.evaluation.comparison_page import write_comparison
from imagespace.evaluation.metrics import Measured


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
        ({"num_real": 500}, "different numbers of unseen pictures: 2000 and 500"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            compare([one, two, two | changed])
        assert "report 3" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_figures_of_two_judges_are_no_difference_of_models() -> None:
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
