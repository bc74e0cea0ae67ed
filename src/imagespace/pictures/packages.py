"""Files of installed packages that only carry data: found, never imported."""

import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from imagespace.errors import UserError


def package_folder(module: str, package: str, purpose: str, remedy: str) -> Path:
    """The folder of an installed package; UserError with the remedy if it is absent."""
    spec = importlib.util.find_spec(module)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    if not locations:
        raise UserError(f"package {package}", f"{purpose} and it is not installed", remedy)
    return Path(locations[0])


def sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_files(paths: Iterable[Path]) -> str:
    """One digest of many files of one folder: of what `sha256sum` prints for them by name.

    `cd FOLDER && LC_ALL=C sha256sum *.svg | sha256sum` repeats it.
    """
    listing = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.name):
        listing.update(f"{sha256_of_file(path)}  {path.name}\n".encode())
    return listing.hexdigest()
