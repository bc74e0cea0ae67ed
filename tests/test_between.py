"""Between prompts, noises and pictures; and prompts added with weights."""

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lossless import latent_twin, lossless_autoencoder
from PIL import Image

from imagespace.checkpoints import ModelConfig, save_model
from imagespace.diffusion.composition import Composition
from imagespace.diffusion.exact import ExactGaussian, ExactMixture
from imagespace.diffusion.guidance import Guidance
from imagespace.diffusion.schedule import RectifiedFlow
from imagespace.diffusion.slerp import slerp
from imagespace.errors import UserError
from imagespace.networks.build import build_network
from imagespace.networks.perceptron import PerceptronConfig
from imagespace.pictures.png_settings import read_settings
from imagespace.pipeline import Model, PictureSettings, Stop, Term, load, morph_settings
from imagespace.randomness import generator


def draw(*shape, name="x"):
    return torch.randn(shape, generator=generator(7, name), dtype=torch.float64)


@pytest.fixture(scope="module")
def model(tiny_model):
    """The small model with all of its gates open: a new network's are shut to its words."""
    network = copy.deepcopy(tiny_model.network)
    random = generator(5, "gates")
    for weights in network.parameters():
        if not weights.any():
            weights.copy_(0.1 * torch.randn(weights.shape, generator=random))
    return Model(tiny_model.config, network, tiny_model.encoder, "4567", "tiny")


@pytest.fixture(scope="module", params=["pixels", "latents"])
def of_either(request, model, tiny_run):
    """The model, and its twin among whitened latents."""
    if request.param == "pixels":
        return model
    return latent_twin(tiny_run, model, lossless_autoencoder(mean=0.4, std=0.7))[1]


def test_the_arc_keeps_the_norm_and_turns_evenly():
    a, b = draw(5, 3, 4, name="a"), draw(5, 3, 4, name="b")
    b = b * (a.flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).view(5, 1, 1)
    norm = a.flatten(1).norm(dim=1)
    whole = torch.nn.functional.cosine_similarity(a.flatten(1), b.flatten(1)).acos()
    for share in (0.25, 0.5, 0.9):
        point = slerp(a, b, share).flatten(1)
        torch.testing.assert_close(point.norm(dim=1), norm)
        turned = torch.nn.functional.cosine_similarity(a.flatten(1), point).acos()
        torch.testing.assert_close(turned, share * whole)


def test_the_arc_ends_bit_for_bit_and_shares_differ_in_a_batch():
    a, b = draw(3, 6, name="a").float(), draw(3, 6, name="b").float()
    found = slerp(a, b, torch.tensor([0.0, 0.5, 1.0]))
    assert torch.equal(found[0], a[0])
    assert torch.equal(found[2], b[2])
    right_angle = slerp(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 4.0]]), 0.5)
    torch.testing.assert_close(right_angle, torch.full((1, 2), 3 / math.sqrt(2)))
    torch.testing.assert_close(slerp(a, 2 * a, 0.5), 1.5 * a)  # one direction: a straight line
    with pytest.raises(ValueError, match="opposite"):
        slerp(a, -a, 0.5)


def test_a_weight_of_one_is_guidance_alone():
    schedule = RectifiedFlow()
    mixture = ExactMixture(schedule, draw(3, 4, name="m"), torch.full((3,), 0.3).double())
    none = ExactGaussian(schedule, draw(4, name="n"), 0.7)
    x, t = draw(6, 4), torch.tensor(0.6, dtype=torch.float64)
    composed = Composition([mixture], torch.ones(1, 6), none)
    plain, through = (Guidance(good, none, 3.0)(x, t) for good in (mixture, composed))
    assert torch.equal(plain, through)


def test_composed_gaussians_are_a_gaussian():
    """N(m_1, s) + N(m_2, s) - N(m_3, s) over N(m_0, s) is N(m_1 + m_2 - m_3, s): Gaussians of one
    width differ in x0_hat by the share 1 - alpha gain of their means' difference.
    """
    schedule, std = RectifiedFlow(), 0.4
    means = draw(4, 5, name="means")
    none, *parts = (ExactGaussian(schedule, mean, std) for mean in means)
    weights = torch.tensor([[1.0], [1.0], [-1.0]], dtype=torch.float64).expand(3, 8)
    x, t = draw(8, 5), torch.tensor(0.3, dtype=torch.float64)
    expected = ExactGaussian(schedule, means[1] + means[2] - means[3], std)
    # The weights sum to 1, so that m_0 cancels; at 1.0 and 0.5 it stays with -0.5.
    torch.testing.assert_close(Composition(parts, weights, none)(x, t), expected(x, t))
    two = Composition(parts[:2], torch.tensor([1.0, 0.5]).double()[:, None].expand(2, 8), none)
    mean = means[1] + 0.5 * means[2] - 0.5 * means[0]
    torch.testing.assert_close(two(x, t), ExactGaussian(schedule, mean, std)(x, t))


