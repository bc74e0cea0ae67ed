"""What the names of files and folders say of the pictures in them."""

import os
import re

from imagespace.pictures.file_walk import printable

# What cameras, phones and programs call pictures; such a word describes none.
_GENERIC = frozenset(
    re.findall(
        r"\w+",
        """
        img imgs image images dsc dscn dscf dcim pxl mvimg gopr gopro pano panorama screenshot scan
        picture pictures pic pics photo photos foto frame frames file files untitled thumb thumbs
        thumbnail thumbnails whatsapp copy sample samples vid video unnamed download downloads data
        dataset datasets train training val valid validation test testing dev held out camera batch
        part chunk shard folder dir new temp tmp output outputs export raw png jpg jpeg webp gif bmp
        tif tiff avif svg misc unsorted all
        """,
    )
)
_VOWEL = re.compile(r"[aeiouyà-öø-ÿ]", re.IGNORECASE)
_LATIN = re.compile(r"[A-Za-z]")
_HEX = re.compile(r"[0-9a-f]{6,}", re.IGNORECASE)
_ONE_CASE = re.compile(r"(?:[A-Z]?[^A-Z]*(?:[A-Z][^A-Z]{2,})*|[A-Z]+)")


def words_of_file(name: str) -> str:
    """ "dir/red-fox_012.png" says "red fox": a number at the end counts, it does not describe."""
    stem = os.path.splitext(os.path.basename(printable(name)))[0]
    return re.sub(r" \(?\d+\)?$", "", re.sub(r"[\s_-]+", " ", stem).strip())


def words_of_folder(name: str) -> str:
    """The class that a folder is named after, or "".

    "001.Black_footed_Albatross" says "Black footed Albatross", "n02123045-tabby" says "tabby".
    """
    words = re.sub(r"[\s_-]+", " ", printable(name)).strip()
    words = re.sub(r"^(?:n\d{8} |\d+[. ]+)(?=\S)", "", words)
    words = re.sub(r" \(?\d+\)?$", "", words)
    parts = re.findall(r"[^\W\d_]+", words)
    return words if any(part.lower() not in _GENERIC for part in parts) else ""


def has_word(name: str) -> bool:
    """Whether a file's name holds a word: 3 letters or more, no camera's, no part of a hash.

    Latin words have a vowel and no capitals strewn inside; other scripts need 2 letters, as
    their words are shorter.
    """
    stem = os.path.splitext(os.path.basename(printable(name)))[0]
    return any(_is_word(part) for part in re.split(r"[^\w]+|_", stem))


def _is_word(part: str) -> bool:
    part = re.sub(r"\d+$", "", part)  # "cat12" is a cat
    if not part.isalpha() or part.lower() in _GENERIC or _HEX.fullmatch(part):
        return False
    if not _LATIN.search(part):
        return len(part) >= 2
    return len(part) >= 3 and bool(_VOWEL.search(part)) and bool(_ONE_CASE.fullmatch(part))
