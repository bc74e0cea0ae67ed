"""Diffusion in latents: with an autoencoder that loses nothing it is diffusion in pixels."""

import sys

import numpy as np
import pytest
import torch
from lossless import latent_twin, lossless_autoencoder
from PIL import Image
from script import script

import imagespace
from imagespace.checkpoints import save_model, tensors_sha256, with_autoencoder
from imagespace.diffusion.exact import ExactPictures
from imagespace.errors import UserError
from imagespace.evaluation.newness import loss_space, losses
from imagespace.evaluation.subject import Subject, pictures_of
from imagespace.networks.autoencoder import Autoencoder, ResidualBlock
from imagespace.networks.build import build_network
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import Model, from_pixels, start_from


@pytest.fixture(scope="module")
def pictures(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


@pytest.fixture
def a_picture(shapes_folder):
    return shapes_folder / "0.png"


def psnr(one, other):
    error = (one.astype(float) - other).reshape(len(one), -1)
    return 10 * np.log10(255**2 / max(float((error**2).mean()), 1e-9))


def test_decode_undoes_encode_and_pixels_are_their_own_samples(latent_model, tiny_model, pictures):
    x_0 = from_pixels(pictures.pixels[:5].copy())
    latents = latent_model.encode(x_0)
    assert latents.shape[1:] == latent_model.config.network.sample_shape == (16, 4, 4)
    torch.testing.assert_close(latent_model.decode(latents), x_0, atol=1e-6, rtol=0)
    # Pixel (4i + r, 4j + c) is channel 4r + c at (i, j), whitened.
    torch.testing.assert_close(latents[2, 6, 3, 1], (x_0[2, 0, 13, 6] - 0.4) / 0.7)
    assert tiny_model.encode(x_0) is x_0
    assert tiny_model.decode(x_0) is x_0


def test_many_pictures_are_encoded_in_parts_as_one(latent_model, monkeypatch):
    x = torch.randn(7, 1, 16, 16)
    whole = latent_model.encode(x)
    monkeypatch.setattr("imagespace.pipeline.autoencoding.LARGEST_PIXELS", 3 * 256)
    torch.testing.assert_close(latent_model.encode(x), whole)


def test_over_lossless_latents_the_same_weights_answer_the_same(tiny_model, tiny_run):
    """Patches of pixels and places of latents are the same numbers: so is every answer."""
    _, latent = latent_twin(tiny_run, tiny_model, lossless_autoencoder())
    x_t = torch.randn(3, 1, 16, 16)
    for name in ("direction", "eps", "prompt"):
        answer = latent.field(name, latent.encode(x_t), 0.6, "a square")
        torch.testing.assert_close(
            latent.decode(answer), tiny_model.field(name, x_t, 0.6, "a square"), atol=1e-5, rtol=0
        )


def test_how_a_picture_changes_is_the_derivative_of_its_decoding(latent_model, tiny_model):
    """Of lossless latents with deviation 0.7, the change of pixels is 0.7 times that of latents."""
    x_t = torch.randn(5, 16, 4, 4)
    score = latent_model.field("score", x_t, 0.6)
    plain = lossless_autoencoder()
    torch.testing.assert_close(
        latent_model.decoded_change(x_t, score), plain.decode(0.7 * score), atol=1e-5, rtol=1e-5
    )
    assert tiny_model.decoded_change(x_t, score) is score


def test_the_change_of_a_decoded_picture_is_the_limit_of_its_differences(latent_run, tiny_model):
    """A decoder that bends: (D(x + h v) - D(x - h v)) / 2h errs by h^2."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        bent = Autoencoder(latent_run.model.autoencoder).double()
        for module in bent.modules():
            if isinstance(module, ResidualBlock):  # new ones add nothing
                torch.nn.init.normal_(module.second.weight, std=0.3)
    network = build_network(latent_run.model.network)
    model = Model(latent_run.model, network, tiny_model.encoder, "4567", "latent", bent)
    x, v = torch.randn(2, 3, 16, 4, 4, dtype=torch.float64)
    found = model.decoded_change(x, v)
    errors = [
        ((bent.decode(x + h * v) - bent.decode(x - h * v)) / (2 * h) - found).abs().max().item()
        for h in (0.02, 0.01)
    ]
    assert errors[1] < 1e-3 * found.abs().max()
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)


def test_a_picture_is_the_same_in_any_batch(latent_model):
    many = latent_model.generate(["a square", "a disc"], 3, seed=5)
    alone = latent_model.generate("a disc", 1, seed=7)
    assert np.abs(many.pixels[5].astype(int) - alone.pixels[0]).max() <= 1
    assert np.abs(many.pixels[4].astype(int) - alone.pixels[0]).max() > 10


def test_at_tiny_strength_the_picture_comes_back(latent_model, pictures, a_picture, monkeypatch):
    """Where the denoiser knows the real latents exactly, little noise leads back to the picture."""
    latents = latent_model.encode(from_pixels(pictures.pixels[:].copy()))
    exact = ExactPictures(latent_model.schedule, latents)
    monkeypatch.setattr(latent_model, "guided", lambda settings: exact)
    there = np.asarray(Image.open(a_picture))[None, :, :, None]
    near, far = (
        latent_model.generate("a disc", 4, start=start_from(a_picture, strength=strength)).pixels
        for strength in (0.05, 1.0)
    )
    assert np.abs(near.astype(int) - there).max() <= 1
    # At full strength each is another of the real pictures, chosen by its noise.
    assert psnr(far, there) < 20
    assert all(
        (np.abs(pictures.pixels.astype(int) - one).max(axis=(1, 2, 3)) <= 1).any() for one in far
    )


def test_a_picture_is_redrawn_from_its_own_latent_noise(latent_model, a_picture):
    start = start_from(a_picture, inverted_prompt="a square")
    drawn = latent_model.generate("a square", start=start, guidance=1, num_steps=30)
    there = np.asarray(Image.open(a_picture))[None, :, :, None]
    assert psnr(drawn.pixels, there) > 35


def test_a_mask_keeps_its_black_pixels_exactly(latent_model, a_picture, tmp_path):
    """White at one pixel draws its whole place of the latents, and pastes the rest back."""
    mask = np.zeros((16, 16), np.uint8)
    mask[5, 6], mask[8:, 8:] = 255, 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    start = start_from(a_picture, mask=tmp_path / "mask.png")
    drawn = latent_model.generate("a disc", start=start, guidance=1).pixels[0, :, :, 0]
    there = np.asarray(Image.open(a_picture))
    assert (drawn[mask == 0] == there[mask == 0]).all()
    assert (drawn[8:, 8:] != there[8:, 8:]).mean() > 0.5
    _, places = latent_model.start_samples(start)
    assert places[0].tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]


def test_a_model_file_draws_without_its_autoencoder(latent_model, autoencoder, tmp_path):
    file = tmp_path / "model.safetensors"
    tensors = with_autoencoder(latent_model.network.state_dict(), autoencoder)
    save_model(file, tensors, latent_model.config.model_copy(update=fingerprint(latent_model)))
    loaded = imagespace.load(file)
    assert (loaded.generate("a disc").pixels == latent_model.generate("a disc").pixels).all()
    # Another decoder draws other pictures: it is another model.
    other = with_autoencoder(latent_model.network.state_dict(), lossless_autoencoder())
    assert loaded.sha256 == tensors_sha256(tensors)[:16] != tensors_sha256(other)[:16]


def test_an_exported_model_names_the_rounded_autoencoder_that_it_holds(
    latent_model, autoencoder, tmp_path, monkeypatch
):
    """Its latents are kept under that name: those of the run's own are others."""
    run = tmp_path / "run"
    run.mkdir()
    config = latent_model.config.model_copy(update=fingerprint(latent_model))
    tensors = with_autoencoder(latent_model.network.state_dict(), autoencoder)
    save_model(run / "model.safetensors", tensors, config)
    (run / "metrics.jsonl").write_text('{"step": 1, "t=0.5": 1.0}\n')
    (run / "config.json").write_text('{"data": "", "config": {}}')
    words = ["export_model", str(run), str(tmp_path / "exported"), "--num-steps", "7"]
    monkeypatch.setattr(sys, "argv", words)
    script("scripts/export_model.py").main()
    exported = imagespace.load(tmp_path / "exported")
    held = exported.autoencoder.state_dict()
    assert held["latent_std"][0] == torch.tensor(0.7).half().float() != 0.7  # it was rounded
    assert exported.config.autoencoder_sha256 == tensors_sha256(held)
    assert exported.config.autoencoder_sha256 != config.autoencoder_sha256
    sampling = config.sampling.model_copy(update={"num_steps": 7})
    assert sampling != config.sampling
    changes = {"autoencoder_sha256": ""}
    assert exported.config.model_copy(update=changes) == config.model_copy(
        update=changes | {"sampling": sampling}
    )


def test_a_file_that_holds_another_autoencoder_than_it_names_is_refused(latent_model, tmp_path):
    file = tmp_path / "model.safetensors"
    other = with_autoencoder(latent_model.network.state_dict(), lossless_autoencoder())
    save_model(file, other, latent_model.config.model_copy(update=fingerprint(latent_model)))
    named = latent_model.config.autoencoder_sha256[:12]
    with pytest.raises(UserError, match=f"names autoencoder {named} and holds another"):
        imagespace.load(file)


def fingerprint(model):
    return {"text_fingerprint": model.encoder.fingerprint}


def test_guiding_away_from_another_space_is_refused(latent_model):
    other = Model(
        latent_model.config.model_copy(update={"autoencoder_sha256": "other"}),
        latent_model.network,
        latent_model.encoder,
        "89ab",
        "other",
        latent_model.autoencoder,
    )
    with pytest.raises(UserError, match="another space"):
        latent_model.settings("a disc", weaker=other, guidance=2)


def test_evaluation_reads_real_pictures_at_the_size_of_the_drawn(latent_model, shapes_folder):
    real = pictures_of(latent_model, shapes_folder)
    assert real.pixels.shape[1:] == latent_model.generate("a disc").pixels.shape[1:]


def test_losses_of_latents_are_no_losses_of_pixels(latent_model, tiny_model, pictures):
    """Whitened latents vary otherwise than pixels: a report says of which its errors are."""
    assert loss_space(tiny_model) == "pixels"
    sha256 = latent_model.config.autoencoder_sha256
    assert loss_space(latent_model) == f"latents of autoencoder {sha256[:12]}"

    def largest(model):
        return losses(Subject(model, pictures, 8, 0))["unseen"]["t=0.9"]["value"]

    assert largest(latent_model) != pytest.approx(largest(tiny_model), rel=0.2)
