"""Finding an axis: the unit of its attribute, over the pictures that the model learnt from."""

import numpy as np
import torch
from numpy.typing import NDArray

from imagespace.errors import UserError
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.attributes import ATTRIBUTES, attribute_names, measure
from imagespace.pictures.folder import PictureSet
from imagespace.pipeline import Model, from_pixels
from imagespace.pipeline.axis import Axis

MOST_MEASURED = 2000  # pictures whose spread is an attribute's unit
_BATCH = 100


def attributes_of(model: Model) -> tuple[str, ...]:
    """The attributes of the model's pictures. UserError: it draws none."""
    if not isinstance(model.config.network, TransformerConfig):
        raise UserError(model.source, "draws points, not pictures", "Name a model of pictures")
    return attribute_names(model.config.picture_shape[0])


def check_attribute(model: Model, name: str) -> None:
    """UserError: `name` is no attribute of the model's pictures."""
    names = attributes_of(model)
    if name in ATTRIBUTES and name not in names:
        raise UserError(
            f"attribute {name!r}",
            f"is of colour; the pictures of model {model.source} are grey",
            f"Use one of {', '.join(names)}",
        )
    if name not in names:
        raise UserError(f"attribute {name!r}", "is not known", f"Use one of {', '.join(names)}")


def training_rows(pictures: PictureSet, most: int) -> NDArray[np.int64]:
    """At most so many training pictures, the same ones every time, in order."""
    rows = pictures.indices("train")
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:most])
    if len(rows) < 2:
        raise UserError("the data", "has fewer than 2 training pictures", "Mark them split train")
    return rows


def find_attribute(model: Model, pictures: PictureSet, name: str) -> Axis:
    """The axis of an attribute, measured on at most 2,000 training pictures in a fixed order.

    UserError: no such attribute, or one that does not vary over the pictures.
    """
    check_attribute(model, name)
    return attribute_axis(model, pictures, name)


def attribute_axis(model: Model, pictures: PictureSet, name: str) -> Axis:
    """An axis with the spread of every attribute over the pictures; errors of `find_attribute`."""
    names = attributes_of(model)
    rows = training_rows(pictures, MOST_MEASURED)
    parts = [
        measure(
            from_pixels(np.ascontiguousarray(pictures.pixels[rows[start : start + _BATCH]])), names
        )
        for start in range(0, len(rows), _BATCH)
    ]
    values = torch.cat(parts).double()
    units = values.std(dim=0)
    for each, unit in zip(names, units.tolist(), strict=True):
        if unit < 1e-6:
            raise UserError(f"attribute {each!r}", "is the same in all pictures", "Add others")
    return Axis(
        name=name,
        model_sha256=model.sha256,
        data_key=pictures.key,
        num_pictures=len(rows),
        attributes=names,
        means=tuple(values.mean(dim=0).tolist()),
        units=tuple(units.tolist()),
    )
