"""One picture's bytes to its pixels: every kind of file against values known beforehand."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from imagespace.errors import UserError
from imagespace.pictures.decoding import DAMAGE, FITS, open_picture, reason_of
from imagespace.pictures.inspection import inspect, inspect_some
from imagespace.pictures.source import FileSource


def _random(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def _smooth(height: int, width: int) -> NDArray[np.uint8]:
    """Waves of some two hundred pixels in three channels."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 37 + k) * np.cos(y / (33 + 5 * k)) for k in range(3)]
    return np.round(127.5 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)


def test_alpha_is_composed_onto_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))  # red that alpha hides
    image.paste((0, 0, 0, 255), (0, 0, 4, 8))
    image.save(tmp_path / "a.png")
    pixels = open_picture(tmp_path / "a.png", 8, 3)
    assert np.all(pixels[:, :4] == 0)
    assert np.all(pixels[:, 4:] == 255)
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([9, 9, 9, 0, 255, 0])
    palette.save(tmp_path / "p.png", transparency=1)
    assert np.all(open_picture(tmp_path / "p.png", 8, 3) == 255)


def test_16_bit_grey_keeps_its_scale(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    pixels = open_picture(tmp_path / "a.png", 8, 1)[:, :, 0]
    assert np.array_equal(pixels, np.round(ramp / 257).astype(np.uint8))


def test_a_wide_picture_is_padded_and_not_cropped(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20), (0, 0, 0)).save(tmp_path / "a.webp", lossless=True)
    pixels = open_picture(tmp_path / "a.webp", 20, 1)[:, :, 0]
    assert np.all(pixels[:5] == 255)
    assert np.all(pixels[5:15] == 0)
    assert np.all(pixels[15:] == 255)


