"""Emoji on real drawings: colours, edges, captions, splits and whose they are."""

import importlib.util
import json
import shutil
import subprocess
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from command import run
from PIL import Image
from real_emoji import needs_emoji, real_concepts

from imagespace.errors import UserError
from imagespace.pictures import emoji
from imagespace.pictures.emoji_names import Concept
from imagespace.pictures.emoji_pictures import ALIKE_LEVELS, draw_emoji, repeats
from imagespace.pictures.emoji_styles import icon_name, icon_svg, name_sources, pip_styles
from imagespace.pictures.folder import read_folder
from imagespace.pictures.npm_packages import find_npm_packages
from imagespace.pictures.packages import sha256_of_files
from imagespace.pictures.split import SPLITS

# --- drawing --------------------------------------------------------------------------------


@needs_emoji
@pytest.mark.parametrize(
    ("key", "colour"), [("1f951", "green"), ("1f34c", "yellow"), ("2764", "red"), ("1f535", "blue")]
)
def test_real_things_have_their_colour(key: str, colour: str) -> None:
    for style in pip_styles():
        pixels = draw_emoji(style.drawings[key], 64).astype(int)
        assert pixels.shape == (64, 64, 3)
        # Transparency became white, and the thing stands in the middle.
        assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
        red, green, blue = np.moveaxis(pixels[pixels.min(axis=2) < 230], 1, 0)
        seen = {
            "green": (green > red) & (green > blue),
            "yellow": (red >= green) & (green > blue + 30),
            "red": (red > green + 80) & (red > blue + 80),
            "blue": (blue > red + 40) & (blue > green + 20),
        }
        shares = {name: mask.mean() for name, mask in seen.items()}
        assert shares[colour] > 0.5, (style.key, shares)
        assert max(shares, key=lambda name: shares[name]) == colour, (style.key, shares)


@needs_emoji
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_white_edge_on_transparency_has_no_dark_fringe(kind: str, tmp_path: Path) -> None:
    # White on transparent black: wherever alpha is dropped, or averaged apart from the colour, a
    # dark rim appears.
    drawing: str | Path = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        '<circle cx="16" cy="16" r="11.3" fill="#fff"/></svg>'
    )
    if kind == "png":
        y, x = np.mgrid[:256, :256] - 127.5
        alpha = np.clip(90.4 - np.hypot(x, y), 0, 1)
        pixels = np.dstack([np.where(alpha > 0, 255, 0)] * 3 + [np.rint(255 * alpha)])
        drawing = tmp_path / "disc.png"
        Image.fromarray(pixels.astype(np.uint8)).save(drawing)
    assert draw_emoji(drawing, 64).min() >= 254


@needs_emoji
def test_a_half_covered_pixel_is_the_mean_of_ink_and_white() -> None:
    # The edge of the black half lies in the middle of a pixel column.
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        '<path d="M0 0h16.5v32h-16.5z"/></svg>'
    )
    row = draw_emoji(svg, 32)[10, :, 0]
    assert (row[:16] == 0).all()
    assert (row[17:] == 255).all()
    assert abs(int(row[16]) - 127.5) <= 1


def test_icons_are_mirrored_and_take_the_sets_box() -> None:
    icons = {
        "width": 64,
        "height": 64,
        "icons": {"left": {"body": "<path/>"}, "tall": {"body": "<g/>", "height": 80, "top": -8}},
        "aliases": {"right": {"parent": "left", "hFlip": True}},
    }
    right, tall = icon_svg(icons, "right"), icon_svg(icons, "tall")
    assert right is not None
    assert tall is not None
    assert 'viewBox="0 0 64 64"' in right
    assert '<g transform="translate(64 0) scale(-1 1)"><path/></g>' in right
    assert 'viewBox="0 -8 64 80"' in tall
    assert icon_svg(icons, "absent") is None


@pytest.mark.parametrize(
    ("name", "icon"),
    [
        ("avocado", "avocado"),
        ("man's shoe", "mans-shoe"),
        ("A button (blood type)", "a-button"),
        ("flag: Åland Islands", "flag-for-aland-islands"),
        ("flag: Cocos (Keeling) Islands", "flag-for-cocos-islands"),
        ("flag: Antigua & Barbuda", "flag-for-antigua-and-barbuda"),
        ("triangular flag", "flag-for-triangular-flag"),
        ("grinning cat", "grinning-cat-face"),
        ("cat", "cat"),
        ("robot", "robot-face"),
        ("bullseye", "direct-hit"),
        ("phoenix", ""),
        ("cricket game", "cricket"),
        ("cricket", ""),  # the insect came later: the icon of this name is the game
    ],
)
def test_icons_are_found_under_older_names(name: str, icon: str) -> None:
    known = (
        *("avocado", "mans-shoe", "a-button", "flag-for-aland-islands", "flag-for-cocos-islands"),
        *("flag-for-antigua-and-barbuda", "flag-for-triangular-flag", "grinning-cat-face", "cat"),
        *("cat-face", "robot-face", "direct-hit", "cricket"),
    )
    assert icon_name(name, known) == icon


