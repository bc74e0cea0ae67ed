"""What the check says of pictures and files: copies, sizes, what cannot be read."""

import os

import numpy as np
import pytest
from checked_folder import caption, healthy, kinds, nasty, of_kind, picture, read_rows, write_rows
from PIL import Image, ImageDraw

from imagespace.checkup.checkup import check_folder
from imagespace.checkup.page import checkup_page
from imagespace.pictures.decoding import Rendering, drawn
from imagespace.pictures.near_duplicates import near_duplicates

pytestmark = pytest.mark.usefixtures("known_machine")


def test_copies_are_found_and_only_they(tmp_path, encoder):
    folder = healthy(tmp_path / "a")
    rows = read_rows(folder)
    picture(1).resize((40, 40), Image.Resampling.LANCZOS).save(folder / "smaller.png")
    picture(2).resize((200, 200), Image.Resampling.BICUBIC).save(folder / "larger.webp")
    picture(3).save(folder / "compressed.jpg", quality=60)
    rows += [
        {"file_name": "smaller.png", "text": "blue red house", "split": "train"},
        {"file_name": "larger.webp", "text": "a wooden ship", "split": "train"},
        {"file_name": "compressed.jpg", "text": caption(3), "split": "validation"},
    ]
    write_rows(folder, rows)
    checkup = check_folder(folder, encoder)
    near = of_kind(checkup, "near-duplicate pictures")
    names = [{checkup.rows[n]["file_name"] for n in group} for group in near.groups]
    assert names == [
        {"001.png", "smaller.png"},
        {"002.png", "larger.webp"},
        {"003.png", "compressed.jpg"},
    ]
    # "big red house" and "red big house" differ; captions of the third are equal.
    opposed = of_kind(checkup, "contradictory captions")
    assert opposed.examples[-1] == '002.png "green red house", larger.webp "a wooden ship"'
    assert not any("compressed" in line for line in opposed.examples)
    torn = of_kind(checkup, "copies across splits")
    assert torn.examples == ["003.png, compressed.jpg"]
    assert torn.value.startswith("1 held-out picture ")


def small_of(image: Image.Image) -> np.ndarray:
    return drawn(image, b"", Rendering(32, 3))


def strokes(seed: int) -> Image.Image:
    """Black strokes on white, as a glyph has: all such pictures have nearly the same mean."""
    image = Image.new("L", (128, 128), 255)
    pen = ImageDraw.Draw(image)
    random = np.random.default_rng(seed)
    for _ in range(9):
        x, y, length = random.integers(10, 100, 3).tolist()
        end = (min(118, x + length), y) if random.random() < 0.5 else (x, min(118, y + length))
        pen.line((x, y, *end), fill=0, width=7)
    return image


def test_drawings_of_strokes_are_not_all_alike():
    images = [strokes(seed) for seed in range(400)]
    assert near_duplicates(np.stack([small_of(image) for image in images])) == []
    one_stroke_more = images[7].copy()
    ImageDraw.Draw(one_stroke_more).line((20, 64, 108, 64), fill=0, width=7)
    copy = images[9].resize((90, 90), Image.Resampling.LANCZOS)
    more = np.stack([small_of(image) for image in (*images, one_stroke_more, copy)])
    assert near_duplicates(more) == [[9, 401]]


def test_colour_alone_makes_a_difference():
    squares = []
    for colour in ("red", "green", "blue", "red"):
        image = Image.new("RGB", (32, 32), "white")
        ImageDraw.Draw(image).rectangle((8, 8, 24, 24), fill=colour)
        squares.append(np.asarray(image))
    assert near_duplicates(np.stack(squares)) == [[0, 3]]


