"""A folder gets the recipe, size, channels and prompts that it calls for."""

import json
from pathlib import Path

import pytest
from PIL import Image

from imagespace.errors import UserError
from imagespace.networks.build import build_network
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.inspection import Inspected
from imagespace.recipes import (
    PictureOptions,
    for_folder,
    picture_config,
    recipe,
    suited_recipe,
    varied,
)
from imagespace.recipes.autoencoder import AutoencoderOptions, autoencoder_config

BUDGET = {"budget_minutes": 1.0, "budget_images": None}
AS_IT_IS = PictureOptions()


def rows(num: int, split: str = "train") -> list[dict]:
    return [{"file_name": "a.png", "text": "a thing", "also": [], "split": split}] * num


def look(side_px: int, has_colour: bool = False) -> Inspected:
    return Inspected(side_px, side_px // 2, "RGB", has_colour)


def folder_of(folder: Path, classes: list[str], size: int, mode: str) -> Path:
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        colour = (200, 30, 30) if mode == "RGB" else 90
        Image.new(mode, (size, size), colour).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("sides", "has_colour", "expected"),
    [
        ([8], False, 8),
        ([5], False, 8),  # nothing smaller is drawn
        ([60, 60, 500], False, 64),  # the median, 4 px short of 64
        ([50, 50], False, 32),
        ([1000], False, 128),
        ([1000], True, 64),
    ],
)
def test_size_is_what_half_of_the_pictures_have(sides, has_colour, expected):
    looks = [look(side, has_colour) for side in sides]
    config = for_folder(recipe("pictures", BUDGET), rows(3), looks)
    network = config.model.network
    assert network.image_size_px == expected
    assert network.num_channels == (3 if has_colour else 1)
    assert network.num_patches == 64


def test_small_sets_are_varied_and_the_network_is_told():
    pictures = recipe("pictures", BUDGET)
    small = for_folder(pictures, rows(19_999), [look(64)])
    large = for_folder(pictures, rows(20_000) + rows(9, "held_out"), [look(64)])
    assert (small.training.augmentation.geometry, large.training.augmentation.geometry) == (0.5, 0)
    assert small.model.network.num_augmentation_labels == 6
    assert "augmentation_in.weight" in build_network(small.model.network).state_dict()
    assert "augmentation_in.weight" not in build_network(large.model.network).state_dict()
    both = varied(small, flip=True).training.augmentation
    assert (both.geometry, both.flip) == (0.5, True)


def test_prompts_are_captions_learnt_and_new():
    learnt = [{"file_name": "a", "text": f"old {n}", "also": [], "split": "train"} for n in "abc"]
    new = [{"file_name": "b", "text": text, "also": [], "split": "held_out"} for text in ("", "x")]
    prompts = for_folder(recipe("pictures", BUDGET), learnt + new, [look(64)])
    assert sorted(prompts.training.sample_prompts) == ["old a", "old b", "old c", "x"]
    again = for_folder(recipe("pictures", BUDGET), new + learnt[::-1], [look(64)])
    assert again.training.sample_prompts == prompts.training.sample_prompts


def test_a_built_set_has_its_own_recipe():
    glyph = {"text": "fish", "code_point": "U+9B5A", "radical": 195, "strokes": 11}
    emoji = {"text": "cat, flat style", "concept": "cat", "style": "x", "family": "cat"}
    assert suited_recipe([glyph, glyph]) == "glyphs"
    assert suited_recipe([emoji]) == "emoji"
    assert suited_recipe([glyph, {"text": "a photo"}]) == "pictures"
    assert suited_recipe([]) == "pictures"


def test_class_folders_make_a_run_of_prompts(tmp_path):
    folder = folder_of(tmp_path, ["red fox", "grey owl"] * 4, 40, "RGB")
    config = picture_config(folder, AS_IT_IS, BUDGET, 7)
    assert (config.recipe, config.training.seed) == ("pictures", 7)
    network = config.model.network
    assert (network.image_size_px, network.num_channels, network.max_text_tokens) == (32, 3, 16)
    assert set(config.training.sample_prompts) <= {"red fox", "grey owl"}
    flipped = PictureOptions(None, 48, "crop", unconditional=True, flip=True, jitter=True)
    config = picture_config(folder, flipped, BUDGET, 7)
    network = config.model.network
    assert (network.image_size_px, network.patch_size_px, network.max_text_tokens) == (48, 6, 0)
    augmentation = config.training.augmentation
    assert (config.model.fit, augmentation.flip, augmentation.colour) == ("crop", True, 0.5)
    assert config.model.sampling.guidance == 1.0


def test_the_dial_sets_the_network_and_nothing_else(tmp_path):
    folder = folder_of(tmp_path, ["red fox", "grey owl"] * 4, 40, "RGB")
    usual = picture_config(folder, AS_IT_IS, BUDGET, 0)
    assert picture_config(folder, PictureOptions(network=6), BUDGET, 0) == usual
    small = picture_config(folder, PictureOptions(network=2), BUDGET, 0)
    assert isinstance(small.model.network, TransformerConfig)
    sizes = [
        sum(p.numel() for p in build_network(one.model.network).blocks.parameters())
        for one in (small, usual)
    ]
    assert sizes[0] < sizes[1] / 10
    shape = {"width": 384, "depth": 3, "num_heads": 6}
    assert small.model.network.model_copy(update=shape) == usual.model.network
    assert small.training == usual.training


def test_impossible_wishes_are_refused(tmp_path):
    folder = folder_of(tmp_path / "numbers", [""] * 6, 16, "L")
    with pytest.raises(UserError, match=r"none of its pictures has a caption.*--unconditional"):
        picture_config(folder, AS_IT_IS, BUDGET, 0)
    for wish, words in (
        (PictureOptions(size=50, unconditional=True), r"--size 50.*8 x 8 patches"),
        (PictureOptions(fit="squash", unconditional=True), r"squash.*no such fit.*pad"),
        (PictureOptions(network=0, unconditional=True), r"--network 0: must be from 1 to 24"),
        (PictureOptions("glyphs", 64, unconditional=True), r"--size 64: the recipe glyphs fixes"),
    ):
        with pytest.raises(UserError, match=words):
            picture_config(folder, wish, BUDGET, 0)


@pytest.mark.parametrize("unconditional", [False, True])
def test_of_a_broken_picture_its_fault_is_told_before_its_missing_caption(tmp_path, unconditional):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"none .* can be read \(.*no picture of a format"):
        picture_config(tmp_path, PictureOptions(unconditional=unconditional), BUDGET, 0)
    with pytest.raises(UserError, match=r"none .* can be read"):
        autoencoder_config(tmp_path, AutoencoderOptions(), BUDGET, 0)


def test_built_glyphs_are_recognised_by_the_command(tmp_path):
    Image.new("L", (16, 16)).save(tmp_path / "a.png")
    row = {"file_name": "a.png", "text": "fish", "code_point": "U+1", "radical": 1, "strokes": 1}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    config = picture_config(tmp_path, AS_IT_IS, BUDGET, 0)
    assert (config.recipe, config.model.network.image_size_px) == ("glyphs", 128)
