"""Which weights a model file holds, told from the file alone."""

import hashlib
from importlib.resources import files
from pathlib import Path


def weights_file(name: str) -> Path:
    """The weights file of a shipped model's name, a run folder or a file, as `load` finds it.

    UserError, from there: it is none of them.
    """
    for path in (
        Path(str(files("imagespace") / "models" / name / "model.safetensors")),
        Path(name),
        Path(name) / "model.safetensors",
    ):
        if path.is_file():
            return path
    # Torch is imported only to say what is wrong.
    from imagespace.pipeline import model_file

    return model_file(name)


def weights_sha256(file: Path) -> str:
    """SHA-256 of the whole file, hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