def test_near_duplicates_agree_with_a_search_of_all_pairs():
    """Copies with noise of growing strength: just those within the radius are grouped."""
    random = np.random.default_rng(0)
    base = np.stack([small_of(picture(seed)) for seed in range(700)]).astype(float)
    # A constant shift is what smoothing keeps whole: its difference is its strength.
    contrast = np.sqrt(((base - base.mean((1, 2), keepdims=True)) ** 2).mean((1, 2, 3)))
    strength = random.uniform(0.02, 0.22, 700) * contrast
    inner = 100 + base * 0.2  # no level is cut off at 0 or 255
    strength *= 0.2
    copies = inner + strength[:, None, None, None]
    small = np.concatenate([inner, copies]).round().astype(np.uint8)
    groups = near_duplicates(small)
    paired = {tuple(group) for group in groups}
    clear = np.abs(strength / (0.2 * contrast) - 0.12) > 0.03
    is_near = strength / (0.2 * contrast) < 0.12
    for seed in np.flatnonzero(clear & (strength > 2.5)):
        assert ((seed, seed + 700) in paired) == is_near[seed]
    assert 50 < len(paired) < 700


def test_a_crowd_of_equal_pictures_is_one_group():
    small = np.full((3000, 32, 32, 3), 255, np.uint8)
    small[1000:1003] = small_of(picture(0))
    flat, other = sorted(near_duplicates(small), key=len, reverse=True)
    assert len(flat) == 2997
    assert other == [1000, 1001, 1002]


def test_sizes_shapes_flat_pictures_and_few_in_colour(tmp_path, encoder):
    folder = tmp_path / "a"
    folder.mkdir()
    for number in range(120):
        picture(number, 64, grey=True).save(folder / f"{caption(number)}.png")
    picture(500, 20, grey=True).save(folder / "tiny house.png")
    picture(501, 64, grey=True).resize((200, 64)).save(folder / "long house.png")
    Image.new("L", (64, 64), 200).save(folder / "flat house.png")
    picture(502, 64).save(folder / "colour house.png")
    checkup = check_folder(folder, encoder)
    for kind, name in (
        ("small pictures", "tiny house.png"),
        ("elongated pictures", "long house.png"),
        ("flat pictures", "flat house.png"),
        ("few in colour", "colour house.png"),
    ):
        (example,) = of_kind(checkup, kind).examples
        assert example.startswith(name)


def test_every_file_is_used_or_listed_with_its_reason(tmp_path, encoder):
    folder = nasty(tmp_path / "a")
    checkup = check_folder(folder, encoder)
    on_disk = set()
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        on_disk |= {os.path.relpath(os.path.join(place, name), folder) for name in names + links}
    pictures = {row["file_name"] for row in checkup.rows}
    reasons = {each.path: each.reason for each in checkup.unused}
    assert pictures == {f"{n}.png" for n in range(20)} | {"deep/b.png"}
    texts = {f"{n}.txt" for n in range(19)} | {"half.txt"}
    assert on_disk == pictures | texts | set(reasons)
    assert not pictures & set(reasons)
    assert not texts & set(reasons)
    assert all(reasons.values())
    files = checkup.files
    assert files.num_files == len(on_disk)
    assert files.num_pictures == len(pictures) == 21
    assert files.num_captions == len(texts) == 20
    assert files.num_unused == len(reasons)
    assert files.num_pictures + files.num_captions + files.num_unused == files.num_files
    broken = of_kind(checkup, "unreadable pictures")
    assert len(broken.examples) == 3
    assert "empty" in reasons["0 bytes.png"]
    assert "few pictures" in kinds(checkup)


def test_files_of_deep_tables_are_named_from_the_top(tmp_path, encoder):
    folder = healthy(tmp_path / "deep")
    (folder / "004.png").write_bytes(b"")
    checkup = check_folder(tmp_path, encoder)
    assert [each.path for each in checkup.unused] == ["deep/004.png"]
    assert checkup.files.num_files == 121
    assert checkup.files.num_unused == 1


def test_nothing_usable_is_said_with_all_reasons(tmp_path, encoder):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"x")
    checkup = check_folder(tmp_path, encoder)
    assert checkup.findings[0].kind == "no pictures"
    assert not checkup.is_trainable
    assert {each.path for each in checkup.unused} == {"a.png", "b.png"}
    assert "b.png" in checkup_page(checkup)


def test_no_training_pictures(tmp_path, encoder):
    folder = healthy(tmp_path / "a")
    rows = [{**row, "split": "held_out"} for row in read_rows(folder)]
    write_rows(folder, rows)
    checkup = check_folder(folder, encoder)
    assert checkup.findings[0].kind == "no training pictures"
    assert checkup.recommendation is None
