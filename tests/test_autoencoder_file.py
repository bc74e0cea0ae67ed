"""An autoencoder's file comes back as it was written, or is refused in one line."""

import hashlib

import pytest
import torch
from safetensors.torch import save_file

from imagespace.checkpoints import (
    ModelConfig,
    load_autoencoder,
    load_model_file,
    save_autoencoder,
    save_model,
    tensors_sha256,
)
from imagespace.errors import UserError
from imagespace.networks.autoencoder import Autoencoder, AutoencoderConfig
from imagespace.pipeline import autoencoder_file, load_autoencoder_by_name

CONFIG = AutoencoderConfig(downsampling=4, latent_channels=3, width=4, depth=1)


@pytest.fixture
def autoencoder():
    torch.manual_seed(0)
    made = Autoencoder(CONFIG)
    made.latent_mean.copy_(torch.tensor([1.0, -2.0, 0.5]))
    made.latent_std.copy_(torch.tensor([2.0, 0.25, 3.0]))
    return made


def test_what_is_read_encodes_and_decodes_alike(autoencoder, tmp_path):
    path = tmp_path / "autoencoder.safetensors"
    save_autoencoder(path, autoencoder.state_dict(), CONFIG)
    read, sha256 = load_autoencoder(path)
    pictures = torch.randn(2, 1, 8, 12)
    assert read.config == CONFIG
    assert torch.equal(read.encode(pictures), autoencoder.encode(pictures))
    assert torch.equal(
        read.decode(read.encode(pictures)), autoencoder.decode(read.encode(pictures))
    )
    assert sha256 == tensors_sha256(autoencoder.state_dict())
    # By folder, by file: the same one.
    assert autoencoder_file(tmp_path) == autoencoder_file(path) == path
    assert load_autoencoder_by_name(tmp_path)[1] == sha256


def test_a_file_of_before_the_size_was_kept_is_read_with_its_name(autoencoder, tmp_path):
    """Its header has no such field; what it was trained on is not known."""
    path = tmp_path / "a.safetensors"
    tensors = autoencoder.state_dict()
    described = CONFIG.model_dump_json(exclude={"trained_size_px"})
    whole = f"{tensors_sha256(tensors)} {described}".encode()
    header = {"format": "imagespace-autoencoder-1", "config": described}
    save_file(tensors, path, header | {"sha256": hashlib.sha256(whole).hexdigest()})
    read, sha256 = load_autoencoder(path)
    assert read.config == CONFIG
    assert read.config.trained_size_px is None
    assert sha256 == tensors_sha256(tensors)


def test_half_precision_is_read_as_single(autoencoder, tmp_path):
    path = tmp_path / "a.safetensors"
    halved = {name: tensor.half() for name, tensor in autoencoder.state_dict().items()}
    save_autoencoder(path, halved, CONFIG)
    read, sha256 = load_autoencoder(path)
    assert all(tensor.dtype == torch.float32 for tensor in read.state_dict().values())
    save_autoencoder(path, read.state_dict(), CONFIG)
    assert load_autoencoder(path)[1] == sha256


def test_damage_is_found(autoencoder, tmp_path):
    path = tmp_path / "a.safetensors"
    save_autoencoder(path, autoencoder.state_dict(), CONFIG)
    good = path.read_bytes()
    for position in range(8, len(good), 97):
        path.write_bytes(good[:position] + bytes([good[position] ^ 4]) + good[position + 1 :])
        try:
            read, _ = load_autoencoder(path)
        except UserError:
            continue
        assert read.config == CONFIG  # a flip in the header's white space
        expected = autoencoder.state_dict()
        assert all(torch.equal(value, expected[n]) for n, value in read.state_dict().items())
    path.write_bytes(good[:-5])
    with pytest.raises(UserError, match="damaged"):
        load_autoencoder(path)


def test_other_files_are_refused(autoencoder, tmp_path):
    path = tmp_path / "a.safetensors"
    save_model(path, {"a": torch.ones(2)}, ModelConfig())
    with pytest.raises(UserError, match="is the file of a model, not of an autoencoder"):
        load_autoencoder(path)
    save_autoencoder(path, autoencoder.state_dict(), CONFIG)
    with pytest.raises(UserError, match="is the file of an autoencoder, not of a model"):
        load_model_file(path)
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(UserError, match="not written by imagespace"):
        load_autoencoder(path)
    save_autoencoder(path, autoencoder.state_dict(), CONFIG.model_copy(update={"width": 8}))
    with pytest.raises(UserError, match="do not fit its configuration"):
        load_autoencoder(path)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(UserError, match="folder without a trained autoencoder"):
        load_autoencoder_by_name(tmp_path)
    for name in ("no-such-autoencoder", ""):
        with pytest.raises(UserError, match=f"autoencoder '{name}': is neither a shipped"):
            load_autoencoder_by_name(name)
