"""Model files and training checkpoints: written whole or not at all, and verified when read.

A model file, or an autoencoder's, is one safetensors file whose header carries the configuration
and a SHA-256 of both. A training checkpoint is a folder of tensors with a manifest, put in place
by one rename.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from imagespace.diffusion.objective import ObjectiveConfig
from imagespace.diffusion.samplers import SAMPLERS, SAMPLERS_WITH_ETA, Sampler, SamplerName
from imagespace.diffusion.spacing import SpacingName
from imagespace.eight_bits import restored
from imagespace.errors import UserError
from imagespace.networks.autoencoder import Autoencoder, AutoencoderConfig
from imagespace.networks.build import NetworkConfig
from imagespace.networks.transformer import TransformerConfig

MODEL_FORMAT = "imagespace-model-1"
AUTOENCODER_FORMAT = "imagespace-autoencoder-1"
MANIFEST_FILE = "manifest.json"
_INSIDE = "autoencoder."

NoiseShare = Annotated[float, Field(ge=0, le=1)]


class SamplingConfig(BaseModel):
    """How a model is sampled unless the user says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sampler: SamplerName = "dpmpp_2m"
    num_steps: int = Field(16, ge=1, le=1000)
    guidance: float = Field(3.0, ge=0, le=100)
    guidance_interval: tuple[NoiseShare, NoiseShare] = (0.1, 0.95)
    guidance_rescale: float = Field(0.0, ge=0, le=1)
    spacing: SpacingName = "uniform"
    # Beyond these bounds steps fall together in floating point.
    time_shift: float = Field(1.0, ge=0.01, le=100)
    # Of ddim and dpmpp_2m_sde: the share of the noise that each step draws afresh.
    eta: float | None = Field(None, ge=0, le=1)

    @field_validator("guidance_interval")
    @classmethod
    def _interval_is_not_empty(cls, interval: tuple[float, float]) -> tuple[float, float]:
        if interval[0] >= interval[1]:
            raise ValueError("an interval begins below its end; guidance 1 turns guidance off")
        return interval

    @model_validator(mode="after")
    def _eta_has_a_meaning(self) -> "SamplingConfig":
        if self.eta is not None and self.sampler not in SAMPLERS_WITH_ETA:
            raise ValueError(
                f"eta belongs to {' and '.join(SAMPLERS_WITH_ETA)}, not to {self.sampler}"
            )
        return self

    def build_sampler(self) -> Sampler:
        """A new sampler for one walk."""
        if self.eta is None:
            return SAMPLERS[self.sampler]()
        return SAMPLERS_WITH_ETA[self.sampler](self.eta)


class ModelConfig(BaseModel):
    """Everything that is needed to draw with a set of weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "model"
    network: NetworkConfig = TransformerConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    sampling: SamplingConfig = SamplingConfig()
    # How pictures were made square: decoding.Rendering.
    fit: Literal["pad", "crop", "stretch"] = "pad"
    # Of the text encoder; empty where the model has no prompt.
    text_fingerprint: str = ""
    # Of the pictures and captions that it was trained on.
    data_key: str = ""
    # Of a latent model: what turns its samples into pictures, and the SHA-256 of those weights.
    autoencoder: AutoencoderConfig | None = None
    autoencoder_sha256: str = ""

    @model_validator(mode="after")
    def _samples_are_latents(self) -> "ModelConfig":
        if self.autoencoder is not None:
            shape = self.network.sample_shape
            if len(shape) != 3 or shape[0] != self.autoencoder.latent_channels:
                raise ValueError(
                    f"the network denoises samples of shape {shape}, and the autoencoder's latents "
                    f"have {self.autoencoder.latent_channels} channels: make them equal"
                )
        return self

    @property
    def picture_shape(self) -> tuple[int, ...]:
        """Shape of one picture, [C, H, W]; of a model of points, that of a point."""
        shape = self.network.sample_shape
        if self.autoencoder is None:
            return shape
        factor = self.autoencoder.downsampling
        return (self.autoencoder.num_channels, factor * shape[1], factor * shape[2])


def tensors_sha256(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _checksum(tensors: dict[str, Tensor], config: str) -> str:
    return hashlib.sha256(f"{tensors_sha256(tensors)} {config}".encode()).hexdigest()


def write_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, str] | None) -> None:
    """A safetensors file that others may read. UserError if it cannot be written whole."""
    try:
        save_file(tensors, path, metadata=header)
        path.chmod(0o644)  # save_file makes it private
    except SafetensorError as error:
        path.unlink(missing_ok=True)
        raise UserError(
            str(path.parent),
            f"cannot be written to ({' '.join(str(error).split())})",
            "Make room on the disk, or choose a place of yours; what was saved before is kept",
        ) from None


def save_model(path: Path, tensors: dict[str, Tensor], config: ModelConfig) -> None:
    """Writes a model file; an interruption leaves the old file or the new one, never a part."""
    _write_weights(path, tensors, MODEL_FORMAT, config)


def load_model_file(path: Path) -> tuple[dict[str, Tensor], ModelConfig]:
    """Tensors (float32) and configuration of a model file.

    Errors: UserError if the file is missing, not ours, or damaged.
    """
    return _read_weights(path, MODEL_FORMAT, ModelConfig)


def save_autoencoder(path: Path, tensors: dict[str, Tensor], config: AutoencoderConfig) -> None:
    """Writes an autoencoder's file, weights and latent statistics, as `save_model` does."""
    _write_weights(path, tensors, AUTOENCODER_FORMAT, config)


