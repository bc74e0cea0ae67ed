"""Pictures that start from pictures, fields, likelihoods and the lab, as a person runs them."""

import json
import math

import numpy as np
import pytest
from PIL import Image, ImageOps

from imagespace.cli import app
from imagespace.errors import UserError


@pytest.fixture(scope="module")
def horse(tmp_path_factory):
    """A drawn glyph, 128 px grey."""
    folder = tmp_path_factory.mktemp("horse")
    path = folder / "horse.png"
    app(["generate", "horse", "--num", "1", "--out", str(path)], standalone_mode=False)
    return path


def imagespace(*words):
    app([str(word) for word in words], standalone_mode=False)


def grey(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=float)


def psnr_db(one, other):
    return 20 * math.log10(255 / max(1e-9, float(np.sqrt(((one - other) ** 2).mean()))))


def test_inversion_redraws_the_picture(horse, tmp_path):
    words = ("generate", "horse", "--num", 1, "--start", horse, "--invert", "horse")
    imagespace(*words, "--steps", 50, "--guidance", 1, "--out", tmp_path / "same.png")
    assert psnr_db(grey(tmp_path / "same.png"), grey(horse)) >= 35
    words = ("generate", "tree", "--num", 1, "--start", horse, "--invert", "horse")
    imagespace(*words, "--steps", 20, "--guidance", 4, "--out", tmp_path / "tree.png")
    assert psnr_db(grey(tmp_path / "tree.png"), grey(horse)) < 25


def test_strength_says_how_much_stays(horse, tmp_path):
    likeness = []
    for strength in (0.2, 1.0):
        out = tmp_path / f"{strength}.png"
        words = ("generate", "water", "--num", 1, "--start", horse, "--strength", strength)
        imagespace(*words, "--steps", 16, "--out", out)
        likeness.append(psnr_db(grey(out), grey(horse)))
    assert likeness[0] > likeness[1] + 5
    imagespace("generate", "--from", tmp_path / "0.2.png", "--out", tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "0.2.png").read_bytes()


def test_from_refuses_a_start_that_has_changed(horse, tmp_path):
    picture = tmp_path / "start.png"
    with Image.open(horse) as image:
        image.save(picture)
    words = ("generate", "fish", "--num", 1, "--start", picture, "--steps", 4)
    imagespace(*words, "--out", tmp_path / "a.png")
    with Image.open(horse) as image:
        ImageOps.mirror(image).save(picture)
    with pytest.raises(Exception, match="has changed since"):
        imagespace("generate", "--from", tmp_path / "a.png", "--out", tmp_path / "b.png")


def test_mask_keeps_what_is_black(horse, tmp_path):
    mask = Image.new("L", (128, 128), 0)
    mask.paste(255, (0, 0, 64, 128))
    mask.save(tmp_path / "left.png")
    words = ("generate", "fish", "--num", 1, "--start", horse, "--mask", tmp_path / "left.png")
    imagespace(*words, "--steps", 16, "--out", tmp_path / "out.png")
    drawn, before = grey(tmp_path / "out.png"), grey(horse)
    assert np.abs(drawn[:, 64:] - before[:, 64:]).max() <= 1
    assert np.abs(drawn[:, :64] - before[:, :64]).mean() > 5


def test_names_of_other_programs_draw_the_same(tmp_path):
    for name, sampler in (("a", "DPM++ 2M Karras"), ("b", "dpmpp_2m_karras")):
        words = ("generate", "fish", "--num", 1, "--steps", 4, "--sampler", sampler)
        imagespace(*words, "--out", tmp_path / f"{name}.png")
    words = ("generate", "fish", "--num", 1, "--steps", 4, "--sampler", "dpmpp_2m")
    imagespace(*words, "--spacing", "karras", "--out", tmp_path / "c.png")
    imagespace(*words, "--out", tmp_path / "d.png")
    a, b, c, d = ((tmp_path / f"{name}.png").read_bytes() for name in "abcd")
    assert a == b == c
    assert c != d


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Euler a", ("euler_ancestral", None)),
        ("DPM++ 2M SDE Karras", ("dpmpp_2m_sde", "karras")),
        ("sample_dpmpp_2m", ("dpmpp_2m", None)),
        ("k_euler", ("euler", None)),
        ("DPMSolverMultistepScheduler", ("dpmpp_2m", None)),
        ("EulerAncestralDiscreteScheduler", ("euler_ancestral", None)),
        ("FlowMatchEulerDiscreteScheduler", ("euler", None)),
        ("HeunDiscreteScheduler", ("heun", None)),
        ("DDIMScheduler", ("ddim", None)),
        ("DDPM", ("ddpm", None)),
    ],
)
def test_aliases(name, expected):
    from imagespace.diffusion.sampler_names import sampler_named

    assert sampler_named(name) == expected