def test_pictures_alike_are_left_out_and_the_first_stays() -> None:
    first = np.full((32, 32, 3), 100, np.uint8)
    # A uniform difference of d levels is a root mean square of d.
    below, above = int(ALIKE_LEVELS), int(ALIKE_LEVELS) + 1
    # The fourth is as far from the kept ones as it can be, and near only to one left out.
    pictures = [first, first + below, first + above, first - below, first - above]
    assert repeats(pictures) == [None, 0, None, 0, None]
    assert repeats([]) == []


# --- a build --------------------------------------------------------------------------------


def drawn_icons(concepts: list[Concept], by_name: bool) -> tuple[dict, dict]:
    """An icon set in the real format: discs, each of its own place and colour."""
    icons, table = {}, {}
    for number, concept in enumerate(concepts):
        slug = concept.name.casefold().replace(": ", "-for-").replace(" ", "-")
        name = slug if by_name else f"icon-{number}"
        x, y = 6 + 2 * (number % 10), 6 + 2 * (number // 10)
        colour = f"hsl({47 * number % 360} 90% 40%)"
        icons[name] = {"body": f'<circle cx="{x}" cy="{y}" r="6" fill="{colour}"/>'}
        table[concept.key] = name
    return {"icons": icons, "width": 32, "height": 32}, {} if by_name else table


def write_npm_folder(folder: Path, concepts: list[Concept]) -> None:
    """Four packages as `npm install` lays them and as `npm pack` packs them."""
    scope = folder / "node_modules" / "@iconify-json"
    for package in ("noto", "fluent-emoji-flat", "emojione"):
        place = scope / package
        place.mkdir(parents=True)
        icons, table = drawn_icons(concepts, by_name=package == "emojione")
        (place / "icons.json").write_text(json.dumps(icons))
        (place / "chars.json").write_text(json.dumps(table))
        described = {"name": f"@iconify-json/{package}", "version": "9.9.9"}
        (place / "package.json").write_text(json.dumps(described))
    unpacked = folder.parent / "to-pack" / "package"
    (unpacked / "assets").mkdir(parents=True)
    described = {"name": "@lobehub/fluent-emoji-3d", "version": "9.9.8"}
    (unpacked / "package.json").write_text(json.dumps(described))
    for number, concept in enumerate(concepts):
        image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
        image.paste((number * 5 % 256, 90, 200, 255), (number % 32, number // 2, 40, 60))
        image.save(unpacked / "assets" / f"{concept.key}.webp", lossless=True)
    with tarfile.open(folder / "fluent.tgz", "w:gz") as archive:
        archive.add(unpacked, "package")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, emoji.EmojiSummary]:
    """Ninety real concepts: two real styles and four drawn here."""
    folder = tmp_path_factory.mktemp("emoji")
    # Foods, animals, people (with their families) and flags of places.
    concepts = real_concepts()
    foods = [concept for concept in concepts if concept.group == "food and drink"]
    people = [concept for concept in concepts if concept.group == "people"]
    chosen = [*foods[:30], *people[95:135], *concepts[-20:]]
    (folder / "npm").mkdir()
    write_npm_folder(folder / "npm", chosen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emoji, "read_concepts", lambda names, keywords: chosen)
        summary = emoji.build_emoji(folder / "set", 32, True, folder / "npm")
    return folder / "set", summary


@needs_emoji
def test_a_build_can_be_read_back(built: tuple[Path, emoji.EmojiSummary]) -> None:
    folder, summary = built
    pictures = read_folder(folder, 32, 3)
    assert not pictures.notes  # no file without a row
    assert len(pictures) == summary.num_pictures
    assert set(pictures.splits) == set(SPLITS)
    # Everything drawn is either there or accounted for.
    assert summary.num_pictures + sum(summary.dropped.values()) == 6 * 90
    styles = {style.key: style for style in pip_styles()}
    for i, row in enumerate(pictures.metadata):
        words = pictures.captions[i].removeprefix(row["concept"] + ", ")
        assert words.endswith(" style"), pictures.captions[i]
        assert pictures.alternatives[i][0] == row["concept"]
        assert all(other.endswith(words) for other in pictures.alternatives[i][1:])
    assert len(set(pictures.captions)) == len(pictures)
    banana = next(r for r in pictures.metadata if r["file_name"] == "images/openmoji/1f34c.png")
    assert banana["text"] == "banana, outline style"
    assert banana["code_points"] == "U+1F34C"
    assert banana["licence"] == "CC-BY-SA-4.0"
    drawn = draw_emoji(styles["openmoji"].drawings["1f34c"], 32)
    assert np.array_equal(pictures.pixels[pictures.metadata.index(banana)], drawn)


@needs_emoji
def test_held_out_concepts_are_unseen_and_held_out_pairs_seen_elsewhere(
    built: tuple[Path, emoji.EmojiSummary],
) -> None:
    rows = [json.loads(line) for line in (built[0] / "metadata.jsonl").read_text().splitlines()]
    trained = defaultdict(set)
    for row in rows:
        if row["split"] == "train":
            trained[row["concept"]].add(row["style"])
    families = {row["family"] for row in rows if row["split"] == "train"}
    kinds = {kind: [r for r in rows if r.get("held_out") == kind] for kind in ("concept", "pair")}
    assert kinds["concept"]
    assert kinds["pair"]
    for row in kinds["concept"]:
        assert row["family"] not in families, row
        assert len({r["split"] for r in rows if r["family"] == row["family"]}) == 1
    for row in kinds["pair"]:
        assert trained[row["concept"]], row
        assert row["style"] not in trained[row["concept"]], row
        # Nor does another of its family give it away in this style.
        assert not any(
            r["family"] == row["family"] and r["style"] == row["style"] and r["split"] == "train"
            for r in rows
        ), row
    held_out = [row for row in rows if row["split"] == "held_out"]
    assert len(held_out) == len(kinds["concept"]) + len(kinds["pair"])
    assert not any("held_out" in row for row in rows if row["split"] != "held_out")


@needs_emoji
def test_attribution_names_each_licence_and_the_very_files(
    built: tuple[Path, emoji.EmojiSummary],
) -> None:
    text = (built[0] / "ATTRIBUTION.md").read_text()
    rows = [json.loads(line) for line in (built[0] / "metadata.jsonl").read_text().splitlines()]
    for licence in {row["licence"] for row in rows}:
        assert f"* licence: {licence} <https" in text
    assert "### @iconify-json/noto 9.9.9" in text
    assert "### @lobehub/fluent-emoji-3d 9.9.8" in text
    assert "Attribution-ShareAlike 4.0 International" in text  # the text that the package carries
    _, names, _ = name_sources()
    places = {
        "_data/emojis.json": (names / "_data", "emojis.json"),
        "svg/*.svg": (Path(str(pip_styles()[0].drawings["1f951"])).parent, "*.svg"),
    }
    for name, (folder, pattern) in places.items():
        command = f"LC_ALL=C sha256sum {pattern}" + ("| sha256sum" if "*" in pattern else "")
        shell = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True)
        assert f"{name}: `{shell.stdout.split()[0]}`" in text


def test_digest_of_files_sees_names_and_contents(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("b", "a")]
    for file in files:
        file.write_text(file.name)
    before = sha256_of_files(files)
    assert sha256_of_files(files[::-1]) == before
    files[0].write_text("other")
    assert sha256_of_files(files) != before


# --- mistakes -------------------------------------------------------------------------------


def test_an_absent_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'resvg-py.*pip install "imagespace\[emoji\]"'):
        emoji.build_emoji(tmp_path / "emoji")
    assert list(tmp_path.iterdir()) == []


