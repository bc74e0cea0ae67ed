"""Files are written whole and read with suspicion."""

import math
import os
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from script import script

from imagespace.atlas.weights import is_shipped, weights_file
from imagespace.checkpoints import (
    ModelConfig,
    SamplingConfig,
    load_checkpoint,
    load_model_file,
    save_checkpoint,
    save_model,
)
from imagespace.diffusion.schedule import RectifiedFlow
from imagespace.diffusion.spacing import step_times
from imagespace.eight_bits import in_eight_bits
from imagespace.errors import UserError

TENSORS = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.ones(4, dtype=torch.float16)}


def test_model_file_round_trip(tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(path, TENSORS, ModelConfig(name="mine"))
    tensors, config = load_model_file(path)
    assert config == ModelConfig(name="mine")
    assert tensors["a"].dtype == torch.float32
    assert torch.equal(tensors["b"], TENSORS["b"])
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_matrix_in_eight_bits_is_read_back_within_half_a_step_of_its_rows(tmp_path):
    torch.manual_seed(0)
    matrix = torch.randn(5, 300) * torch.tensor([1e-3, 1.0, 40.0, 0.0, 2.0])[:, None]
    matrix[4, 1:] = 0  # a row of one weight
    tensors = in_eight_bits({"a": matrix, "b": torch.ones(3, 2)}, "a")
    path = tmp_path / "m.safetensors"
    save_model(path, tensors, ModelConfig())
    found, _ = load_model_file(path)
    half_a_step = matrix.abs().amax(dim=1, keepdim=True) / 254
    assert set(found) == {"a", "b"}
    assert ((found["a"] - matrix).abs() <= half_a_step * 1.0001).all()
    assert (found["a"] - matrix)[1].abs().max() > 0.5 * half_a_step[1]  # it was rounded at all
    torch.testing.assert_close(found["a"][4], matrix[4])
    assert path.stat().st_size < 5 * 300 + 5 * 4 + 3 * 2 * 4 + 4000


def test_an_export_halves_weights_and_the_largest_matrices_more_if_it_must(monkeypatch):
    export = script("scripts/export_model.py")
    tensors = {"large": torch.randn(40, 50), "small": torch.randn(20, 50), "kernel": torch.ones(9)}
    assert {one.dtype for one in export.shrunk(tensors).values()} == {torch.float16}
    monkeypatch.setattr(export, "LARGEST_BYTES", 4500)  # 6,018 as float16
    shrunk = export.shrunk(tensors)
    assert shrunk["large"].dtype == torch.int8
    assert shrunk["small"].dtype == shrunk["kernel"].dtype == torch.float16
    assert sum(one.nbytes for one in shrunk.values()) <= 4500


def test_every_flipped_byte_is_found(tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(path, TENSORS, ModelConfig())
    good = path.read_bytes()
    for position in range(8, len(good), 13):
        path.write_bytes(good[:position] + bytes([good[position] ^ 4]) + good[position + 1 :])
        try:
            tensors, config = load_model_file(path)
        except UserError:
            continue
        # What still loads must be the same model: a flip in the header's white space or names.
        assert config == ModelConfig()
        assert all(torch.equal(tensors[n], TENSORS[n].float()) for n in TENSORS)


@pytest.mark.parametrize(
    ("content", "rule"),
    [(b"", "damaged"), (b"not a model at all", "damaged"), (None, "no such weights file")],
)
def test_not_a_model(tmp_path, content, rule):
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rule):
        load_model_file(path)


def test_foreign_and_truncated_models(tmp_path):
    foreign = tmp_path / "foreign.safetensors"
    save_file(TENSORS, foreign)
    with pytest.raises(UserError, match="not written by imagespace"):
        load_model_file(foreign)
    path = tmp_path / "m.safetensors"
    save_model(path, TENSORS, ModelConfig())
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError, match="damaged"):
        load_model_file(path)


