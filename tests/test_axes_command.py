"""`imagespace axes`: what it finds, sweeps, lists and refuses; purity with a known leak."""

import shutil
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from script import script

from imagespace.axes.identity import identity
from imagespace.axes.purity import purity_of, stored_purity
from imagespace.checkpoints import load_model_file, save_model
from imagespace.cli.output import plain_warnings
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import load
from imagespace.pipeline.axis import Axis, load_axis


def some_axis(units: tuple[float, ...] = (1.0, 2.0)) -> Axis:
    return Axis(
        name="brightness",
        model_sha256="0123",
        data_key="",
        num_pictures=2,
        attributes=("brightness", "density"),
        means=(0.0, 0.0),
        units=units,
    )


def test_purity_of_a_generator_with_a_known_leak():
    """Density follows at 0.2 of its unit for each unit of brightness; one picture in four falls."""
    values = torch.arange(-3.0, 4.0)[:, None].expand(7, 4).clone()
    values[4, 0] = values[3, 0] - 0.1
    found = purity_of(some_axis(), torch.stack([values, 2 * 0.2 * values], dim=2))
    assert found.monotone == 0.75
    assert found.moved == pytest.approx((6.0, 1.2), abs=1e-5)
    assert found.leak == pytest.approx(1.2 / 6, abs=1e-5)


def test_an_attribute_that_rises_and_returns_has_strayed_and_not_moved():
    """Density goes up by 0.8 of its unit of 2 and back, in one picture of two by a half."""
    brightness = torch.arange(-3.0, 4.0)[:, None].expand(7, 2)
    arch = torch.tensor([0.0, 0.2, 0.6, 0.8, 0.6, 0.2, 0.0])[:, None] * torch.tensor([1.0, 0.5])
    found = purity_of(some_axis(), torch.stack([brightness, 2 * arch], dim=2))
    assert found.moved == pytest.approx((6, 0), abs=1e-6)
    assert found.drift == pytest.approx((6, (0.8 + 0.4) / 2), abs=1e-6)
    assert found.leak == pytest.approx(0.6 / 6, abs=1e-6)


def test_identity_of_pictures_that_stay_and_of_pictures_that_are_swapped():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), dtype=np.uint8)
    pixels[1, :, ::2] //= 3
    stayed = identity(np.stack([pixels, pixels, pixels]), 1, None, are_glyphs=False)
    swapped = identity(np.stack([pixels[::-1], pixels, pixels[::-1]]), 1, None, are_glyphs=False)
    assert stayed.cosine == pytest.approx(1)
    assert swapped.cosine == pytest.approx(swapped.of_others)
    assert swapped.of_others < 0.5


def test_a_report_is_kept_with_its_axis_and_changes_no_picture(tmp_path):
    axis = some_axis()
    path = tmp_path / "brightness.safetensors"
    values = torch.arange(-3.0, 4.0)[:, None].expand(7, 4)
    found = purity_of(axis, torch.stack([values, 0.2 * values], dim=2))
    axis.save(path)
    assert stored_purity(path) is None
    axis.save(path, found.model_dump_json())
    assert stored_purity(path) == found
    assert load_axis(tmp_path, "brightness", "tiny", "0123").sha256 == axis.sha256
    assert "rises in 100%" in found.summary
    # A direction has no attribute of its own: all of them are told.
    nameless = axis.model_copy(update={"name": "pca-1", "place": "bottleneck"})
    told = purity_of(nameless, torch.stack([values, 0.2 * values], dim=2))
    assert told.monotone is None
    assert "brightness +6.00, density +0.60" in told.summary


def test_the_command_line_turns_a_grey_model_by_no_colour(refusal):
    assert "greenness" in refusal("axes", "find", "glyphs", "--attribute", "greenness")
    assert "exactly one" in refusal("axes", "find", "glyphs")
    assert "exactly one" in refusal(
        "axes", "find", "glyphs", "--attribute", "density", "--unnamed", "pca"
    )
    assert "neither pca nor ica" in refusal("axes", "find", "glyphs", "--unnamed", "svd")
    assert "none of them" in refusal("axes", "find", "--unnamed", "pca", "--of", "words")
    assert "are of --unnamed" in refusal("axes", "find", "--attribute", "density", "--num", 3)
    assert "is an attribute" in refusal(
        "axes", "find", "--words", "ink", "paper", "--name", "brightness"
    )
    told = refusal("axes", "find", "--words", "ink " * 40, "paper")
    assert "is not at most 80 letters" in told  # before a file of that name fails
    assert "NAME=VALUE" in refusal("generate", "fish", "--axis", "brightness")


@pytest.fixture
def in_run(tiny_model, tmp_path, printed):
    """The small model as RUN in `tmp_path`; runs `imagespace WORDS` there: what it printed."""
    named = {"text_fingerprint": tiny_model.encoder.fingerprint}
    (tmp_path / "RUN").mkdir()
    save_model(
        tmp_path / "RUN" / "model.safetensors",
        tiny_model.network.state_dict(),
        tiny_model.config.model_copy(update=named),
    )
    return lambda *words: printed(*words).out