def test_each_picture_of_a_batch_has_its_own_weights():
    schedule = RectifiedFlow()
    means = draw(2, 3, name="means")
    none = ExactGaussian(schedule, torch.zeros(3, dtype=torch.float64), 0.5)
    parts = [ExactGaussian(schedule, mean, 0.5) for mean in means]
    x, t = draw(3, 3), torch.tensor(0.5, dtype=torch.float64)
    shares = torch.tensor([[1.0, 0.25, 0.0], [0.0, 0.75, 1.0]], dtype=torch.float64)
    found = Composition(parts, shares, none)(x, t)
    assert torch.equal(found[0], parts[0](x, t)[0])
    assert torch.equal(found[2], parts[1](x, t)[2])
    torch.testing.assert_close(found[1], 0.25 * parts[0](x, t)[1] + 0.75 * parts[1](x, t)[1])


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_stops_are_the_plain_drawings_bit_for_bit(of_either, sampler):
    model = of_either
    stops = [Stop("a disc", 3), Stop("a square", 8), Stop("a square", 9)]
    frames = model.draw(morph_settings(model, stops, 4, sampler=sampler))
    assert len(frames) == 7
    for at, stop in zip((0, 3, 6), stops, strict=True):
        alone = model.generate(stop.prompt, seed=stop.seed, sampler=sampler)
        assert np.array_equal(frames.pixels[at], alone.pixels[0])
    for first, second in zip(frames.pixels, frames.pixels[1:], strict=False):
        assert not np.array_equal(first, second)


def test_two_pictures_come_back_at_the_ends(of_either, tmp_path):
    model = of_either
    files = []
    for number in range(2):
        pixels = np.full((16, 16), 235, np.uint8)
        pixels[4 + 2 * number : 12, 3:13] = 40 + 30 * number
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(files[-1])
    stops = [Stop("a disc", 0, files[0]), Stop("", 0, files[1])]
    frames = model.draw(morph_settings(model, stops, 3, num_steps=20)).pixels
    for end, file in ((0, files[0]), (-1, files[1])):
        difference = frames[end][:, :, 0].astype(int) - np.asarray(Image.open(file)).astype(int)
        assert np.abs(difference).max() <= 6
    assert np.abs(frames[1].astype(int) - frames[0]).max() > 20


def test_a_strip_is_drawn_again_from_its_settings(model, tmp_path):
    pictures = model.draw(morph_settings(model, [Stop("a disc"), Stop("a line")], 4))
    stored, only = read_settings(pictures.save(tmp_path / "strip.png"))
    again = model.draw([PictureSettings.model_validate(one) for one in stored])
    assert only is None
    assert np.array_equal(again.pixels, pictures.pixels)
    with Image.open(tmp_path / "strip.png") as image:
        assert "a disc; a disc :0.666667 AND a line :0.333333;" in image.info["parameters"]


def test_terms_change_the_picture_and_none_do_not(model):
    plain = model.generate("a disc", guidance=2.0).pixels
    added = model.generate("a disc", guidance=2.0, terms=[Term(prompt="a line", weight=1)])
    taken = model.generate("a disc", guidance=2.0, terms=[Term(prompt="a line", weight=-0.5)])
    assert added.settings[0].weights == {"a disc": 1, "a line": 1}
    assert taken.settings[0].formula == "a disc - 0.5 a line"
    assert not np.array_equal(added.pixels, plain)
    assert not np.array_equal(taken.pixels, added.pixels)


def saved(model, file):
    about = {"text_fingerprint": model.encoder.fingerprint if model.encoder else ""}
    save_model(file, model.network.state_dict(), model.config.model_copy(update=about))
    return file


