"""The atlas: maps and exact slices of image space, with the walks of a model drawn on them.

The map, in the order in which it is made: space, neighbours, layout, density, clusters,
cluster_names (of labels and caption_words), map_scores, projection, refit, off_map; building makes
an `Atlas` of them. On it: map_walks and replay. map_views draws the map, walk_views the walks; page
writes the page of page_data, atlas_page fills it. All drawings share off_map_marks, frames (of
films) and fonts. made_from and drawn tell what is kept from what is asked for.

Exact views, one a file: basins, slice, hill, forward, commitment, river and point_field. They stand
on plane (a slice), ends (where walks end), reading (what stands there) and showing (latents as
pictures), and draw with canvas. point_space measures for points what point_page shows. Pages are
written by single_file.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagespace.atlas.atlas import Atlas, load_atlas
    from imagespace.atlas.basins import basins_view
    from imagespace.atlas.building import build_atlas, space_of_atlas
    from imagespace.atlas.commitment import commitment_view, fork, switch
    from imagespace.atlas.ends import course_of
    from imagespace.atlas.forward import forward_view
    from imagespace.atlas.hill import hill_view
    from imagespace.atlas.map_walks import Walks, load_walks, walk_on_map
    from imagespace.atlas.point_field import point_field_view
    from imagespace.atlas.point_page import PointPage, write_point_page
    from imagespace.atlas.point_space import page_of_points
    from imagespace.atlas.reading import NearestReading, RadicalReading
    from imagespace.atlas.replay import view_replay
    from imagespace.atlas.river import river_view
    from imagespace.atlas.showing import ShownReading, showing_of
    from imagespace.atlas.slice import slice_view
    from imagespace.atlas.view import View

_HOME = {
    "Atlas": "atlas",
    "NearestReading": "reading",
    "PointPage": "point_page",
    "RadicalReading": "reading",
    "ShownReading": "showing",
    "View": "view",
    "Walks": "map_walks",
    "basins_view": "basins",
    "build_atlas": "building",
    "commitment_view": "commitment",
    "course_of": "ends",
    "fork": "commitment",
    "forward_view": "forward",
    "hill_view": "hill",
    "load_atlas": "atlas",
    "load_walks": "map_walks",
    "page_of_points": "point_space",
    "point_field_view": "point_field",
    "river_view": "river",
    "showing_of": "showing",
    "slice_view": "slice",
    "space_of_atlas": "building",
    "switch": "commitment",
    "view_replay": "replay",
    "walk_on_map": "map_walks",
    "write_point_page": "point_page",
}
__all__ = [
    "Atlas",
    "NearestReading",
    "PointPage",
    "RadicalReading",
    "ShownReading",
    "View",
    "Walks",
    "basins_view",
    "build_atlas",
    "commitment_view",
    "course_of",
    "fork",
    "forward_view",
    "hill_view",
    "load_atlas",
    "load_walks",
    "page_of_points",
    "point_field_view",
    "river_view",
    "showing_of",
    "slice_view",
    "space_of_atlas",
    "switch",
    "view_replay",
    "walk_on_map",
    "write_point_page",
]


def __getattr__(name: str) -> Any:
    # An atlas that is kept is read without torch and UMAP, whose imports take seconds.
    if name not in _HOME:
        raise AttributeError(f"module 'imagespace.atlas' has no attribute {name!r}")
    return getattr(import_module(f"imagespace.atlas.{_HOME[name]}"), name)