def test_field_shows_what_gets_darker(horse, tmp_path):
    """At little noise the way back from a noisy picture darkens ink and brightens paper."""
    out = tmp_path / "field.png"
    words = ("field", "horse", "--picture", horse, "--at", 0.5, "--num", 1, "--out", out)
    imagespace(*words)
    with Image.open(out) as sheet:
        pixels = np.asarray(sheet.convert("RGB"), dtype=float)
    gap = (sheet.width - 3 * 128) // 4
    left = 3 * gap + 2 * 128
    signed = pixels[gap : gap + 128, left : left + 128]
    blueness = signed[..., 2] - signed[..., 0]  # blue brightens, orange darkens
    ink = grey(horse) < 128
    assert blueness[ink].mean() < -20
    assert blueness[~ink].mean() > 5


def test_likelihood_prefers_glyphs_to_noise(horse, tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    words = ("likelihood", horse, tmp_path / "noise.png", "--steps", 6, "--probes", 2)
    imagespace(*words)
    lines = capsys.readouterr().out.splitlines()
    glyph, other = (float(line.split("  ")[1].split()[0]) for line in lines)
    assert other > glyph + 20


def test_lab_lists_and_runs(tmp_path, capsys):
    imagespace("lab", "list")
    listed = capsys.readouterr().out
    assert "coin" in listed
    assert "A pinch of noise is needed" in listed
    imagespace("lab", "run", "size", "--quick", "--out", tmp_path / "lab")
    record = json.loads((tmp_path / "lab" / "size.json").read_text())
    assert record["verdict"] in ("holds", "holds partly", "does not hold")
    assert "14,981,1" in record["summary"]
    with Image.open(tmp_path / "lab" / "size.png") as figure:
        assert figure.width > 300
    assert "## size" in (tmp_path / "lab" / "findings.md").read_text()
    # The same again is the lab's own; another seed, or a person's file, is not replaced unasked.
    imagespace("lab", "run", "size", "--quick", "--out", tmp_path / "lab")
    with pytest.raises(UserError, match="add --overwrite"):
        imagespace("lab", "run", "size", "--quick", "--seed", 4, "--out", tmp_path / "lab")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "coin.json").write_text("{}")
    with pytest.raises(UserError, match=r"coin\.json"):
        imagespace("lab", "run", "size", "--quick", "--out", tmp_path / "mine")
    assert not (tmp_path / "mine" / "size.png").exists()


def test_a_mask_of_another_shape_pads_with_what_is_kept(horse, tmp_path):
    """A wide picture is padded to a square; the padding is no place to draw."""
    Image.new("L", (128, 64), 0).save(tmp_path / "black.png")
    words = ("generate", "fish", "--num", 1, "--steps", 4, "--out", tmp_path / "kept.png")
    black = tmp_path / "black.png"
    imagespace(*words, "--start", black, "--mask", black)
    kept = grey(tmp_path / "kept.png")
    assert kept[32:96].max() <= 1
    assert min(kept[:32].min(), kept[96:].min()) >= 254


def test_autoguidance_guides_away_from_the_weaker(tmp_path):
    """Against itself there is nothing to go away from: guidance of any weight changes nothing."""
    import imagespace as package

    model = package.load("glyphs")
    plain = model.generate("fish", num_steps=4, guidance=1.0).pixels
    itself = model.generate("fish", num_steps=4, guidance=3.0, weaker=package.load("glyphs"))
    assert np.abs(plain.astype(int) - itself.pixels).max() <= 1
    assert itself.settings[0].weaker == "glyphs"
