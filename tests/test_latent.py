"""Diffusion in latents: with an autoencoder that loses nothing it is diffusion in pixels."""

import errno
import sys

import numpy as np
import pytest
import torch
from command import run
from lossless import latent_twin, lossless_autoencoder
from PIL import Image
from safetensors.torch import load_file
from script import script

import imagespace
from imagespace.checkpoints import save_autoencoder, save_model, tensors_sha256, with_autoencoder
from imagespace.diffusion.exact import ExactPictures
from imagespace.errors import UserError
from imagespace.evaluation.newness import loss_space, losses
from imagespace.evaluation.subject import Subject, pictures_of
from imagespace.networks.autoencoder import Autoencoder, AutoencoderConfig, ResidualBlock
from imagespace.networks.build import build_network
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import Model, from_pixels, start_from
from imagespace.recipes import (
    PictureOptions,
    in_latents,
    latent_advice,
    picture_config,
    recipe,
    scale_warning,
)
from imagespace.training.augmentation import AugmentationConfig, augment
from imagespace.training.latent_data import LatentData
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData


@pytest.fixture(scope="module")
def autoencoder():
    return lossless_autoencoder(mean=0.4, std=0.7)


@pytest.fixture(scope="module")
def pictures(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


@pytest.fixture(scope="module")
def twin(tiny_run, tiny_model, autoencoder):
    return latent_twin(tiny_run, tiny_model, autoencoder)


@pytest.fixture(scope="module")
def latent_run(twin):
    return twin[0]


@pytest.fixture(scope="module")
def latent_model(twin):
    """The tiny model's own weights over latents: patches of 4 x 4 pixels are 16 channels."""
    return twin[1]


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
    monkeypatch.setattr(sys, "argv", ["export_model", str(run), str(tmp_path / "exported")])
    script("scripts/export_model.py").main()
    exported = imagespace.load(tmp_path / "exported")
    held = exported.autoencoder.state_dict()
    assert held["latent_std"][0] == torch.tensor(0.7).half().float() != 0.7  # it was rounded
    assert exported.config.autoencoder_sha256 == tensors_sha256(held)
    assert exported.config.autoencoder_sha256 != config.autoencoder_sha256
    assert exported.config.model_copy(update={"autoencoder_sha256": ""}) == config.model_copy(
        update={"autoencoder_sha256": ""}
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


# ---------------------------------------------------------------- training


def latent_data(run, pictures, encoder, autoencoder, folder):
    return LatentData(run, pictures, encoder, autoencoder, folder)


def test_a_step_sees_the_latents_of_the_pictures_it_would_see(
    latent_run, tiny_run, pictures, encoder, autoencoder, tmp_path
):
    data = latent_data(latent_run, pictures, encoder, autoencoder, tmp_path)
    plain = PictureData(tiny_run, pictures, encoder)
    for step in (0, 7):
        latents, (text,) = data.batch(step)
        x_0, (same_text,) = plain.batch(step)
        torch.testing.assert_close(autoencoder.decode(latents), x_0, atol=2e-3, rtol=0)
        assert torch.equal(text, same_text)
    held_out = data.validation().x_0
    torch.testing.assert_close(
        autoencoder.decode(held_out), plain.validation().x_0, atol=2e-3, rtol=0
    )


def test_varied_pictures_are_told_as_they_were_varied(
    latent_run, pictures, encoder, autoencoder, tmp_path
):
    """The labels of a look are those by which its pixels were changed before they were encoded."""
    augmentation = AugmentationConfig(geometry=0.8)
    network = latent_run.model.network.model_copy(update={"num_augmentation_labels": 6})
    run = latent_run.model_copy(
        update={
            "model": latent_run.model.model_copy(update={"network": network}),
            "training": latent_run.training.model_copy(
                update={"augmentation": augmentation, "num_latent_looks": 3}
            ),
        }
    )
    data = latent_data(run, pictures, encoder, autoencoder, tmp_path)
    seen = []
    for step in range(4):
        latents, (_, labels) = data.batch(step)
        x_0 = from_pixels(np.ascontiguousarray(pictures.pixels[data.chosen(step)]))
        changed = augment(x_0, labels)
        torch.testing.assert_close(autoencoder.decode(latents), changed, atol=2e-3, rtol=0)
        seen.append((labels == 0).all(dim=1))
    unchanged = float(torch.cat(seen).double().mean())
    assert 0.1 < unchanged < 0.6  # a third as it is, and 0.2^3 of the others
    assert len(list((tmp_path / ".imagespace").glob("latents-*.npy"))) == 3


def test_latents_are_encoded_once(latent_run, pictures, encoder, autoencoder, tmp_path):
    first = latent_data(latent_run, pictures, encoder, autoencoder, tmp_path).batch(0)[0]
    counted = lossless_autoencoder()

    def never(x_0):
        raise AssertionError("encoded again")

    counted.encode = never
    again = latent_data(latent_run, pictures, encoder, counted, tmp_path).batch(0)[0]
    assert torch.equal(first, again)
    other = latent_run.model.model_copy(update={"autoencoder_sha256": "another"})
    run = latent_run.model_copy(update={"model": other})
    with pytest.raises(AssertionError, match="encoded again"):
        latent_data(run, pictures, encoder, counted, tmp_path)


def test_a_killed_encoding_goes_on(
    latent_run, pictures, encoder, autoencoder, tmp_path, monkeypatch
):
    monkeypatch.setattr("imagespace.pictures.latent_cache._CHUNK_PIXELS", 16 * 256)
    whole = latent_data(latent_run, pictures, encoder, autoencoder, tmp_path / "whole")
    broken, encoded = lossless_autoencoder(mean=0.4, std=0.7), []
    right = broken.encode

    def until_the_third(x_0):
        encoded.append(len(x_0))
        if len(encoded) == 3:
            raise KeyboardInterrupt
        return right(x_0)

    broken.encode = until_the_third
    with pytest.raises(KeyboardInterrupt):
        latent_data(latent_run, pictures, encoder, broken, tmp_path / "parts")
    assert not list((tmp_path / "parts").rglob("latents-*.npy"))
    parts = latent_data(latent_run, pictures, encoder, broken, tmp_path / "parts")
    assert encoded == [16] * 6  # 80 pictures: two chunks, a third that was lost, and three more
    for step in range(5):
        assert torch.equal(parts.batch(step)[0], whole.batch(step)[0])
    left = {file.suffix for file in (tmp_path / "parts" / ".imagespace").iterdir()}
    assert left == {".npy"}


@pytest.mark.parametrize("damage", [lambda whole: whole[:200], lambda whole: b""])
def test_a_damaged_cache_is_built_anew(
    latent_run, pictures, encoder, autoencoder, tmp_path, damage
):
    first = latent_data(latent_run, pictures, encoder, autoencoder, tmp_path).batch(0)[0].clone()
    (file,) = (tmp_path / ".imagespace").glob("latents-*.npy")
    whole = file.read_bytes()
    file.unlink()
    file.write_bytes(damage(whole))
    # What a killed build left can be damaged too.
    (file.parent / f".{file.stem}.done").write_text("many\n")
    (file.parent / f".{file.stem}.partial").write_bytes(damage(whole))
    again = latent_data(latent_run, pictures, encoder, autoencoder, tmp_path).batch(0)[0]
    assert torch.equal(first, again)
    assert file.read_bytes() == whole
    assert [left.name for left in file.parent.iterdir()] == [file.name]


def test_latents_that_no_disk_can_hold_are_refused_before_any_is_encoded(
    latent_run, pictures, encoder, tmp_path, monkeypatch
):
    """A memory map over a full disk would kill the process instead."""

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    def never(x_0):
        raise AssertionError("encoded")

    broken = lossless_autoencoder()
    broken.encode = never
    monkeypatch.setattr("os.posix_fallocate", full)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(UserError, match=r"cannot be written .*No space left"):
        latent_data(latent_run, pictures, encoder, broken, tmp_path)
    assert not list(tmp_path.rglob("*.partial"))


def test_interrupted_run_continues_exactly(latent_run, pictures, encoder, autoencoder, tmp_path):
    def data():
        return latent_data(latent_run, pictures, encoder, autoencoder, tmp_path)

    for _ in train(latent_run, data(), tmp_path / "whole"):
        pass
    for progress in (events := train(latent_run, data(), tmp_path / "parts")):
        if progress.step == 4:
            events.close()
            break
    for _ in train(latent_run, data(), tmp_path / "parts"):
        pass
    whole = load_file(tmp_path / "whole" / "model.safetensors")
    parts = load_file(tmp_path / "parts" / "model.safetensors")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    drawn = imagespace.load(tmp_path / "whole").generate("a disc")
    assert drawn.pixels.shape == (1, 16, 16, 1)


def test_a_run_does_not_go_on_with_another_autoencoder(
    latent_run, pictures, encoder, autoencoder, tmp_path
):
    events = train(
        latent_run,
        latent_data(latent_run, pictures, encoder, autoencoder, tmp_path),
        tmp_path / "r",
    )
    next(events)
    events.close()
    other = lossless_autoencoder(mean=0.1)
    model = latent_run.model.model_copy(
        update={"autoencoder_sha256": tensors_sha256(other.state_dict())}
    )
    run = latent_run.model_copy(update={"model": model})
    with pytest.raises(UserError, match="another autoencoder"):
        next(train(run, latent_data(run, pictures, encoder, other, tmp_path), tmp_path / "r"))


def test_a_run_goes_on_once_its_autoencoder_says_what_size_it_learnt(
    latent_run, pictures, encoder, autoencoder, tmp_path
):
    """The very weights, written anew by a version that keeps the size."""
    data = latent_data(latent_run, pictures, encoder, autoencoder, tmp_path)
    events = train(latent_run, data, tmp_path / "r")
    next(events)
    next(events)
    events.close()
    shape = autoencoder.config.model_copy(update={"trained_size_px": 32})
    model = latent_run.model.model_copy(update={"autoencoder": shape})
    again = latent_run.model_copy(update={"model": model})
    data = latent_data(again, pictures, encoder, autoencoder, tmp_path)
    events = train(again, data, tmp_path / "r")
    assert next(events).step == 2
    events.close()
    wider = shape.model_copy(update={"width": 32})
    other = again.model_copy(update={"model": model.model_copy(update={"autoencoder": wider})})
    with pytest.raises(UserError, match="other settings"):
        next(train(other, data, tmp_path / "r"))


# ---------------------------------------------------------------- the command line


@pytest.fixture
def file(autoencoder, tmp_path):
    path = tmp_path / "ae.safetensors"
    save_autoencoder(path, autoencoder.state_dict(), autoencoder.config)
    return path


def test_impossible_spaces_are_refused_in_one_line(refusal, shapes_folder, file, tmp_path):
    def told(*words):
        return refusal("train", shapes_folder, "--recipe", "pictures", *words)

    assert "no such space" in told("--space", "waves")
    assert "--space latent" in told("--autoencoder", file)
    assert "--recipe autoencoder" in told("--space", "latent")
    assert "neither a shipped autoencoder" in told("--space", "latent", "--autoencoder", "none")
    latent = ("--space", "latent", "--autoencoder")
    colour = lossless_autoencoder(num_channels=3)
    save_autoencoder(tmp_path / "colour.safetensors", colour.state_dict(), colour.config)
    assert "colour pictures, and these are grey" in told(*latent, "colour.safetensors")
    coarse = AutoencoderConfig(downsampling=16, width=4, depth=1)
    weights = Autoencoder(coarse).state_dict()
    save_autoencoder(tmp_path / "coarse.safetensors", weights, coarse)
    assert "does not divide" in told(*latent, "coarse.safetensors", "--size", "24")
    assert "--space" in refusal("train", "spiral", "--space", "latent")


@pytest.mark.parametrize(
    ("size_px", "side", "patch"), [(16, 4, 1), (24, 6, 1), (32, 8, 1), (64, 16, 2), (96, 24, 3)]
)
def test_the_latent_grid_is_cut_evenly(tiny_run, autoencoder, size_px, side, patch):
    def sized(pixels):
        network = tiny_run.model.network.model_copy(
            update={"image_size_px": pixels, "patch_size_px": pixels // 8}
        )
        return tiny_run.model_copy(
            update={"model": tiny_run.model.model_copy(update={"network": network})}
        )

    network = in_latents(sized(size_px), autoencoder.config, "0").model.network
    assert (network.image_size_px, network.patch_size_px) == (side, patch)
    # 11 or 13 places a side could only be one patch, and 9 or 15 nine or twenty-five.
    for uneven, better in ((36, 32), (44, 32), (52, 32), (88, 64)):
        with pytest.raises(UserError, match=f"--size {uneven}: its latents.* Use {better}"):
            in_latents(sized(uneven), autoencoder.config, "0")


def of_size(path, trained_size_px):
    made = lossless_autoencoder()
    seen = {"trained_size_px": trained_size_px}
    save_autoencoder(path, made.state_dict(), made.config.model_copy(update=seen))
    return str(path)


def flat_pictures(folder, size_px):
    for number, name in enumerate(("ink", "paper", "stone")):
        (folder / name).mkdir(parents=True)
        Image.new("L", (size_px, size_px), 80 * number).save(folder / name / "0.png")
    return folder


def test_latents_are_of_the_size_that_the_autoencoder_learnt(tmp_path):
    """If the pictures have it; a size that is asked for stays."""
    small, large = (flat_pictures(tmp_path / str(size_px), size_px) for size_px in (64, 200))

    def size_px(folder, trained_size_px, **asked):
        path = of_size(tmp_path / "ae.safetensors", trained_size_px)
        options = PictureOptions("pictures", space="latent", autoencoder=path, **asked)
        config = picture_config(folder, options, {"budget_images": 10}, 0)
        assert config.model.autoencoder.trained_size_px == trained_size_px
        return config.model.picture_shape[-1]

    assert size_px(large, 32) == 32
    assert size_px(large, 192) == 192
    assert size_px(large, 192, size=64) == 64
    assert size_px(large, None) == 128  # not known: the largest of the usual sizes
    assert size_px(large, 256) == 128  # more than the pictures have
    assert size_px(small, 128) == 64
    assert size_px(large, 72) == 128  # 18 latents a side are not 8 x 8 patches


def test_half_the_size_that_the_autoencoder_learnt_is_warned_of(latent_run):
    def warned(trained_size_px):
        seen = {"trained_size_px": trained_size_px}
        shape = latent_run.model.autoencoder.model_copy(update=seen)
        return scale_warning(latent_run.model.model_copy(update={"autoencoder": shape}))

    assert "trained on pictures of 32 px, and these have 16" in warned(32)
    assert "--recipe autoencoder --size 16" in warned(32)
    assert [warned(size) for size in (31, 16, 8, None)] == [None] * 4


def test_large_pictures_are_told_of_latents(latent_run):
    def advice(size_px, is_new=True):
        run = recipe("pictures", {"budget_images": 1, "budget_minutes": None})
        shape = run.model.network.model_copy(update={"image_size_px": size_px})
        return latent_advice(run.model.model_copy(update={"network": shape}), is_new)

    assert "pictures of 256 px" in advice(256)
    assert "--space latent --autoencoder AE" in advice(512)
    assert [advice(128), advice(256, is_new=False)] == [None, None]
    assert latent_advice(latent_run.model, is_new=True) is None


@pytest.mark.slow
def test_latents_from_the_command_line(shapes_folder, tmp_path):
    file = tmp_path / "ae.safetensors"
    of_size(file, 32)
    command = ("train", shapes_folder, "--recipe", "pictures", "--size", 16, "--space", "latent")
    command += ("--autoencoder", file, "--network", 1, "--images", 256, "--out", "run")
    trained = run(*command, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "16 px, grey, as latents of 16x4x4" in trained.stdout
    (warning,) = (line for line in trained.stdout.splitlines() if "of 32 px" in line)
    assert warning.startswith("warning: the autoencoder was trained on")
    file.unlink()  # the model carries it
    drawn = run(
        "generate",
        "a disc",
        "--model",
        "run",
        "--out",
        "disc.png",
        "--film",
        "disc.webp",
        cwd=tmp_path,
    )
    assert drawn.returncode == 0, drawn.stderr
    again = run("generate", "--from", "disc.png", "--out", "again.png", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    one, other = (np.asarray(Image.open(tmp_path / name)) for name in ("disc.png", "again.png"))
    assert (one == other).all()
    refused = run("likelihood", shapes_folder / "0.png", "--model", "run", cwd=tmp_path)
    assert refused.returncode == 2
    assert "walks among latents" in refused.stderr
    assert refused.stderr.count("\n") == 1
    words = ("field", "a disc", "--model", "run")
    for shown in ("direction", "score"):
        field = run(*words, "--show", shown, "--out", f"{shown}.png", cwd=tmp_path)
        assert field.returncode == 0, field.stderr
    data = ("--data", shapes_folder)
    view = run("view", "hill", "run", "--pictures", *"013", *data, "--grid", 5, cwd=tmp_path)
    assert view.returncode == 0, view.stderr
    assert "density of: latents" in view.stdout
    words = ("map", "run", *data, "--space", "latent", "--walks", 3, "--steps", 4)
    mapped = run(*words, cwd=tmp_path)
    assert mapped.returncode == 0, mapped.stderr
    names = {path.name for path in (tmp_path / "run" / "atlas").iterdir()}
    assert {"map.png", "walks.png", "replay.png", "index.html"} <= names
    refused = run(*words[:4], cwd=tmp_path)
    assert refused.returncode == 2
    assert "made with other --space" in refused.stderr
