"""Whether a folder of pictures is as it was, told without reading the pictures."""

import hashlib
import os
from pathlib import Path

from imagespace.pictures.file_walk import walk_files


def stamp_of(path: Path) -> str:
    """A fingerprint of the names, sizes and times of change of all files that are read of a path.

    They are those that a picture set is read from, behind links to folders too. Equal stamps mean
    equal pictures (files outside that a table names are not looked at); a copied folder has another
    stamp, and its pictures have to be read to be compared. A path that does not exist has the stamp
    "".
    """
    if not path.exists():
        return ""
    digest = hashlib.blake2b(digest_size=16)
    names = [""] if path.is_file() else walk_files(path)[0]
    for name in names:
        status = os.stat(path / name)
        line = f"{name or path.name} {status.st_size} {status.st_mtime_ns}\n"
        # A name need not be UTF-8.
        digest.update(os.fsencode(line))
    return digest.hexdigest()
