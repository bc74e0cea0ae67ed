"""Pictures without texts: captions from the folders they lie in, from their names, or none."""

import os
from pathlib import Path

from imagespace.pictures.file_walk import printable
from imagespace.pictures.layouts.found import (
    Found,
    counted,
    fill_splits,
    picture_row,
    splits_of_folders,
)
from imagespace.pictures.name_words import has_word, words_of_file, words_of_folder
from imagespace.pictures.source import FileSource


def class_of_each(pictures: list[str]) -> dict[str, str]:
    """The class of each picture, its folder's name; {} unless the folders are classes.

    They are if at least nine in ten pictures lie in folders with words for names, and these name
    two classes or more. Folders named after splits describe nothing.
    """
    is_split = bool(splits_of_folders(pictures))
    classes = {}
    for name in pictures:
        folders = os.path.dirname(name).split(os.sep)[1 if is_split else 0 :]
        classes[name] = words_of_folder(folders[-1]) if folders else ""
    named = [words for words in classes.values() if words]
    return classes if len(named) >= 0.9 * len(pictures) and len(set(named)) >= 2 else {}


def read_class_folders(root: Path, pictures: list[str], classes: dict[str, str]) -> Found:
    """Captions are the folders' names; the split is the file name's, so that it cuts each class."""
    names = sorted(set(classes.values()) - {""})
    listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    found = Found(f"class folders: {len(names):,} folder names are captions ({listed})")
    splits = splits_of_folders(pictures)
    for name in pictures:
        row = picture_row(printable(name), [classes[name]], splits.get(name))
        found.add(FileSource(os.path.join(root, name)), row)
    fill_splits(found.rows, by_name=True)
    without = sum(not words for words in classes.values())
    if without:
        lie = counted(without, "picture lies", "pictures lie")
        found.notes.append(f"{lie} in no class folder: no caption")
    return found


def read_plain(root: Path, pictures: list[str]) -> Found:
    """Captions are the words of the file names if at least half of the names hold any; else none.

    A word has three letters or more and is no camera's, program's or hash's.
    """
    num_worded = sum(map(has_word, pictures))
    is_worded = 2 * num_worded >= len(pictures)
    what = f"{num_worded:,} of {len(pictures):,} file names hold words"
    if is_worded:
        found = Found(f"plain pictures: {what}, which are the captions")
    else:
        found = Found(f"plain pictures: no captions ({what})")
    splits = splits_of_folders(pictures)
    for name in pictures:
        words = words_of_file(name) if is_worded and has_word(name) else ""
        row = picture_row(printable(name), [words], splits.get(name))
        found.add(FileSource(os.path.join(root, name)), row)
    fill_splits(found.rows, by_name=not is_worded)
    return found
