"""Which weights a model file holds, told from the file alone."""

import hashlib
from importlib.resources import files
from pathlib import Path


def weights_file(name: str) -> Path:
    """The weights file of a shipped model's name, a run folder or a file, as `load` finds it.

    UserError, from there: it is none of them.
    """
    if is_shipped(name):
        return _shipped(name)
    for path in (Path(name), Path(name) / "model.safetensors"):
        if path.is_file():
            return path
    # Torch is imported only to say what is wrong.
    from imagespace.pipeline import model_file

    return model_file(name)


def is_shipped(name: str) -> bool:
    """Whether a shipped model has this name, which it keeps if a folder has it too."""
    return Path(name).name == name and _shipped(name).is_file()


def _shipped(name: str) -> Path:
    # A name alone: joined to it, an absolute path would stand for itself.
    return Path(str(files("imagespace") / "models")) / Path(name).name / "model.safetensors"


def weights_sha256(file: Path) -> str:
    """SHA-256 of the whole file, hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