def test_a_model_without_text_leaves_out_the_prompts_that_pictures_bring(model, tmp_path, printed):
    """Nobody gave them, so that no refusal may name them."""
    network = model.config.network.model_copy(update={"max_text_tokens": 0})
    config = model.config.model_copy(update={"network": network})
    wordless = Model(config, build_network(network), None, "89ab", "wordless")
    saved(wordless, tmp_path / "wordless.safetensors")
    for number in range(2):
        model.generate("a disc", seed=number).save(tmp_path / f"{number}.png")
    words = ("morph", "0.png", "1.png", "--model", "wordless.safetensors", "--frames", 3)
    printed(*words, "--steps", 2, "--out", "strip.png")
    stored, _ = read_settings(tmp_path / "strip.png")
    assert [one["prompt"] for one in stored] == [""] * 3
    assert [Path(one["start"]["picture"]).name for one in stored] == ["0.png", "0.png", "1.png"]


def test_the_command_morphs_and_films(model, tmp_path, printed):
    drawing = load(saved(model, tmp_path / "m.safetensors"))
    stops = ("a disc", "a square", "a line")
    words = ("morph", *stops, "--seed", 3, "--seed", 4, "--seed", 5, "--frames", 4, "--steps", 2)
    words += ("--model", "m.safetensors", "--out", "strip.png", "--film", "film.gif")
    first, second = printed(*words).out.splitlines()
    assert first == "film.gif"
    assert second.startswith("strip.png  (7 pictures in ")
    stored, _ = read_settings(tmp_path / "strip.png")
    assert [one["prompt"] for one in stored[::3]] == list(stops)
    with Image.open(tmp_path / "film.gif") as film:
        assert (film.n_frames, film.size) == (7, (256, 256))
        durations = []
        for number in range(7):
            film.seek(number)
            durations.append(film.info["duration"])
            if number in (0, 3, 6):
                alone = drawing.generate(stops[number // 3], seed=3 + number // 3, num_steps=2)[0]
                enlarged = alone.resize((256, 256), Image.Resampling.BICUBIC)
                shown = np.asarray(film.convert("L")).astype(int)
                assert np.abs(shown - np.asarray(enlarged)).mean() < 2  # in 256 colours
    assert durations == [900, 90, 90, 900, 90, 90, 900]


def test_the_command_adds_and_takes_prompts(model, tmp_path, printed):
    drawing = load(saved(model, tmp_path / "m.safetensors"))
    words = ("generate", "a disc", "--num", 2, "--steps", 2, "--guidance", 2, "--seed", 6)
    words += ("--plus", "a line:0.5", "--minus", "a square", "--model", "m.safetensors")
    assert printed(*words, "--out", "both.png").out.startswith("both.png  (2 pictures in ")
    terms = [Term(prompt="a line", weight=0.5), Term(prompt="a square", weight=-1)]
    alike = drawing.generate("a disc", 2, 6, num_steps=2, guidance=2, terms=terms)
    stored, _ = read_settings(tmp_path / "both.png")
    assert stored[0]["terms"] == [one.model_dump() for one in terms]
    sheet = np.asarray(Image.open(tmp_path / "both.png"))
    assert np.array_equal(sheet, np.asarray(alike.grid()))
    plain = drawing.generate("a disc", 2, 6, num_steps=2, guidance=2)
    assert not np.array_equal(alike.pixels, plain.pixels)


def test_impossible_morphs_are_refused(model, tmp_path, refusal):
    config = ModelConfig(network=PerceptronConfig())
    of_points = Model(config, build_network(config.network), None, "", "points")
    with pytest.raises(UserError, match="draws points, not pictures"):
        morph_settings(of_points, [Stop("", 0), Stop("", 1)])
    with pytest.raises(UserError, match="1 stop"):
        morph_settings(model, [Stop("a disc")])
    with pytest.raises(UserError, match="nothing lies between"):
        morph_settings(model, [Stop("a disc"), Stop("a disc")])
    for seed in (-1, 2**63):  # of the second stop too
        with pytest.raises(UserError, match=f"seed {seed}: must be from 0"):
            morph_settings(model, [Stop("a disc", 0), Stop("a disc", seed)])
    with pytest.raises(UserError, match="no such picture"):
        morph_settings(model, [Stop(picture=tmp_path / "a.png"), Stop("", 1, tmp_path / "b.png")])
    with pytest.raises(UserError, match="pictures among prompts"):
        morph_settings(model, [Stop("a disc"), Stop(picture=tmp_path / "a.png")])
    assert "from 2" in refusal("morph", "fish", "bird", "--frames", 1)
    assert "2 stops" in refusal("morph", "fish", "bird", *["--seed", 1] * 3)
    assert "weight -1" in refusal("generate", "fish", "--plus", "fire:-1")
