"""Whether a folder of pictures is as it was, told without reading the pictures."""

import hashlib
import os
from pathlib import Path

from imagespace.pictures.file_walk import CACHE_FOLDER


def stamp_of(path: Path) -> str:
    """A fingerprint of the names, sizes and times of change of all files under a path.

    Equal stamps mean equal pictures; a copied folder has another stamp, and its pictures have to
    be read to be compared. A path that does not exist has the stamp "".
    """
    if not path.exists():
        return ""
    digest = hashlib.blake2b(digest_size=16)
    if path.is_file():
        status = path.stat()
        digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}".encode())
        return digest.hexdigest()
    for folder, folders, _ in os.walk(path):
        folders[:] = sorted(name for name in folders if name != CACHE_FOLDER)
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file():
                    status = entry.stat()
                    found.append(f"{entry.name} {status.st_size} {status.st_mtime_ns}")
        digest.update("\n".join([folder.removeprefix(str(path)), *sorted(found)]).encode())
    return digest.hexdigest()