def test_halving_is_the_mean_of_four(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (16, 16)).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "a.bmp")
    mean = values.reshape(8, 2, 8, 2).mean(axis=(1, 3))
    # Pillow rounds once a direction.
    assert np.abs(open_picture(tmp_path / "a.bmp", 8, 1)[:, :, 0] - mean).max() <= 1


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), value) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert np.all(open_picture(tmp_path / "a.gif", 8, 1) == 10)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "1", "CMYK"])
@pytest.mark.parametrize("suffix", ["png", "tiff", "webp", "bmp", "gif", "avif", "jpg"])
def test_every_format_gives_its_own_pixels_back(tmp_path: Path, mode: str, suffix: str) -> None:
    """Four flat squares, which no compression blurs in their middles."""
    levels = np.zeros((32, 32, 3), np.uint8)
    levels[:16, 16:], levels[16:, :16], levels[16:, 16:] = (255, 0, 0), (0, 255, 0), (255, 255, 255)
    image = Image.fromarray(levels).convert(mode if mode not in ("LA", "P", "1") else "L")
    image = image.convert(mode)
    seen = image.convert("RGB")
    try:
        options = {"lossless": True} if suffix == "webp" else {"quality": 95}
        image.save(tmp_path / f"a.{suffix}", **options)
    except (OSError, ValueError):
        pytest.skip(f"{suffix} has no {mode}")
    pixels = open_picture(tmp_path / f"a.{suffix}", 32, 3)
    middles = np.s_[8::16, 8::16]
    gap = np.abs(pixels[middles].astype(int) - np.asarray(seen)[middles])
    # JPEG and AVIF keep colours in fewer levels than RGB has.
    assert gap.max() <= (8 if suffix in ("jpg", "avif") else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_all_eight_orientations(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = np.zeros((48, 48), np.uint8)
    upright[:24, :24], upright[:24, 24:], upright[24:, :24], upright[24:, 24:] = 30, 100, 170, 240
    # The stored picture is the one that, turned as the flag asks, stands upright.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {"quality": 100}
    Image.fromarray(np.ascontiguousarray(stored)).save(
        tmp_path / f"a.{suffix}", exif=exif, **options
    )
    pixels = open_picture(tmp_path / f"a.{suffix}", 48, 1)[:, :, 0]
    assert np.abs(pixels.astype(int) - upright).max() <= 2


def test_a_turned_wide_picture_is_padded_at_its_sides(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (40, 20), 0).save(tmp_path / "a.png", exif=exif)
    pixels = open_picture(tmp_path / "a.png", 20, 1)[:, :, 0]
    assert np.all(pixels[:, 5:15] == 0)
    assert np.all(pixels[:, :5] == 255)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_is_no_damage_to_the_picture(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 40).save(tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f")
    assert np.abs(open_picture(tmp_path / "a.jpg", 8, 1).astype(int) - 40).max() <= 1


def test_a_16_bit_ramp_stays_monotone_in_steps_of_one(tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(0, 65536, 16, dtype=np.uint16)[None, :], 8, axis=0)
    for name in ("a.png", "a.tiff"):
        Image.fromarray(ramp).save(tmp_path / name)
        levels = open_picture(tmp_path / name, 4096, 1)[2048, :, 0].astype(int)
        assert set(np.diff(levels)) == {0, 1}
        assert (levels[0], levels[-1]) == (0, 255)
        small = open_picture(tmp_path / name, 64, 1, fit="stretch")[:, :, 0].astype(int)
        assert np.all(np.diff(small, axis=1) >= 0)


def _png_16_bit(values: NDArray[np.uint16], colour_type: int, extra: bytes = b"") -> bytes:
    """A PNG of 16 bits written by hand: Pillow writes such files in grey alone."""
    height, width = values.shape[:2]
    rows = values.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\x00" + row.tobytes() for row in rows)

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    packed = chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + packed + chunk(b"IEND", b"")


def test_16_bits_in_colour_and_with_a_hidden_level() -> None:
    values = np.random.default_rng(0).integers(0, 65536, (16, 16, 3)).astype(np.uint16)
    pixels = open_picture(io.BytesIO(_png_16_bit(values, 2)), 16, 3)
    assert np.abs(pixels - values / 257).max() <= 1
    grey = np.full((16, 16), 1000, np.uint16)
    grey[:, 8:] = 30000
    data = struct.pack(">H", 1000)
    hidden = struct.pack(">I", 2) + b"tRNS" + data + struct.pack(">I", zlib.crc32(b"tRNS" + data))
    pixels = open_picture(io.BytesIO(_png_16_bit(grey, 0, hidden)), 16, 1)[:, :, 0]
    assert np.all(pixels[:, :8] == 255)
    assert np.all(pixels[:, 8:] == round(30000 / 257))


def test_fractions_are_read_from_0_to_1_and_refused_beyond(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "a.tiff")
    assert np.array_equal(open_picture(tmp_path / "a.tiff", 8, 1)[:, :, 0], np.round(255 * ramp))
    for beyond in (ramp * 900, ramp - 1, np.where(ramp > 0.5, np.nan, ramp)):
        Image.fromarray(beyond.astype(np.float32)).save(tmp_path / "b.tiff")
        with pytest.raises(ValueError, match="fractions from"):
            open_picture(tmp_path / "b.tiff", 8, 1)


def test_the_background_is_seen_through_alpha_and_beside_the_picture(tmp_path: Path) -> None:
    image = Image.new("RGBA", (16, 8), (200, 0, 0, 0))
    image.paste((0, 0, 200, 51), (0, 0, 8, 8))  # a fifth of blue
    image.save(tmp_path / "a.png")
    pixels = open_picture(tmp_path / "a.png", 16, 3, background=(0, 100, 50))
    assert np.all(pixels[:4] == (0, 100, 50))
    assert np.all(pixels[4:12, 8:] == (0, 100, 50))
    expected = np.round(0.2 * np.array([0, 0, 200]) + 0.8 * np.array([0, 100, 50]))
    assert np.abs(pixels[4:12, :8] - expected).max() <= 1
    grey = open_picture(tmp_path / "a.png", 16, 1, background=(90, 90, 90))
    assert np.all(grey[:4] == 90)


def test_hidden_colours_do_not_bleed_when_a_picture_shrinks(tmp_path: Path) -> None:
    levels = np.zeros((64, 64, 4), np.uint8)
    levels[..., 0] = 255  # red, hidden
    levels[:, ::3] = (0, 0, 0, 255)
    Image.fromarray(levels).save(tmp_path / "a.png")
    pixels = open_picture(tmp_path / "a.png", 24, 3)
    # Black on white is grey in any mixture.
    assert np.ptp(pixels.astype(int), axis=2).max() <= 1


def test_the_three_fits(tmp_path: Path) -> None:
    values = _random(32, 64)
    Image.fromarray(values).save(tmp_path / "a.png")
    cropped = open_picture(tmp_path / "a.png", 32, 1, fit="crop")[:, :, 0]
    assert np.array_equal(cropped, values[:, 16:48])
    stretched = open_picture(tmp_path / "a.png", 32, 1, fit="stretch")[:, :, 0]
    assert np.abs(stretched - values.reshape(32, 32, 2).mean(axis=2)).max() <= 0.5
    padded = open_picture(tmp_path / "a.png", 64, 1, fit="pad")[:, :, 0]
    assert np.array_equal(padded[16:48], values)
    assert np.all(padded[:16] == 255)
    for fit in FITS:
        square = open_picture(io.BytesIO((tmp_path / "a.png").read_bytes()), 20, 1, fit=fit)
        assert square.shape == (20, 20, 1)
    with pytest.raises(UserError, match="fit 'cover'"):
        open_picture(tmp_path / "a.png", 32, 1, fit="cover")
    with pytest.raises(UserError, match="background"):
        open_picture(tmp_path / "a.png", 32, 1, background=(0, 0, 256))


def test_shrinking_does_not_alias(tmp_path: Path) -> None:
    stripes = np.zeros((96, 960), np.uint8)
    stripes[:, ::2] = 255  # finer than the small picture can show: all of it is mid-grey
    Image.fromarray(stripes).save(tmp_path / "a.png")
    pixels = open_picture(tmp_path / "a.png", 37, 1, fit="stretch")[:, 2:-2]
    assert np.abs(pixels - 127.5).max() <= 2


def test_a_large_jpeg_read_at_a_fraction_is_the_same_picture(tmp_path: Path) -> None:
    values = _smooth(1190, 1591)  # no whole multiples: both are reduced by the same kernel
    Image.fromarray(values).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    Image.open(tmp_path / "a.jpg").save(tmp_path / "a.png")
    draft = open_picture(tmp_path / "a.jpg", 64, 3).astype(int)
    whole = open_picture(tmp_path / "a.png", 64, 3).astype(int)
    assert np.abs(draft - whole).max() <= 4
    assert np.abs(draft - whole).mean() <= 0.75


# --- what is refused ------------------------------------------------------------------------


def test_a_large_picture_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (11_000, 11_000)).save(tmp_path / "a.png")
    loaded = []
    monkeypatch.setattr(Image.Image, "load", lambda self: loaded.append(self))
    with pytest.raises(DAMAGE) as raised:
        open_picture(tmp_path / "a.png", 8, 1)
    assert loaded == []
    assert reason_of(raised.value).startswith("it has 121,000,000 pixels")


def test_reasons_are_words(tmp_path: Path) -> None:
    Image.fromarray(_random(64, 64)).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    damaged = {
        b"": "it is empty",
        b"text": "it is no picture of a format that is read",
        whole[:900]: "it is cut short",
        whole[:60] + bytes(200) + whole[260:]: "it cannot be decoded",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n": "it is no picture of a format",
    }
    for raw, reason in damaged.items():
        with pytest.raises(DAMAGE) as raised:
            open_picture(io.BytesIO(raw), 8, 1)
        assert reason_of(raised.value).startswith(reason)
    with pytest.raises(FileNotFoundError) as missing:
        open_picture(tmp_path / "gone.png", 8, 1)
    assert "no such file" in reason_of(missing.value)


# --- drawings -------------------------------------------------------------------------------

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}">'
    '<rect width="{half}" height="{h}" fill="#ff0000" fill-opacity="0.5"/></svg>'
)


