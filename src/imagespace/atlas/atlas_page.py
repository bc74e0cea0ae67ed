"""An atlas and its walks as the page that a person pans, zooms and plays."""

from pathlib import Path
from typing import TYPE_CHECKING

from imagespace.atlas.page import write_page
from imagespace.atlas.page_data import PageData, PageWalks

if TYPE_CHECKING:
    from imagespace.atlas.atlas import Atlas
    from imagespace.atlas.map_walks import Walks

PAGE_FILE = "index.html"


def page_of(atlas: "Atlas", walks: "Walks | None" = None, title: str = "") -> PageData:
    """What the page shows: every picture of the atlas, and the walks whose thumbnails are kept."""
    return PageData(
        title=title or f"The space of {atlas.about['model']}",
        positions=atlas.positions,
        cluster_of=atlas.cluster_of,
        cluster_names=atlas.cluster_names,
        captions=atlas.captions,
        sprites=atlas.sprites.sheet(),
        sprite_px=atlas.sprites.pixels.shape[1],
        columns=atlas.sprites.num_columns,
        density=atlas.density.values,
        extent=atlas.density.extent,
        scores=scores_in_words(atlas),
        walks=None if walks is None else _seen(walks),
    )


def _seen(walks: "Walks") -> PageWalks:
    num = len(walks.seen)
    return PageWalks(
        positions=walks.positions[:num],
        thumbnails=walks.seen,
        times=walks.times,
        prompts=walks.prompts[:num],
        is_off_map=walks.is_off_map[:num],
        nearest=walks.nearest[:num],
        x_t_positions=walks.x_t_positions[:num],
        is_x_t_off_map=walks.x_t_is_off_map[:num],
    )


def scores_in_words(atlas: "Atlas") -> dict[str, str]:
    """What the map is worth, each score beside what a map without order would have."""
    scores = atlas.scores
    words = {"Trustworthiness (1 is best)": f"{scores['trustworthiness']:.3f}"}
    for name, found in scores["purity"].items():
        words[f"Neighbours of the same {name}"] = (
            f"{found['map']:.0%} on the map, {found['space']:.0%} in the space itself, "
            f"{found['majority']:.0%} if all were the commonest"
        )
    held_out = scores["projection_of_held_out"]
    words["A new picture lands beside its place by"] = (
        f"{held_out['median_error']:.1%} of the map's spread in the median; "
        f"at random by {scores['projection']['random_error']:.0%}"
    )
    off = scores["off_map"]
    words["Pure noise is told to be off the map"] = f"in {off['noise']:.0%} of cases"
    return words


def write_atlas_page(folder: Path, atlas: "Atlas", walks: "Walks | None") -> Path:
    """Writes `index.html` into the folder of the atlas."""
    return write_page(page_of(atlas, walks), folder / PAGE_FILE)
