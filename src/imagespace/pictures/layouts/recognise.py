"""What a folder (or a single archive or table) is, from the names of its files."""

import os
from pathlib import Path

from imagespace.errors import UserError
from imagespace.pictures.file_walk import Unused, printable, walk_files
from imagespace.pictures.layouts.columns import TABLE_SUFFIXES, read_columns
from imagespace.pictures.layouts.folder_names import class_of_each, read_class_folders, read_plain
from imagespace.pictures.layouts.found import (
    PICTURE_SUFFIXES,
    TEXT_SUFFIXES,
    Found,
    is_picture,
)
from imagespace.pictures.layouts.metadata import METADATA_FILES, read_metadata
from imagespace.pictures.layouts.sidecar import read_sidecars, sidecars
from imagespace.pictures.layouts.webdataset import TAR_SUFFIX, read_webdataset

# Pictures, but of formats that are not read.
_FOREIGN_SUFFIXES = (
    *(".heic", ".heif", ".jxl", ".jp2", ".psd", ".ico", ".tga", ".exr", ".eps", ".pdf", ".svgz"),
    *(".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".ppm", ".pgm", ".pbm"),
)
_COMPRESSED_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip", ".7z", ".rar")


def find_pictures(path: Path) -> Found:
    """Every picture of `path` with its row, and every other file with the reason why not.

    The first that fits: rows of metadata; tables written by `datasets`; loose pictures (text
    files beside them, class folders, plain); Parquet; .tar archives. UserError: no such folder,
    no picture in it, or what is in it needs an extra.
    """
    found = look_for_pictures(path)
    if not found.rows:
        faults = [f"{each.path}: {each.reason}" for each in found.unused if not each.beside]
        raise UserError(
            str(path),
            f"nothing in it can be used ({'; '.join(faults[:3])})"
            if faults
            else "it holds no picture",
            f"Put pictures there: {' '.join(PICTURE_SUFFIXES)}.",
        )
    return found


def look_for_pictures(path: Path) -> Found:
    """`find_pictures`, where finding none is an answer too."""
    found, passed_over = _find(path)
    found.unused += passed_over
    return found


def _find(path: Path) -> tuple[Found, list[Unused]]:
    if path.is_file():
        if path.name.lower().endswith(TAR_SUFFIX):
            return read_webdataset(path.parent, [path.name]), []
        if path.name.lower().endswith(TABLE_SUFFIXES):
            return read_columns(path.parent, [path.name]), []
        raise UserError(str(path), "it is no folder, .tar or table", "Name the folder it lies in.")
    if not path.is_dir():
        raise UserError(
            str(path),
            "there is no such folder",
            "Name a folder of pictures, or build one: imagespace pictures build glyphs --out DIR.",
        )
    files, unused = walk_files(path)
    tables = [name for name in files if os.path.basename(name) in METADATA_FILES]
    if tables:
        return read_metadata(path, files, tables), unused
    pictures = [name for name in files if is_picture(name)]
    # Files cache-*.arrow are what `datasets` remembers of computations: the same rows again.
    arrow = [
        name
        for name in files
        if name.lower().endswith(".arrow") and not os.path.basename(name).startswith("cache-")
    ]
    parquet = [name for name in files if name.lower().endswith(".parquet")]
    archives = [name for name in files if name.lower().endswith(TAR_SUFFIX)]
    if arrow and any(os.path.basename(name) == "state.json" for name in files):
        found, used = read_columns(path, arrow), arrow
    elif pictures:
        found, used = _loose_pictures(path, pictures, files), pictures
    elif parquet or arrow:
        found, used = read_columns(path, parquet or arrow), parquet or arrow
    elif archives:
        found, used = read_webdataset(path, archives), archives
    else:
        found, used = Found(""), []
    known = {*used, *(name for name in files if name.lower().endswith(TEXT_SUFFIXES) and pictures)}
    unused += [_left_over(name) for name in files if name not in known]
    return found, unused


def _loose_pictures(path: Path, pictures: list[str], files: list[str]) -> Found:
    """Text files, class folders or plain: few texts do not outweigh classes."""
    texts = sidecars(pictures, files)
    classes = class_of_each(pictures)
    if texts and (2 * len(texts) >= len(pictures) or not classes):
        return read_sidecars(path, pictures, files, texts)
    found = read_class_folders(path, pictures, classes) if classes else read_plain(path, pictures)
    for name in files:
        if name.lower().endswith(TEXT_SUFFIXES):
            reason = "the captions come from the folders" if texts else "no picture has its name"
            found.unused.append(Unused(printable(name), reason, beside=not texts))
    return found


def _left_over(name: str) -> Unused:
    """A file that no layout uses, with the likeliest reason."""
    lower, shown = name.lower(), printable(name)
    if is_picture(name) or lower.endswith((TAR_SUFFIX, *TABLE_SUFFIXES)):
        return Unused(shown, "it lies beside pictures of another layout: give it its own folder")
    if lower.endswith(_FOREIGN_SUFFIXES):
        return Unused(shown, "pictures of this format are not read: save it as PNG or JPEG")
    if lower.endswith(_COMPRESSED_SUFFIXES):
        return Unused(shown, "it is a compressed archive: unpack it")
    return Unused(shown, "it is no picture", beside=True)
