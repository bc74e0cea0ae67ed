"""Contact sheets: each picture in its place, above its caption."""

import numpy as np
import pytest
from PIL import Image

from imagespace.errors import UserError
from imagespace.pictures.contact_sheet import contact_sheet


def test_sheet_shows_each_picture_in_reading_order() -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    sheet = contact_sheet([Image.new("RGB", (32, 32), c) for c in colours], None, 2)
    values = np.asarray(sheet)
    corners = []
    for colour in colours:
        rows, columns = np.nonzero(np.all(values == colour, axis=2))
        assert len(rows) == 32 * 32
        corners.append((rows.min(), columns.min()))
    red, green, blue = corners
    assert red[0] == green[0] < blue[0]
    assert red[1] == blue[1] < green[1]
    assert tuple(values[0, 0]) == (255, 255, 255)


def test_captions_stay_under_their_picture() -> None:
    long = "an unreasonably long caption about a copper wire; Donaudampfschifffahrtsgesellschaft"
    pictures = [Image.new("L", (96, 96), 255)] * 4
    sheet = np.asarray(contact_sheet(pictures, [long, "Wort" * 20, "fish", ""], 4).convert("L"))
    gap, cell = 6, 96
    for number in range(5):
        left = number * (cell + gap)
        assert sheet[:, left + 1 : left + gap - 1].min() == 255, f"ink in gap {number}"
    under = [sheet[:, gap + n * (cell + gap) :][:, :cell] for n in range(4)]
    assert [part.min() < 128 for part in under] == [True, True, True, False]
    with pytest.raises(UserError, match="0 pictures"):
        contact_sheet([], None, 4)


def test_tiny_pictures_are_enlarged_pixel_by_pixel():
    tiny = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    sheet = np.asarray(contact_sheet([Image.fromarray(tiny)] * 2, ["one", "two"], 2).convert("L"))
    assert np.array_equal(sheet[4:52, 4:52], np.kron(tiny, np.ones((6, 6), np.uint8)))