def load_autoencoder(path: Path) -> tuple[Autoencoder, str]:
    """An autoencoder in evaluation mode, and the SHA-256 of its float32 tensors.

    Errors: UserError if the file is missing, not an autoencoder's, or damaged.
    """
    tensors, config = _read_weights(path, AUTOENCODER_FORMAT, AutoencoderConfig)
    autoencoder = Autoencoder(config)
    try:
        autoencoder.load_state_dict(tensors)
    except RuntimeError:
        raise UserError(
            str(path),
            "holds tensors that do not fit its configuration",
            "Train a new one with `imagespace train --recipe autoencoder`",
        ) from None
    return autoencoder.eval().requires_grad_(False), tensors_sha256(tensors)


_KINDS = {MODEL_FORMAT: "a model", AUTOENCODER_FORMAT: "an autoencoder"}
Config = TypeVar("Config", bound=BaseModel)


def _write_weights(
    path: Path, tensors: dict[str, Tensor], file_format: str, config: BaseModel
) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    described = config.model_dump_json()
    header = {
        "format": file_format,
        "config": described,
        "sha256": _checksum(tensors, described),
    }
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    write_tensors(partial, tensors, header)
    _flush_to_disk(partial)
    os.replace(partial, path)
    _flush_to_disk(path.parent)


def _read_weights(
    path: Path, file_format: str, config_type: type[Config]
) -> tuple[dict[str, Tensor], Config]:
    remedy = "Take the file again from where it came, or train a new one with `imagespace train`"
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(str(path), "there is no such weights file", remedy) from None
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror})", remedy) from None
    except SafetensorError:
        raise UserError(str(path), "is damaged or not a safetensors file", remedy) from None
    found = header.get("format", "")
    if found in _KINDS and found != file_format:
        rule = f"is the file of {_KINDS[found]}, not of {_KINDS[file_format]}"
        raise UserError(str(path), rule, f"Name {_KINDS[file_format]}")
    if found != file_format:
        raise UserError(str(path), "was not written by imagespace", remedy)
    if header.get("sha256") != _checksum(tensors, header.get("config", "")):
        raise UserError(str(path), "is damaged: its checksum does not match its content", remedy)
    try:
        config = config_type.model_validate_json(header["config"])
    except (KeyError, ValidationError):
        raise UserError(
            str(path),
            "has a configuration that this version cannot read",
            "Update imagespace, or train a new model with `imagespace train`",
        ) from None
    return restored(tensors), config


def with_autoencoder(weights: dict[str, Tensor], autoencoder: Autoencoder) -> dict[str, Tensor]:
    """The tensors of a latent model's file: its network's, and what decodes its samples."""
    inside = autoencoder.state_dict()
    return weights | {f"{_INSIDE}{name}": tensor for name, tensor in inside.items()}


def split_tensors(
    tensors: dict[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(network's, autoencoder's) tensors of a model file; the inverse of `with_autoencoder`."""
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith(_INSIDE)}
    inside = {
        name.removeprefix(_INSIDE): tensor for name, tensor in tensors.items() if name not in own
    }
    return own, inside


def save_checkpoint(
    folder: Path, files: dict[str, dict[str, Tensor]], state: dict[str, Any]
) -> None:
    """Writes a training checkpoint `folder`: one safetensors file a key, and a manifest.

    Temporary folder, files, checksums, flush, rename, flush: a kill at any moment leaves either
    the whole checkpoint or none.
    """
    if (folder / MANIFEST_FILE).is_file():
        return  # the same step of the same run: training is deterministic
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    checksums = {}
    for name, tensors in files.items():
        path = partial / f"{name}.safetensors"
        write_tensors(path, {key: value.contiguous() for key, value in tensors.items()}, None)
        checksums[path.name] = _file_sha256(path)
        _flush_to_disk(path)
    manifest = partial / MANIFEST_FILE
    manifest.write_text(json.dumps({"state": state, "sha256": checksums}, indent=1) + "\n")
    _flush_to_disk(manifest)
    os.replace(partial, folder)
    _flush_to_disk(folder.parent)


def load_checkpoint(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Files and state of a checkpoint; raises UserError if any byte differs from its manifest."""
    remedy = f"Delete {folder} to go back to the checkpoint before it"
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text())
        files = {}
        for name, checksum in manifest["sha256"].items():
            if _file_sha256(folder / name) != checksum:
                raise UserError(str(folder / name), "is damaged: its checksum differs", remedy)
            with safe_open(folder / name, framework="pt") as file:
                files[Path(name).stem] = {
                    key: file.get_tensor(key)
                    for key in file.keys()  # noqa: SIM118
                }
        return files, manifest["state"]
    except (OSError, ValueError, KeyError, SafetensorError):
        raise UserError(str(folder), "is not a whole checkpoint", remedy) from None


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush_to_disk(path: Path) -> None:
    """Waits until the file, or the entries of the folder, are on the disk.

    Windows flushes only what may be written to, and opens no folder, whose renames its file system
    keeps a journal of.
    """
    if path.is_dir():
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except PermissionError:
            return
    else:
        descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
