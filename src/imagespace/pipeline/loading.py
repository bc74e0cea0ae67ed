"""Finding and loading a trained model by its name, run folder or file."""

from importlib.resources import files
from pathlib import Path

from imagespace.checkpoints import (
    load_autoencoder,
    load_model_file,
    split_tensors,
    tensors_sha256,
)
from imagespace.device import device_named
from imagespace.errors import UserError
from imagespace.networks.autoencoder import Autoencoder
from imagespace.networks.build import build_network
from imagespace.pipeline.model import Model
from imagespace.text.vectors import load_text_encoder

DEFAULT_MODEL = "glyphs"


_WEIGHTS_FILE, _AUTOENCODER_FILE = "model.safetensors", "autoencoder.safetensors"


def shipped_models() -> list[str]:
    """Names of the models inside the package."""
    return _shipped(_WEIGHTS_FILE)


def shipped_autoencoders() -> list[str]:
    """Names of the autoencoders inside the package."""
    return _shipped(_AUTOENCODER_FILE)


def model_file(name_or_path: str | Path) -> Path:
    """The weights file of a shipped model's name, a run folder or a file.

    Errors: UserError if it is none of them.
    """
    return _find(name_or_path, _WEIGHTS_FILE, "model", "imagespace train")


def autoencoder_file(name_or_path: str | Path) -> Path:
    """The weights file of a shipped autoencoder's name, its run folder or a file.

    Errors: UserError if it is none of them.
    """
    command = "imagespace train --recipe autoencoder"
    return _find(name_or_path, _AUTOENCODER_FILE, "autoencoder", command)


def load_autoencoder_by_name(name_or_path: str | Path) -> tuple[Autoencoder, str]:
    """An autoencoder by its shipped name, run folder or file, and the SHA-256 of its tensors.

    Errors: UserError if there is none, or its file is damaged or foreign.
    """
    return load_autoencoder(autoencoder_file(name_or_path))


def _shipped(file_name: str) -> list[str]:
    folder = files("imagespace") / "models"
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if (entry / file_name).is_file())


def _find(name_or_path: str | Path, file_name: str, noun: str, command: str) -> Path:
    name, shipped = str(name_or_path), _shipped(file_name)
    if name in shipped:
        return Path(str(files("imagespace") / "models" / name / file_name))
    path = Path(name)
    if path.is_file():
        return path
    if name and (path / file_name).is_file():
        return path / file_name
    if name and path.is_dir():
        raise UserError(
            name, f"is a folder without a trained {noun}", f"Name a run folder of `{command}`"
        )
    raise UserError(
        f"{noun} {name!r}",
        f"is neither a shipped {noun} nor a run folder nor a weights file",
        f"Shipped: {', '.join(shipped) or 'none'}; or train one with `{command}`",
    )


def load(name_or_path: str | Path = DEFAULT_MODEL, device: str = "cpu") -> Model:
    """Loads a model by its shipped name, run folder or file; its network computes on `device`.

    Errors: UserError if there is no such model or device, or the model's file is damaged, foreign,
    was trained with another text encoder, or holds another autoencoder than it names.
    """
    computes_on = device_named(device)
    path = model_file(name_or_path)
    tensors, config = load_model_file(path)
    encoder = load_text_encoder() if config.network.max_text_tokens else None
    if encoder is not None and config.text_fingerprint != encoder.fingerprint:
        raise UserError(
            str(path),
            f"was trained with text vectors {config.text_fingerprint or '(none)'}, "
            f"not the installed {encoder.fingerprint}",
            "Install the imagespace version that it was trained with, or train it again",
        )
    network = build_network(config.network)
    own, inside = split_tensors(tensors)
    autoencoder = None if config.autoencoder is None else Autoencoder(config.autoencoder)
    try:
        network.load_state_dict(own)
        if autoencoder is not None:
            autoencoder.load_state_dict(inside)
    except RuntimeError:
        raise UserError(
            str(path),
            "holds tensors that do not fit its configuration",
            "Train a new model with `imagespace train`",
        ) from None
    if autoencoder is not None:
        # Latents are kept under this name: under a wrong one those of two would be mixed up.
        if tensors_sha256(inside) != config.autoencoder_sha256:
            raise UserError(
                str(path),
                f"names autoencoder {config.autoencoder_sha256[:12] or '(none)'} and holds another",
                "Export it again from its run with scripts/export_model.py, or use that run",
            )
        autoencoder.eval().requires_grad_(False)
    sha256 = tensors_sha256(tensors)[:16]
    network.to(computes_on)
    return Model(config, network, encoder, sha256, str(name_or_path), autoencoder)
