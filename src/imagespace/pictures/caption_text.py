"""From the bytes of a text file to one caption line: encodings, line ends, control characters."""

import codecs
import re

# Longer ones are no captions; a picture's neighbour of that size is a log or a book.
MAX_TEXT_BYTES = 4_000_000
UTF_8 = "UTF-8"
_MARKS = (  # the longer first: UTF-32's mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "UTF-32", "utf-32-le"),
    (codecs.BOM_UTF32_BE, "UTF-32", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "UTF-16", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "UTF-16", "utf-16-be"),
)
_ZERO_SHARE = 0.7  # of the high bytes of unmarked UTF-16, if its letters are mostly Latin
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# Both bytes of a character of GB2312; in Western text, two accented letters seldom meet.
_GB2312_PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")


def decode_text(raw: bytes) -> tuple[str, str]:
    """The text and the name of its encoding: by its mark, else UTF-8 if valid, else a guess.

    The guess is UTF-16 if every other byte is mostly zero, GB18030 if at least 80 % of the bytes
    above 127 come in pairs of that encoding, else Windows-1252, in which any bytes have a meaning.
    """
    raw = raw.removeprefix(codecs.BOM_UTF8)
    for mark, name, codec in _MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(codec, "replace"), name
    for zeros, codec in ((raw[1::2], "utf-16-le"), (raw[::2], "utf-16-be")):
        if len(raw) >= 4 and len(raw) % 2 == 0 and zeros.count(0) > _ZERO_SHARE * len(zeros):
            text = raw.decode(codec, "replace")
            # Padding with zeros is no UTF-16.
            if "\x00" not in text and "\ufffd" not in text:
                return text, "UTF-16"
    try:
        return raw.decode("utf-8"), UTF_8
    except UnicodeDecodeError:
        pass
    num_high = sum(byte > 127 for byte in raw)
    if 2 * len(_GB2312_PAIR.findall(raw)) >= 0.8 * num_high:
        try:
            return raw.decode("gb18030"), "GB18030"
        except UnicodeDecodeError:
            pass
    # Five bytes have no meaning in Windows-1252; Latin-1 gives them one.
    return "".join(_western(bytes([byte])) for byte in raw), "Windows-1252"


def _western(byte: bytes) -> str:
    try:
        return byte.decode("cp1252")
    except UnicodeDecodeError:
        return byte.decode("latin-1")


def decode_lines(raw: bytes) -> tuple[list[str], list[str]]:
    """The lines of a table and the encodings met in them.

    Lines are decoded one by one unless the whole is UTF-16 or UTF-32, so that one line in
    another encoding does not change how its neighbours are read.
    """
    text, encoding = decode_text(raw)
    if encoding.startswith("UTF-"):
        return text.split("\n"), [encoding]
    lines = raw.removeprefix(codecs.BOM_UTF8).split(b"\n")
    decoded = [decode_text(line) for line in lines]
    return [line for line, _ in decoded], sorted({name for _, name in decoded})


def caption_line(text: str) -> str:
    """`text` on one line: runs of white space and control characters become one space.

    Half characters (lone surrogates) become U+FFFD; marks of direction and all else stay.
    """
    text = _SURROGATE.sub("\ufffd", text.removeprefix("\ufeff"))
    return " ".join(_CONTROL.sub(" ", text).split())
