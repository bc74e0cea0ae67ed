"""Captions out of bytes: encodings, and one clean line."""

from pathlib import Path

import pytest

from imagespace.pictures.caption_text import caption_line, decode_lines, decode_text


@pytest.mark.parametrize(
    ("raw", "expected", "encoding"),
    [
        ("a café".encode(), "a café", "UTF-8"),
        ("\ufeffa café".encode(), "a café", "UTF-8"),
        ("\ufeffa café".encode("utf-16-le"), "a café", "UTF-16"),
        ("\ufeffa café".encode("utf-16-be"), "a café", "UTF-16"),
        ("a café".encode("utf-16-le"), "a café", "UTF-16"),
        ("a café".encode("utf-16-be"), "a café", "UTF-16"),
        ("\ufeffa café".encode("utf-32-le"), "a café", "UTF-32"),
        ("一只红色的狐狸, two".encode("gb18030"), "一只红色的狐狸, two", "GB18030"),
        ("a café au lait, née “so”".encode("cp1252"), "a café au lait, née “so”", "Windows-1252"),
        (b"plain\x00\x00", "plain\x00\x00", "UTF-8"),
        (b"", "", "UTF-8"),
    ],
)
def test_encodings(raw: bytes, expected: str, encoding: str) -> None:
    assert decode_text(raw) == (expected, encoding)


def test_one_line_in_another_encoding_leaves_its_neighbours(tmp_path: Path) -> None:
    raw = "a fox 狐\n".encode() + "红狐狸\n".encode("gb18030") + "é".encode("cp1252")
    assert decode_lines(raw) == (
        ["a fox 狐", "红狐狸", "é"],
        ["GB18030", "UTF-8", "Windows-1252"],
    )


def test_a_caption_is_one_clean_line() -> None:
    assert caption_line("\ufeff a\x00b\r\nc\t\x1bd  e\u3000f ") == "a b c d e f"
    arabic = "\u202bقطة حمراء\u202c"
    assert caption_line(arabic) == arabic
    assert caption_line("half \ud83d").encode() == "half \ufffd".encode()
    assert caption_line("👩‍👩‍👧 e\u0301") == "👩‍👩‍👧 e\u0301"
