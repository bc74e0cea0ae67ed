"""Colour profiles against the definition of the colours that they name."""

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from imagespace.pictures.colour_profile import to_srgb
from imagespace.pictures.decoding import open_picture


def _matrix_profile(gamma: float, colorants: list[tuple[float, float, float]]) -> bytes:
    """An ICC profile (version 2.4) of three primaries in D50 and one exponent, written by hand.

    Source: ICC.1:2001-04, sections 6.3 (matrix profiles), 6.5.3 (curves), 6.5.17 (XYZ).
    """

    def xyz(values: tuple[float, float, float]) -> bytes:
        fixed = [round(value * 65536) for value in values]
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *fixed)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"a test\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    copyright_text = b"text\0\0\0\0none\0"
    white = (0.9642, 1.0, 0.8249)
    tags = {b"desc": description, b"cprt": copyright_text, b"wtpt": xyz(white)}
    tags |= dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, colorants), strict=True))
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, data, offset = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", offset + len(data), len(content))
        data += padded
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sIIIQI3i4s44x",
        *(128 + len(table) + len(data), b"\0\0\0\0", 0x02400000, b"mntr", b"RGB ", b"XYZ "),
        *(struct.pack(">6H", 2020, 1, 1, 0, 0, 0), b"acsp", b"\0\0\0\0", 0, 0, 0, 0, 0),
        *(round(value * 65536) for value in white),
        b"\0\0\0\0",
    )
    return header + table + data


# The primaries of sRGB, adapted to D50, and those of Adobe RGB (1998).
_SRGB = [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]
_ADOBE = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]


def _to_srgb_exactly(
    levels: NDArray[np.uint8], gamma: float, colorants: list[tuple[float, float, float]]
) -> NDArray[np.float64]:
    """By the definition: levels^gamma, into XYZ, into linear sRGB, through its curve."""
    linear = (levels / 255.0) ** gamma
    xyz = linear @ np.array(colorants)
    mixed = np.clip(xyz @ np.linalg.inv(np.array(_SRGB)), 0, 1)
    return 255 * np.where(mixed <= 0.0031308, 12.92 * mixed, 1.055 * mixed ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(("gamma", "colorants"), [(2.2, _ADOBE), (1.8, _SRGB), (1.0, _SRGB)])
@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
def test_a_profile_is_turned_into_srgb(
    tmp_path: Path, gamma: float, colorants: list[tuple[float, float, float]], suffix: str
) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    levels[0, 0], levels[0, 1] = 0, 255
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(levels).save(
        tmp_path / f"a.{suffix}", icc_profile=_matrix_profile(gamma, colorants), **options
    )
    pixels = open_picture(tmp_path / f"a.{suffix}", 16, 3)
    expected = _to_srgb_exactly(levels, gamma, colorants)
    assert np.abs(pixels - expected).max() <= 2.5  # LittleCMS works in 8-bit tables
    assert np.abs(levels - expected).max() > 10  # the profile matters


def test_alpha_survives_a_profile(tmp_path: Path) -> None:
    levels = np.full((8, 8, 4), (100, 100, 100, 128), np.uint8)
    Image.fromarray(levels).save(tmp_path / "a.png", icc_profile=_matrix_profile(1.0, _SRGB))
    inside = _to_srgb_exactly(np.full((1, 3), 100, np.uint8), 1.0, _SRGB)[0]
    expected = inside * 128 / 255 + 255 * 127 / 255
    assert np.abs(open_picture(tmp_path / "a.png", 8, 3)[4, 4] - expected).max() <= 1.5


def test_srgb_by_any_name_and_useless_profiles_change_nothing(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    image = Image.fromarray(levels)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"", b"no profile at all", srgb[:200]):
        assert np.array_equal(np.asarray(to_srgb(image, profile)), levels)
    grey = image.convert("L")
    # A profile of colours says nothing of a grey picture.
    assert to_srgb(grey, _matrix_profile(1.0, _ADOBE)) is grey


def test_lab_becomes_colours(tmp_path: Path) -> None:
    lab = ImageCms.createProfile("LAB")
    colours = Image.fromarray(np.array([[[150, 90, 90], [90, 120, 90], [250, 250, 250]]], np.uint8))
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    converted = ImageCms.applyTransform(
        colours.resize((24, 24), Image.Resampling.NEAREST), transform
    )
    assert converted is not None
    converted.save(tmp_path / "a.tiff")
    pixels = open_picture(tmp_path / "a.tiff", 24, 3)
    assert np.abs(pixels[12, 4::8].astype(int) - np.asarray(colours)[0]).max() <= 3
