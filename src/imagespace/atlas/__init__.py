"""The atlas: maps and exact slices of image space, with the walks of a model drawn on them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagespace.atlas.atlas import Atlas, load_atlas
    from imagespace.atlas.building import build_atlas, space_of_atlas
    from imagespace.atlas.map_walks import Walks, load_walks, walk_on_map
    from imagespace.atlas.view import View

_HOME = {
    "Atlas": "imagespace.atlas.atlas",
    "View": "imagespace.atlas.view",
    "Walks": "imagespace.atlas.map_walks",
    "build_atlas": "imagespace.atlas.building",
    "load_atlas": "imagespace.atlas.atlas",
    "load_walks": "imagespace.atlas.map_walks",
    "space_of_atlas": "imagespace.atlas.building",
    "walk_on_map": "imagespace.atlas.map_walks",
}
__all__ = [
    "Atlas",
    "View",
    "Walks",
    "build_atlas",
    "load_atlas",
    "load_walks",
    "space_of_atlas",
    "walk_on_map",
]


def __getattr__(name: str) -> Any:
    # An atlas that is kept is read without torch and UMAP, whose imports take seconds.
    if name not in _HOME:
        raise AttributeError(f"module 'imagespace.atlas' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