def test_checkpoint_round_trip_and_damage(tmp_path):
    folder = tmp_path / "step-00000005"
    save_checkpoint(folder, {"network": TENSORS}, {"step": 5})
    files, state = load_checkpoint(folder)
    assert state == {"step": 5}
    assert torch.equal(files["network"]["a"], TENSORS["a"])
    path = folder / "network.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="checksum differs"):
        load_checkpoint(folder)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="not a whole checkpoint"):
        load_checkpoint(folder)


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path):
    folder = tmp_path / "step-00000005"
    save_checkpoint(folder, {"network": TENSORS}, {"step": 5})
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path / "step-00000006", {"network": TENSORS}, {"step": object()})
    assert load_checkpoint(folder)[1] == {"step": 5}
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-00000005"]


def test_a_full_disk_is_one_line_and_leaves_no_part(tmp_path, monkeypatch):
    def full(tensors, path, metadata=None):
        Path(path).write_bytes(b"a part")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    save_model(tmp_path / "m.safetensors", TENSORS, ModelConfig())
    before = (tmp_path / "m.safetensors").read_bytes()
    monkeypatch.setattr("imagespace.checkpoints.save_file", full)
    with pytest.raises(UserError, match=r"No space left on device.*Make room"):
        save_model(tmp_path / "m.safetensors", {"b": torch.zeros(2)}, ModelConfig())
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
    assert (tmp_path / "m.safetensors").read_bytes() == before


def test_files_are_written_where_only_writable_ones_are_flushed(tmp_path, monkeypatch):
    """As on Windows, which opens no folder, and flushes no file that may only be read."""
    opened, flushed = {}, []
    open_, fsync = os.open, os.fsync

    def windows_open(path, flags):
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        descriptor = open_(path, flags)
        opened[descriptor] = (Path(path).name, flags)
        return descriptor

    def windows_fsync(descriptor):
        name, flags = opened[descriptor]
        if not flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(9, "Bad file descriptor")
        fsync(descriptor)
        flushed.append(name)

    monkeypatch.setattr(os, "open", windows_open)
    monkeypatch.setattr(os, "fsync", windows_fsync)
    save_model(tmp_path / "m.safetensors", TENSORS, ModelConfig())
    save_checkpoint(tmp_path / "step-00000005", {"network": TENSORS}, {"step": 5})
    assert len(flushed) == 3  # the model, the network and its manifest
    assert load_checkpoint(tmp_path / "step-00000005")[1] == {"step": 5}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"guidance_interval": (0.9, 0.1)}, "guidance_interval (0.9, 0.1): an interval begins"),
        ({"guidance_interval": (0.5, 0.5)}, "guidance_interval (0.5, 0.5): an interval begins"),
        ({"guidance_interval": (0.1, 1.5)}, "guidance_interval.1 (0.1, 1.5): input should be"),
        ({"guidance_interval": (math.nan, 1.0)}, "guidance_interval.0 (nan, 1.0): input should"),
        ({"time_shift": math.inf}, "time_shift inf: input should be less than or equal to 100"),
        ({"time_shift": math.nan}, "time_shift nan: input should be"),
        ({"time_shift": 1e-20}, "time_shift 1e-20: input should be greater than or equal to 0.01"),
    ],
)
def test_sampling_that_would_be_silently_spoilt_is_refused(tiny_model, changes, told):
    with pytest.raises(UserError) as refused:
        tiny_model.generate("a square", **changes)
    assert str(refused.value).startswith(told)


def test_steps_are_apart_at_the_bounds_of_the_shift():
    for shift in (0.01, 100.0):
        assert SamplingConfig(time_shift=shift).time_shift == shift
        times = step_times(1000, RectifiedFlow(), "quadratic", shift)
        assert all(later < earlier for earlier, later in pairwise(times))


def test_a_run_folder_by_its_whole_path_is_no_shipped_model(tmp_path):
    (tmp_path / "glyphs").mkdir()
    save_model(tmp_path / "glyphs" / "model.safetensors", TENSORS, ModelConfig())
    assert is_shipped("glyphs")
    assert not is_shipped(str(tmp_path / "glyphs"))
    assert weights_file(str(tmp_path / "glyphs")) == tmp_path / "glyphs" / "model.safetensors"
