"""Reports are compared where a difference would be the models', and told why where not."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from small_report import Page, leaf, small_report

from imagespace.cli.evaluate import _check_comparable
from imagespace.errors import UserError
from imagespace.evaluation.comparability import check_comparable, pixels_note
from imagespace.evaluation.comparison import compare, comparison_text
from imagespace.evaluation.comparison_page import write_comparison
from imagespace.evaluation.report_header import header
from imagespace.evaluation.subject import Subject
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import Model


def named(model: Model, name: str, **config: object) -> Model:
    changed = model.config.model_copy(update=config)
    return Model(changed, model.network, model.encoder, name, f"runs/{name}")


def shown(report: dict[str, object], **data: object) -> dict[str, object]:
    """The report with these facts of its pictures."""
    of_one = {"size_px": 64, "num_channels": 1, "fit": "pad", "listing": "same", "unseen": "ones"}
    return report | {"data": {"key": "abc", **of_one, **data}}


def two_reports() -> tuple[dict[str, object], dict[str, object]]:
    other = small_report() | {"model": {"source": "runs/two", "name": "glyphs", "sha256": "4567"}}
    return shown(small_report()), shown(other)


def test_one_folder_at_two_sizes_is_known_before_anything_is_drawn(
    shapes_folder, tiny_model, capsys, monkeypatch
):
    monkeypatch.setattr(Subject, "draw", None)
    small = Subject(named(tiny_model, "small"), read_folder(shapes_folder, 16, 1), 8, 0)
    large = Subject(named(tiny_model, "large"), read_folder(shapes_folder, 32, 1), 8, 0)
    colour = Subject(named(tiny_model, "colour"), read_folder(shapes_folder, 16, 3), 8, 0)
    keys = {subject.pictures.key for subject in (small, large, colour)}
    assert len(keys) == 3
    for other, said in (
        (large, "large draws 32 x 32 px in grey"),
        (colour, "colour draws 16 x 16 px in colour"),
    ):
        _check_comparable([small, other])
        (note,) = capsys.readouterr().out.splitlines()
        assert note.startswith("note: small draws 16 x 16 px in grey, fit pad; ")
        assert said in note
    _check_comparable([small, replace(small, model=named(tiny_model, "again"))])
    assert capsys.readouterr().out == ""
    # A folder of other captions is another folder at any size.
    pictures = replace(large.pictures, captions=["a cat"] * len(large.pictures))
    with pytest.raises(UserError, match="different pictures"):
        _check_comparable([small, replace(large, pictures=pictures)])


def test_pictures_that_are_fitted_otherwise_are_other_pixels(shapes_folder, tiny_model):
    padded = Subject(tiny_model, read_folder(shapes_folder, 16, 1), 8, 0)
    cropped = replace(padded, model=named(tiny_model, "cropped", fit="crop"))
    # Pictures that are square are the same under any fit.
    assert pixels_note([header(padded), header(cropped)]) == ""
    cut = replace(cropped, pictures=replace(padded.pictures, key="of cropped pixels"))
    assert "fit crop" in pixels_note([header(padded), header(cut)])


def test_as_many_unseen_pictures_but_others_are_refused(shapes_folder, tiny_model):
    """A model of prompts leaves out a picture whose caption it cannot read."""
    pictures = read_folder(shapes_folder, 16, 1)
    captions = ["???" if row == 75 else text for row, text in enumerate(pictures.captions)]
    pictures = replace(pictures, captions=captions)
    prompted = Subject(tiny_model, pictures, 4, 0)
    plain = Model(tiny_model.config, tiny_model.network, None, "4567", "plain")
    unprompted = replace(prompted, model=plain)
    assert len(prompted.unseen) == len(unprompted.unseen) == 4
    assert set(prompted.unseen) != set(unprompted.unseen)
    with pytest.raises(UserError, match=r"different unseen pictures.*a caption") as caught:
        check_comparable([header(prompted), header(unprompted)])
    assert "\n" not in str(caught.value)
    # Of all of them it does not matter in what order they come.
    whole = replace(prompted, pictures=read_folder(shapes_folder, 16, 1), num=8)
    check_comparable([header(whole), header(replace(whole, model=plain, seed=1))])


def test_at_two_sizes_what_does_not_depend_on_pixels_is_compared(tmp_path: Path) -> None:
    one, two = two_reports()
    two = shown(two, key="xyz", size_px=128)
    two["quality"]["image-text"]["samples"]["kernel_distance"]["value"] = 9.0
    two["prompt_following"]["radical"]["samples"]["value"] = 0.75
    comparison = compare([one, two])
    assert {path[0] for path in comparison.figures} == {"prompt_following", "legibility"}
    assert {difference.path for difference in comparison.differences} == {
        "prompt_following.radical.samples",
        "prompt_following.retrieval.samples.R@1",
        "prompt_following.nouns.samples",
        "legibility.glyph_like.samples",
    }
    # The others are not in the family either: two-sided, 5 % over what is left after the first.
    assert comparison.threshold == pytest.approx(2.394, abs=1e-3)
    assert comparison.notes[0] == (
        "one draws 64 x 64 px in grey, fit pad; two draws 128 x 128 px in grey, fit pad: quality, "
        "newness and what the image-text space judges are not compared"
    )
    page = Page(write_comparison(tmp_path, [one, two], [{}, {}]))
    assert "two better than one (z 9.0)" in page.text
    assert comparison.notes[0] in page.text
    # Curves of distances are of pixels; following the radical is not.
    by = {
        "kernel_distance": {"judge": "random", "fingerprint": "1-0"},
        "follows": {"figure": "radical", "judge": "radical", "fingerprint": "bb"},
    }
    for report in (one, two):
        report["curves"]["steps"][0]["follows"] = leaf(0.6, 0.02)
        report["curve_judges"] = {"steps": by, "sampler": by}
    page = Page(write_comparison(tmp_path, [one, two], [{}, {}]))
    drawn = re.findall(r"<figcaption>([^<]+) by steps", page.html)
    assert sorted(drawn) == ["radical", "seconds a picture"]
    assert any(
        "kernel distance in random features by steps" in n for n in compare([one, two]).notes
    )


def test_a_comparison_of_nothing_says_so(tmp_path: Path) -> None:
    one, two = two_reports()
    two = shown(two, key="xyz", num_channels=3)
    for report in (one, two):
        del report["prompt_following"], report["legibility"]
    comparison = compare([one, two])
    assert comparison.differences == []
    assert "Nothing that was measured of them can be compared" in comparison_text(comparison)
    page = Page(write_comparison(tmp_path, [one, two], [{}, {}]))
    assert "Nothing that was measured of them can be compared" in page.text
    assert "two draws 64 x 64 px in colour" in page.text
    assert "<h2>Figures</h2>" not in page.html


def test_losses_of_latents_are_not_held_against_losses_of_pixels() -> None:
    one, two = two_reports()
    one["newness"]["loss_space"] = "pixels"
    two["newness"]["loss_space"] = "latents of autoencoder 0123456789ab"
    for band in two["newness"]["loss"]["unseen"].values():
        band["value"] = 40.0
    comparison = compare([one, two])
    assert not any(path[:2] == ("newness", "loss") for path in comparison.figures)
    assert not any(difference.exceeds_noise for difference in comparison.differences)
    assert len(comparison.differences) == 10  # and Holm's family is without them
    assert comparison.notes == [
        "losses are errors in different spaces (one of pixels, two of latents of autoencoder "
        "0123456789ab): left out"
    ]
    # In one space they are compared, and a report without losses is in none.
    two["newness"]["loss_space"] = "pixels"
    assert compare([one, two]).wins(("newness", "loss", "unseen", "t=0.5"))
    del two["newness"]["loss"], two["newness"]["loss_space"]
    assert not any("spaces" in note for note in compare([one, two]).notes)


def test_curves_of_two_judges_share_no_chart(tmp_path: Path) -> None:
    one, two = two_reports()
    for report, fingerprint in ((one, "aa"), (two, "bb")):
        report["curve_judges"] = {
            "steps": {"kernel_distance": {"judge": "imagenet", "fingerprint": fingerprint}}
        }
    page = Page(write_comparison(tmp_path, [one, two], [{}, {}]))
    assert "kernel distance in imagenet features by steps is not compared" in page.text
    assert "<figcaption>kernel distance in imagenet features by steps" not in page.html
    assert "<figcaption>seconds a picture by steps" in page.html
    two["curve_judges"] = one["curve_judges"]
    page = Page(write_comparison(tmp_path, [one, two], [{}, {}]))
    assert "<figcaption>kernel distance in imagenet features by steps" in page.html
