"""A folder of everything that goes wrong: each file is used rightly, or listed with its reason."""

import html
import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagespace.cli.pictures import check
from imagespace.errors import UserError
from imagespace.pictures.file_walk import printable
from imagespace.pictures.folder import PictureSet, read_folder

SIZE_PX = 16
_LONG = "a very long caption " * 52_500  # 1.05 MB
_ARABIC = "قطة حمراء على سطح"


pytestmark = pytest.mark.usefixtures("home")


def _random(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def _bomb(path: Path, side: int) -> None:
    """A valid PNG of one bit a pixel, written by hand so that the test does not hold it either."""
    packer = zlib.compressobj(1)
    row = bytes(1 + side // 8)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def _as_jpeg_of(path: Path, side: int) -> None:
    """A small JPEG whose header says `side`."""
    Image.new("L", (16, 16), 9).save(path)
    raw = path.read_bytes()
    at = raw.index(b"\xff\xc0") + 5
    path.write_bytes(raw[:at] + struct.pack(">HH", side, side) + raw[at + 4 :])


class Nasty:
    """The folder, and what must become of each file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pixels: dict[str, tuple[NDArray[np.generic], float]] = {}
        self.captions: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self._write_pictures()
        self._write_damaged()
        self._write_names()
        self._write_texts()

    def used(self, name: str, expected: NDArray[np.generic], within: float = 0) -> Path:
        """Notes that `name` must have these RGB pixels, [16, 16, 3], to that many levels."""
        self.pixels[printable(name)] = (expected, within)
        return self.folder / name

    def text(self, name: str, raw: bytes, expected: str) -> None:
        """A picture of that name with a caption in those bytes."""
        values = _random(SIZE_PX, SIZE_PX, 3, seed=len(self.pixels))
        Image.fromarray(values).save(self.used(f"{name}.png", values))
        (self.folder / f"{name}.txt").write_bytes(raw)
        self.captions[printable(f"{name}.png")] = expected

    def _write_pictures(self) -> None:
        values = _random(SIZE_PX, SIZE_PX, 3)
        white = np.full((SIZE_PX, SIZE_PX, 3), 255)
        Image.fromarray(values).save(self.used("really-png.jpg", values), "PNG")
        ramp = np.arange(0, 65536, 256, dtype=np.uint16).reshape(SIZE_PX, SIZE_PX) + 255
        levels = np.round(ramp / 257)
        Image.fromarray(ramp).save(self.used("ramp16.png", np.repeat(levels[..., None], 3, 2)))
        flat = np.full((SIZE_PX, SIZE_PX, 3), (204, 51, 51))
        cmyk = Image.new("CMYK", (SIZE_PX, SIZE_PX), (51, 204, 204, 0))
        cmyk.save(self.used("cmyk.jpg", flat, 2), quality=95)
        cmyk.save(self.used("cmyk.tiff", flat))
        alpha = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
        alpha[:, :8] = 255
        half_seen = np.where(alpha[..., None] == 255, values, white)
        rgba = Image.fromarray(np.dstack([values, alpha]))
        rgba.save(self.used("rgba.png", half_seen))
        rgba.save(self.used("rgba.webp", half_seen), lossless=True, exact=True)
        grey = np.repeat(values[..., :1], 3, 2)
        la = Image.merge("LA", [Image.fromarray(values[..., 0]), Image.fromarray(alpha)])
        la.save(self.used("la.png", np.where(alpha[..., None] == 255, grey, white)))
        palette = Image.fromarray((np.arange(256) % 4).astype(np.uint8).reshape(16, 16), "L")
        palette.putpalette([10, 20, 30, 200, 0, 0, 0, 200, 0, 1, 2, 3])
        table = np.array([[10, 20, 30], [200, 0, 0], [255, 255, 255], [1, 2, 3]])
        seen = table[np.asarray(palette)]
        palette.save(self.used("palette.png", seen), transparency=2)
        Image.fromarray(values[..., 0] > 127).save(
            self.used("bits.png", np.where(grey > 127, 255, 0))
        )
        stripe = np.full((SIZE_PX, SIZE_PX, 3), 255)
        stripe[:, 8:9] = 0
        Image.new("L", (1, 4000), 0).save(self.used("strip.png", np.roll(stripe, -1, axis=1)))
        Image.new("L", (1, 1), 7).save(self.used("dot.png", np.full((SIZE_PX, SIZE_PX, 3), 7)))
        quarters = np.kron([[30, 100], [170, 240]], np.ones((8, 8))).astype(np.uint8)
        turned = [quarters, quarters[:, ::-1], quarters[::-1, ::-1], quarters[::-1], quarters.T]
        turned += [np.rot90(quarters), quarters[::-1, ::-1].T, np.rot90(quarters, -1)]
        for flag, stored in enumerate(turned, start=1):
            exif = Image.Exif()
            exif[0x0112] = flag
            path = self.used(f"exif{flag}.jpg", np.repeat(quarters[..., None], 3, 2), 2)
            Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=100)
        frames = [Image.new("RGB", (16, 16), colour) for colour in ((200, 0, 0), (0, 0, 200))]
        first = np.full((SIZE_PX, SIZE_PX, 3), (200, 0, 0))
        for name, options in (("moving.gif", {}), ("moving.webp", {"lossless": True})):
            path = self.used(name, first)
            frames[0].save(path, save_all=True, append_images=frames[1:], **options)
        frames[0].save(self.used("pages.tiff", first), save_all=True, append_images=frames[1:])

    def _write_damaged(self) -> None:
        folder, reasons = self.folder, self.reasons
        (folder / "empty.png").write_bytes(b"")
        reasons["empty.png"] = "it is empty"
        noise = Image.fromarray(_random(64, 64))
        for name in ("cut.jpg", "cut.png", "cut.webp", "cut.gif", "cut.avif", "cut.tiff"):
            noise.save(folder / name)
            raw = (folder / name).read_bytes()
            (folder / name).write_bytes(raw[: len(raw) // 2])
            reasons[name] = "it "
        noise.save(folder / "rot.png")
        raw = bytearray((folder / "rot.png").read_bytes())
        raw[200:260] = bytes(60)
        (folder / "rot.png").write_bytes(raw)
        reasons["rot.png"] = "it cannot be decoded"
        (folder / "404.jpg").write_text("<!doctype html><title>Not found</title>")
        reasons["404.jpg"] = "it is no picture of a format that is read"
        (folder / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic")
        reasons["photo.heic"] = "pictures of this format are not read"
        _bomb(folder / "bomb.png", 20_000)
        _as_jpeg_of(folder / "bomb.jpg", 20_000)
        reasons["bomb.png"] = reasons["bomb.jpg"] = "it has 400,000,000 pixels"
        os.symlink(".", folder / "loop")
        reasons["loop"] = "it leads to a folder that is read already"
        os.symlink("self.png", folder / "self.png")
        os.symlink("nowhere.png", folder / "lost.png")
        reasons["self.png"], reasons["lost.png"] = "it cannot be opened", "there is no such file"
        os.mkfifo(folder / "pipe.png")
        reasons["pipe.png"] = "it is no ordinary file"
        (folder / "secret").mkdir()
        values = _random(SIZE_PX, SIZE_PX, 3, seed=99)
        for name in ("locked.png", "secret/inside.png"):
            Image.fromarray(values).save(folder / name)
        (folder / "locked.png").chmod(0)
        (folder / "secret").chmod(0)
        if os.access(folder / "locked.png", os.R_OK):  # the administrator may read anything
            self.used("locked.png", values)
            self.used("secret/inside.png", values)
        else:
            reasons["locked.png"] = reasons["secret"] = "it may not be read"
        (folder / "folder.png").mkdir()
        Image.fromarray(values).save(self.used("folder.png/inside.png", values))

    def _write_names(self) -> None:
        self.text("🦊", b"a fox", "a fox")
        self.text(os.fsdecode(b"caf\xe9"), b"no UTF-8 name", "no UTF-8 name")
        self.text("two\nlines", b"a name of two lines", "a name of two lines")
        self.text("\u00e9", b"composed", "composed")
        self.text("e\u0301", b"apart", "apart")
        self.text("shared", b"one text for two", "one text for two")
        self.captions["shared.jpg"] = "one text for two"
        flat = np.full((SIZE_PX, SIZE_PX, 3), 60)
        Image.new("RGB", (16, 16), (60, 60, 60)).save(self.used("shared.jpg", flat, 1))
        values = _random(SIZE_PX, SIZE_PX, 3, seed=5)
        Image.fromarray(values).save(self.used("n\u0303.png", values))
        (self.folder / "\u00f1.txt").write_text("spelt another way")
        self.captions["n\u0303.png"] = "spelt another way"
        for name, reason in ((".hidden.png", "it is hidden"), ("Thumbs.db", "it is hidden")):
            (self.folder / name).write_bytes(b"x")
            self.reasons[name] = reason
        (self.folder / "README.md").write_text("x")
        self.reasons["README.md"] = "it is no picture"

    def _write_texts(self) -> None:
        self.text("bom", "\ufeffa cat".encode(), "a cat")
        self.text("utf16", "a cät".encode("utf-16"), "a cät")
        self.text("utf16-bare", "a cat".encode("utf-16-le"), "a cat")
        self.text("gb18030", "一只红色的狐狸".encode("gb18030"), "一只红色的狐狸")
        self.text("cp1252", "née à l'été".encode("cp1252"), "née à l'été")
        self.text("crlf", b"a cat\r\non a mat\r\n", "a cat on a mat")
        self.text("nul", b"a\x00cat\x00", "a cat")
        self.text("long", _LONG.encode(), _LONG.strip())
        self.text("rtl", _ARABIC.encode(), _ARABIC)
        self.text("void", b"", "")
        (self.folder / "orphan.txt").write_text("nobody's")
        self.reasons["orphan.txt"] = "no picture has its name"
        Image.new("RGB", (16, 16), (60, 60, 60)).save(
            self.used("book.png", np.full((SIZE_PX, SIZE_PX, 3), 60))
        )
        (self.folder / "book.txt").write_bytes(b"word " * 900_000)
        self.reasons["book.txt"] = "it is longer than"


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nasty]:
    made = Nasty(tmp_path_factory.mktemp("nasty"))
    yield made
    for name in ("locked.png", "secret"):
        (made.folder / name).chmod(0o700)  # so that the folder can be removed


@pytest.fixture(scope="module")
def pictures(nasty: Nasty, tmp_path_factory: pytest.TempPathFactory) -> PictureSet:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        return read_folder(nasty.folder, SIZE_PX, 3)


def test_there_are_enough_of_them(nasty: Nasty) -> None:
    assert len(nasty.pixels) + len(nasty.reasons) >= 60


def test_used_pictures_have_the_right_pixels(nasty: Nasty, pictures: PictureSet) -> None:
    names = [row["file_name"] for row in pictures.metadata]
    assert sorted(names) == sorted(nasty.pixels)
    for name, pixels in zip(names, pictures.pixels, strict=True):
        expected, within = nasty.pixels[name]
        gap = np.abs(pixels.astype(float) - expected).max()
        assert gap <= within, f"{name}: {gap}"


def test_used_pictures_have_the_right_texts(nasty: Nasty, pictures: PictureSet) -> None:
    for row, caption in zip(pictures.metadata, pictures.captions, strict=True):
        assert caption == nasty.captions.get(row["file_name"], ""), row["file_name"]


def test_all_others_are_listed_with_their_reasons(nasty: Nasty, pictures: PictureSet) -> None:
    listed = {each.path: each.reason for each in pictures.unused}
    assert len(listed) == len(pictures.unused)
    assert sorted(listed) == sorted(nasty.reasons)
    for path, reason in nasty.reasons.items():
        assert listed[path].startswith(reason), f"{path}: {listed[path]}"
        assert "\n" not in listed[path]


def test_every_file_is_accounted_for(nasty: Nasty, pictures: PictureSet) -> None:
    accounted = {row["file_name"] for row in pictures.metadata}
    accounted |= {each.path for each in pictures.unused}
    accounted |= {name.rsplit(".", 1)[0] + ".txt" for name in nasty.captions} | {"\u00f1.txt"}
    there = set()
    for folder, folders, names in os.walk(nasty.folder):
        folders[:] = [name for name in folders if name != ".imagespace"]
        there |= {printable(os.path.relpath(os.path.join(folder, n), nasty.folder)) for n in names}
    assert there - accounted == set()


def test_the_ramp_stays_monotone(nasty: Nasty, pictures: PictureSet) -> None:
    row = next(i for i, row in enumerate(pictures.metadata) if row["file_name"] == "ramp16.png")
    assert set(np.diff(pictures.pixels[row, :, :, 0].astype(int).ravel())) <= {0, 1}


def test_the_notes_count_what_one_might_miss(nasty: Nasty, pictures: PictureSet) -> None:
    num = sum(not each.beside for each in pictures.unused)
    assert any(note.startswith(f"{num} files left out: ") for note in pictures.notes)
    assert any("read as GB18030" in note for note in pictures.notes)


def test_check_prints_each_with_its_reason(
    nasty: Nasty, pictures: PictureSet, capsys: pytest.CaptureFixture[str]
) -> None:
    check(nasty.folder, out=nasty.folder.parent / "check.html")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == pictures.recognised
    listed = sorted(line for line in lines if line.startswith("not used: "))
    assert listed == sorted(f"not used: {each.path}: {each.reason}" for each in pictures.unused)
    page = html.unescape((nasty.folder.parent / "check.html").read_text(encoding="utf-8"))
    for each in pictures.unused:
        assert each.path in page
        assert each.reason in page


def test_metadata_with_every_kind_of_bad_row(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        Image.new("L", (8, 8), 9).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"")
    good = {"file_name": "a.png", "text": "\ufeffa\u0000cat \u202e\u05d0"}
    lines = [
        b"\xef\xbb\xbf" + json.dumps(good).encode(),
        b'{"file_name": "b.png", "text": "half \\ud83d"}\r',
        b'{"file_name": "c.png", "text": "' + "狐狸".encode("gb18030") + b'"}',
        b'{"file_name": "broken.png", "text": "x"}',
        b'{"file_name": "half\\ud800.png"}',
        b'{"file_name": "../../../../../../nowhere.png"}',
        b'{"file_name": ""}',
        b"[" * 100_000,
        b"null",
        b'{"file_name": "a.png", "text": ["a", "b"]}',
        b'{"file_name"',
    ]
    (tmp_path / "metadata.jsonl").write_bytes(b"\n".join(lines))
    pictures = read_folder(tmp_path, 8, 1)
    assert pictures.captions == ["a cat \u202e\u05d0", "half \ufffd", "狐狸"]
    assert len(pictures.unused) == 8
    listed = [each.path for each in pictures.unused]
    for number in (7, 8, 9, 10, 11):
        assert f"metadata.jsonl, line {number}" in listed
    for each in pictures.unused:
        f"{each.path}{each.reason}".encode()  # can be printed


def test_nothing_but_rubbish_is_a_mistake_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.jpg").write_bytes(b"rubbish")
    with pytest.raises(UserError) as raised:
        read_folder(tmp_path, 8, 1)
    assert "it is empty" in str(raised.value)
    (tmp_path / "metadata.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match="line 1"):
        read_folder(tmp_path, 8, 1)
