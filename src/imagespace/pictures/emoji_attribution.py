"""Whose the emoji are: a page that the built folder carries."""

from collections.abc import Sequence

from imagespace.pictures.emoji_styles import Source

ATTRIBUTION_FILE = "ATTRIBUTION.md"
_HEAD = """# Attribution

The pictures of this folder were rendered from the drawings below: scaled, and laid on white. Each
row of metadata.jsonl names the licence of its picture. Pass the folder on under these licences and
with this page; share-alike (OpenMoji) also binds pictures that you adapt from them. Where no
licence text follows, the package carries none: the link leads to it.

A SHA-256 of several files is that of what `LC_ALL=C sha256sum` prints for them, by name, in their
folder.
"""


def attribution(styles: Sequence[Source], names: Sequence[Source]) -> str:
    """The page, one section a source."""
    parts = [_HEAD, "## Pictures\n", *map(_section, styles)]
    return "\n".join([*parts, "## Names and keywords\n", *map(_section, names)])


def _section(source: Source) -> str:
    lines = [
        f"### {source.package} {source.version}\n",
        f"* work: {source.work}",
        f"* authors: {source.authors}",
        f"* licence: {source.licence} <{source.link}>, as stated in {source.stated_in}",
        f"* SHA-256 of {source.files}: `{source.sha256}`",
    ]
    if source.text:
        lines += ["", "```text", source.text.strip(), "```"]
    return "\n".join(lines) + "\n"
