"""A report shows the numbers that it was given, on a page that needs nothing else."""

import base64
import copy
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_report import HOSTILE, Page, check_self_contained, leaf, small_images, small_report

from imagespace.evaluation.comparison_page import write_comparison
from imagespace.evaluation.metrics import Measured, figure
from imagespace.evaluation.report import write_report


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
        by = {"follows": {"figure": said, "judge": "image-text", "fingerprint": "aa"}}
        report["curve_judges"] = {"steps": by, "sampler": by}
        page = Page(write_report(tmp_path, report, {}))
        # By steps and by sampler.
        assert page.html.count(f"<figcaption>{label}</figcaption>") == 2
        page = Page(write_comparison(tmp_path, [report, report], [{}, {}]))
        assert page.html.count(f"<figcaption>{label} by steps</figcaption>") == 1


def test_what_training_read_is_said_as_it_is(tmp_path: Path) -> None:
    report = small_report()
    following = report["prompt_following"]
    claims = ("training never read", "training read")
    text = Page(write_report(tmp_path, report, {})).text.lower()
    assert not any(claim in text for claim in claims)  # the report does not know
    following["prompts"] = {"num": 1819, "num_unread": 1819}
    following["nouns"] |= {"num_read": 20, "real": leaf(0.96, 0.01), "chance": leaf(0.014, 0.0)}
    page = Page(write_report(tmp_path, report, {}))
    assert "The 1,819 prompts are captions that training never read." in page.text
    assert "Of the 20 nouns, training read 20 as captions" in page.text
    assert "chance 1.4 %" in page.text
    assert page.html.count(">prompts<") == 0  # counts are no figures
    following["prompts"]["num_unread"] = following["nouns"]["num_read"] = 0
    text = Page(write_report(tmp_path, report, {})).text
    assert "Training read all of the 1,819 prompts." in text
    assert "The 20 nouns are no captions or senses that training read." in text


def test_a_curve_says_its_knee_and_its_minutes(tmp_path: Path) -> None:
    report = small_report()
    report["curves"]["training"] = [
        {"at": at, "kernel_distance": leaf(0.1, 0.01), "minutes": minutes}
        for at, minutes in ((0, 0.0), (40_000, 6.25), (160_000, 25.04))
    ]
    page = Page(write_report(tmp_path, report, {}))
    said = "as good as the best in kernel distance: 28; the model's own: 28."
    assert f"The least steps that are {said}" in page.text
    assert "6.25 min" in page.text
    assert "25 min" in page.text
    assert "pictures seen in training, and its minutes" in page.text
    # Minutes are where a point is measured, and no figure of their own.
    assert "<figcaption>minutes</figcaption>" not in page.html
    compared = Page(write_comparison(tmp_path, [report, report], [{}, {}]))
    assert "minutes by" not in compared.text


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("pixels", "the squared error of the clean picture, whose pixels are in [-1, 1]"),
        ("latents of autoencoder 0123", "clean picture's whitened latents of autoencoder 0123"),
        (None, "the squared error of the clean sample"),
        (HOSTILE, f"whitened {HOSTILE}"),
    ],
)
def test_losses_have_their_unit(tmp_path: Path, space: str | None, said: str) -> None:
    report = small_report()
    report["newness"]["loss_space"] = space
    page = Page(write_report(tmp_path, report, {}))
    check_self_contained(page)
    assert said in page.text
    del report["newness"]["loss"]
    assert "Loss:" not in Page(write_report(tmp_path, report, {})).text


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
    other["command"] = HOSTILE
    report["curve_judges"] = {"steps": {HOSTILE: {"figure": HOSTILE, "judge": HOSTILE}}}
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