def test_a_drawing_is_rendered_onto_the_background(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    (tmp_path / "a.svg").write_text("<?xml version='1.0'?>\n" + _SVG.format(w=10, h=10, half=5))
    pixels = open_picture(tmp_path / "a.svg", 32, 3, background=(0, 0, 255))
    assert np.abs(pixels[:, :15].astype(int) - (128, 0, 127)).max() <= 1
    assert np.all(pixels[:, 17:] == (0, 0, 255))
    # A line a fifth of a pixel wide is pale, not lost and not black.
    line = '<path d="M16.5 0V32" stroke="black" stroke-width="0.2"/></svg>'
    (tmp_path / "b.svg").write_text(_SVG.format(w=32, h=32, half=0).replace("</svg>", line))
    column = open_picture(tmp_path / "b.svg", 32, 1)[16, :, 0].astype(int)
    assert 255 - column.min() == pytest.approx(0.2 * 255, abs=20)


def test_a_wide_drawing_fills_a_crop_sharply(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    (tmp_path / "a.svg").write_text(_SVG.format(w=100, h=10, half=50))
    row = open_picture(tmp_path / "a.svg", 40, 3, fit="crop")[20, :, 1].astype(int)
    assert np.all(row[:17] == row[0])  # the edge takes 2 pixels and rings a little, not 10
    assert np.all(row[23:] == 255)


def test_without_resvg_a_drawing_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "resvg_py", None)
    (tmp_path / "a.svg").write_text(_SVG.format(w=10, h=10, half=5))
    with pytest.raises(ImportError) as raised:
        open_picture(tmp_path / "a.svg", 8, 1)
    assert 'pip install "imagespace[svg]"' in reason_of(raised.value)


# --- inspection -----------------------------------------------------------------------------


def test_inspection_finds_size_colour_and_alpha(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    grey = ImageOps.colorize(Image.fromarray(_random(40, 60)), "black", "white")
    grey.save(tmp_path / "grey.jpg", exif=exif, quality=60)
    speck = grey.copy()
    speck.paste((255, 0, 0), (20, 20, 26, 26))
    speck.save(tmp_path / "speck.png")
    hidden = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    hidden.save(tmp_path / "hidden.png")
    (tmp_path / "broken.png").write_bytes(b"no")
    sources = {
        name: FileSource(str(tmp_path / name))
        for name in ("grey.jpg", "speck.png", "hidden.png", "broken.png")
    }
    found = {name: inspect(source) for name, source in sources.items()}
    assert (found["grey.jpg"].width_px, found["grey.jpg"].height_px) == (40, 60)  # upright
    assert [found[name].has_colour for name in sources] == [False, True, False, False]
    assert found["hidden.png"].has_alpha
    assert found["broken.png"].fault
    plain = [sources["grey.jpg"], sources["hidden.png"]]
    assert not any(look.has_colour for look in inspect_some(plain))
    assert any(look.has_colour for look in inspect_some(list(sources.values())))
