"""Training over latents: what a step sees, how latents are kept, and how a run goes on."""

import errno

import numpy as np
import pytest
import torch
from lossless import lossless_autoencoder
from safetensors.torch import load_file

import imagespace
from imagespace.checkpoints import tensors_sha256
from imagespace.errors import UserError
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import from_pixels
from imagespace.training.augmentation import AugmentationConfig, augment
from imagespace.training.latent_data import LatentData
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData


@pytest.fixture(scope="module")
def pictures(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


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
