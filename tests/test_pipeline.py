"""The shipped model draws the same picture whenever it is asked for the same picture."""

import numpy as np
import pytest
import torch
from PIL import Image

import imagespace
from imagespace.diffusion.samplers import SAMPLERS
from imagespace.errors import UserError
from imagespace.pictures.png_settings import read_settings
from imagespace.pipeline import PictureSettings, from_pixels, to_pixels


@pytest.fixture(scope="module")
def model():
    return imagespace.load("glyphs")


def test_alone_or_in_a_batch(model):
    together = model.generate("fish", num=16, seed=3, num_steps=8)
    alone = model.generate("fish", num=1, seed=3 + 11, num_steps=8)
    difference = together.pixels[11].astype(int) - alone.pixels[0].astype(int)
    assert np.abs(difference).max() <= 2
    assert np.abs(together.pixels[10].astype(int) - alone.pixels[0]).max() > 100


def test_walk_ends_where_generate_does(model):
    steps = list(model.walk("tree", seed=5, num_steps=6, sampler="dpmpp_2m"))
    assert [step.index for step in steps] == list(range(6))
    drawn = model.generate("tree", seed=5, num_steps=6, sampler="dpmpp_2m")
    assert np.array_equal(to_pixels(steps[-1].x_next), drawn.pixels)
    # Noise first, a glyph last: nearly all pixels end black or white.
    assert steps[0].x_t.std() == pytest.approx(1, abs=0.05)
    extreme = ((drawn.pixels < 40) | (drawn.pixels > 215)).mean()
    assert extreme > 0.85


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_draws_ink_on_paper(model, sampler):
    # rk45 takes as many substeps as it needs.
    num_steps = 2 if sampler == "rk45" else 24
    pixels = model.generate("water", num=2, num_steps=num_steps, sampler=sampler).pixels
    assert 0.05 < (pixels < 128).mean() < 0.5
    assert (pixels > 215).mean() > 0.4


def test_prompt_and_negative_prompt_matter(model):
    fish = model.generate("fish", num_steps=8).pixels
    assert not np.array_equal(fish, model.generate("tree", num_steps=8).pixels)
    assert not np.array_equal(fish, model.generate("fish", negative="tree", num_steps=8).pixels)


def test_png_carries_its_settings(model, tmp_path):
    pictures = model.generate(
        ["fish", "a big tree"], num=2, seed=9, num_steps=4, guidance=2.5, sampler="dpmpp_2m"
    )
    path = pictures.save(tmp_path / "sheet.png")
    with Image.open(path) as image:
        parameters = image.info["parameters"].split("\n")
    assert parameters[0] == "fish; a big tree"
    assert "Steps: 4, Sampler: dpmpp_2m, CFG scale: 2.5, Seed: 9" in parameters[-1]
    settings = [PictureSettings.model_validate(one) for one in read_settings(path)[0]]
    assert settings == pictures.settings
    assert [s.seed for s in settings] == [9, 10, 9, 10]
    assert np.array_equal(model.draw(settings).pixels, pictures.pixels)


def test_notebook_display_is_a_png(model):
    assert model.generate("fish", num_steps=2)._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"


def test_pixels_round_trip():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    assert np.array_equal(to_pixels(from_pixels(pixels)), pixels)
    beyond = torch.tensor([[[[-3.0, 3.0]]]])
    assert to_pixels(beyond).flatten().tolist() == [0, 255]


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        ({"num": 0}, "at least one picture"),
        ({"seed": -1}, "seed -1"),
        ({"sampler": "magic"}, "Use one of ddpm, ddim"),
    ],
)
def test_settings_that_make_no_sense(model, call, rule):
    with pytest.raises(UserError, match=rule):
        model.generate("fish", **call)


def test_no_such_model(tmp_path):
    with pytest.raises(UserError, match="Shipped: emoji, glyphs"):
        imagespace.load("glyfs")
    with pytest.raises(UserError, match="without a trained model"):
        imagespace.load(tmp_path)