def test_npm_packages_that_cannot_be_had_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = ["@iconify-json/noto@1.2.9"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        UserError, match=r"lacks @iconify-json/noto.*npm install @iconify-json/noto"
    ):
        find_npm_packages(wanted, tmp_path / "empty", tmp_path / "scratch")
    with pytest.raises(UserError, match="no such folder"):
        find_npm_packages(wanted, tmp_path / "absent", tmp_path / "scratch")
    (tmp_path / "empty" / "broken.tgz").write_bytes(b"\x1f\x8b\x08broken")
    with pytest.raises(UserError, match="cannot be unpacked"):
        find_npm_packages(wanted, tmp_path / "empty", tmp_path / "scratch")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="npm is not installed"):
        find_npm_packages(wanted, None, tmp_path / "scratch")


@needs_emoji
def test_options_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="16 to 1024"):
        emoji.build_emoji(tmp_path / "emoji", 8)
    with pytest.raises(UserError, match="Add --all-styles"):
        emoji.build_emoji(tmp_path / "emoji", 64, npm_folder=tmp_path)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").write_text("")
    with pytest.raises(UserError, match="never overwrites"):
        emoji.build_emoji(tmp_path / "used", 64)


@needs_emoji
def test_a_stopped_build_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    concepts = real_concepts()[:40]
    monkeypatch.setattr(emoji, "read_concepts", lambda names, keywords: concepts)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        emoji.build_emoji(tmp_path / "emoji", 16, progress=stop)
    assert list(tmp_path.iterdir()) == []


@needs_emoji
@pytest.mark.slow
def test_the_whole_set_from_the_command_line(tmp_path: Path) -> None:
    done = run("pictures", "build", "emoji", "--size", 32, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    pictures = read_folder(tmp_path / "emoji", 32, 3)
    # Each of 1,906 concepts has two drawings; a few per cent repeat another's.
    assert 3650 < len(pictures) < 3812
    num_concepts = len({row["concept"] for row in pictures.metadata})
    assert f"{len(pictures):,} pictures of {num_concepts:,} concepts" in done.stdout
    trained = {row["family"] for row in pictures.metadata if row["split"] == "train"}
    unseen = {row["family"] for row in pictures.metadata if row["split"] != "train"}
    assert not trained & unseen
    assert not any("held_out" in row and row["held_out"] == "pair" for row in pictures.metadata)