def test_a_sweep_draws_a_row_for_each_prompt_and_a_column_for_each_value(
    in_run, shapes_folder, tmp_path
):
    in_run("axes", "find", "RUN", "--attribute", "brightness", "--data", shapes_folder)
    words = ("RUN", "--axis", "brightness", "--prompt", "a disc", "--prompt", "a line")
    words += ("--seed", 5, "--steps", 2, "--out", "strip.png")
    assert in_run("axes", "sweep", *words) == "strip.png\n"
    drawn = np.asarray(Image.open(tmp_path / "strip.png").convert("L")).astype(int)
    model = load(tmp_path / "RUN")
    plain = model.generate(["a disc", "a line"], 1, 5, num_steps=2).pixels
    turned = model.generate(["a disc", "a line"], 1, 5, num_steps=2, axes={"brightness": 3}).pixels
    # Cells of 48 px, each pixel three times as large, after gaps of 4 px.
    rows = [4, 4 + (drawn.shape[0] - 4) // 2]
    for top, one, other in zip(rows, plain, turned, strict=True):
        cells = [drawn[top : top + 48, 4 + 52 * k : 52 + 52 * k][1::3, 1::3] for k in range(7)]
        assert np.array_equal(cells[3], one[:, :, 0])
        assert np.array_equal(cells[6], other[:, :, 0])
        light = [cell.mean() for cell in cells]
        assert light == sorted(light)
        assert light[6] > light[0] + 20
    assert drawn.shape[1] == 4 + 7 * 52


def test_a_report_of_one_picture_is_listed(in_run, shapes_folder):
    """There are no two pictures to compare: the figure is left out, and not kept as no number."""
    in_run("axes", "find", "RUN", "--attribute", "density", "--data", shapes_folder)
    turned = ("RUN", "--axis", "density", "--prompt", "a disc", "--num", 1, "--steps", 1)
    assert "nan" not in in_run("axes", "report", *turned)
    assert "1 picture from end to end" in in_run("axes", "list", "RUN")


def test_the_benchmark_of_purity_draws_every_prompt_equally_often(
    in_run, shapes_folder, monkeypatch, capsys
):
    """Fewer pictures than prompts were none, and of three prompts a hundred were 99."""
    in_run("axes", "find", "RUN", "--attribute", "density", "--data", shapes_folder)
    prompts = ("a disc", "a square", "a line")
    said = []
    for num in ("2", "4"):
        words = ["axes_purity", "--model", "RUN", "--axis", "density", "--num", num, "--steps", "1"]
        monkeypatch.setattr(sys, "argv", [*words, "--prompts", *prompts])
        script("benchmarks/axes_purity.py").main()
        said.append(capsys.readouterr().out.splitlines()[-1])
    assert said[0].startswith("3 pictures from end to end")
    assert said[1].startswith("6 pictures from end to end")
    assert "7 values, walks of 1 steps" in said[0]


def test_what_every_value_of_a_sweep_warns_of_is_printed_once(capsys):
    with plain_warnings():
        for message in ("no word", "too long", "no word"):
            warnings.warn(message, stacklevel=1)
    told = capsys.readouterr().err.splitlines()
    assert told == ["imagespace: warning: no word", "imagespace: warning: too long"]


def test_other_pictures_than_those_of_the_training_are_warned_of(
    in_run, printed, shapes_folder, tmp_path
):
    """Units and components would silently be those of any folder."""
    fewer = tmp_path / "fewer"
    shutil.copytree(shapes_folder, fewer, ignore=lambda _, names: {".imagespace"} & set(names))
    rows = (fewer / "metadata.jsonl").read_text().splitlines(keepends=True)
    (fewer / "metadata.jsonl").write_text("".join(rows[:60]))
    file = tmp_path / "RUN" / "model.safetensors"
    tensors, config = load_model_file(file)
    trained = config.model_copy(update={"data_key": read_folder(shapes_folder, 16, 1).key})
    told = []
    for about, data in ((config, fewer), (trained, fewer), (trained, shapes_folder)):
        save_model(file, tensors, about)
        words = ("axes", "find", "RUN", "--attribute", "density", "--data", data, "--overwrite")
        told.append(printed(*words).err)
    assert told[0] == told[2] == ""  # not known what it was trained on; the very pictures
    assert told[1].count("\n") == 1
    assert told[1].startswith("imagespace: warning: these are not the very pictures")


def test_no_axis_is_replaced_unasked(in_run, refusal, shapes_folder, tmp_path):
    """Pictures that were drawn with the axis of before could not be drawn again."""
    data = ("--data", shapes_folder)
    for how in (("--attribute", "density"), ("--unnamed", "pca", "--of", "pictures", "--num", 2)):
        in_run("axes", "find", "RUN", *how, *data)
    before = {file.name: file.read_bytes() for file in (tmp_path / "RUN" / "axes").iterdir()}
    assert "--overwrite" in refusal("axes", "find", "RUN", "--attribute", "density", *data)
    told = refusal("axes", "find", "RUN", "--unnamed", "pca", "--of", "pictures", *data)
    assert "axis pca-1-pictures, pca-2-pictures: is in" in told
    after = {file.name: file.read_bytes() for file in (tmp_path / "RUN" / "axes").iterdir()}
    assert after == before
    in_run("axes", "find", "RUN", "--attribute", "density", *data, "--overwrite")


def test_an_axis_of_other_weights_hides_no_other(in_run, shapes_folder, tmp_path):
    in_run("axes", "find", "RUN", "--attribute", "density", "--data", shapes_folder)
    some_axis().save(tmp_path / "RUN" / "axes" / "brightness.safetensors")
    (tmp_path / "RUN" / "axes" / "broken.safetensors").write_bytes(b"axis")
    first, second, third = in_run("axes", "list", "RUN").splitlines()
    assert first == "brightness  cannot be turned: was found with weights 0123, not these"
    assert second == "broken  cannot be turned: is not a whole axis"
    assert third.startswith("density  length of outlines")
