"""Whether a model, pictures and a space are those that an atlas was made from."""

from typing import TYPE_CHECKING

import numpy as np

from imagespace.atlas.atlas import Atlas
from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.atlas.space import PictureSpace
    from imagespace.pictures.folder import PictureSet
    from imagespace.pipeline import Model


def check_made_from(
    atlas: Atlas, model: "Model", pictures: "PictureSet", space: "PictureSpace"
) -> None:
    """UserError for another model, other pictures, or a space in which the map was not made.

    Positions of any of them would be numbers like any others.
    """
    if model.sha256 != atlas.about["model_sha256"]:
        raise UserError("the atlas", "was made for other weights", "Make it again")
    check_pictures(atlas, pictures)
    is_own = (
        space.name == atlas.about["space"]
        and np.array_equal(space.centre, atlas.basis["centre"])
        and np.array_equal(space.components, atlas.basis["components"])
    )
    if not is_own:
        raise UserError(
            f"the {space.name} space",
            f"is not the one that the atlas was made in, of {atlas.about['space']}",
            "Take it from there: space_of_atlas(atlas, pictures)",
        )


def check_pictures(atlas: Atlas, pictures: "PictureSet") -> None:
    """UserError unless the pictures are the atlas's."""
    if pictures.key != atlas.about["data_key"]:
        raise UserError(
            "the atlas", "was made from other pictures", "Give it those, or make it again"
        )
