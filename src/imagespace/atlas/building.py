"""Build an atlas: space, neighbours, layout, density, clusters, names, scores, projection."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import imagespace
from imagespace.atlas.atlas import Atlas
from imagespace.atlas.cluster_names import name_clusters
from imagespace.atlas.clusters import clusters_of
from imagespace.atlas.density import Density, density_of
from imagespace.atlas.features import features_of
from imagespace.atlas.labels import label_columns
from imagespace.atlas.latents import check_has_space, latents_of
from imagespace.atlas.layout import NUM_NEIGHBOURS, import_umap, lay_out
from imagespace.atlas.made_from import check_pictures
from imagespace.atlas.map_scores import score_map
from imagespace.atlas.neighbours import nearest
from imagespace.atlas.off_map import off_map_scores
from imagespace.atlas.projection import fit_projection
from imagespace.atlas.refit import refit_scores
from imagespace.atlas.space import (
    Describe,
    PictureSpace,
    describe_features,
    describe_grid,
    fit_space,
)
from imagespace.atlas.space_names import FEWEST_PICTURES, check_space
from imagespace.atlas.sprites import as_kept, shrink
from imagespace.errors import UserError
from imagespace.pictures.folder import PictureSet
from imagespace.pipeline import Model
from imagespace.randomness import generator

_FITTED_ON = 2000  # pictures that the mean and variance of each feature are taken from

Stage = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""`with stage("what") as report:` shows a stage of the work; `report(done, total)` its progress."""


def silent(what: str) -> AbstractContextManager[Callable[[int, int], None]]:
    """Shows nothing."""
    return nullcontext(lambda done, total: None)


def build_atlas(
    model: Model,
    pictures: PictureSet,
    space: str = "pixel",
    num: int = 20_000,
    seed: int = 0,
    stage: Stage = silent,
    folder: Path | None = None,
) -> Atlas:
    """The atlas of at most `num` of a model's real pictures, chosen and laid out by `seed`.

    `folder` is where the pictures lie, and training kept their latents beside them. UserError: an
    unknown space, latents of a model that has none, or fewer than 50 pictures.
    """
    check_space(space)
    check_has_space(model, space)
    rows = chosen_rows(len(pictures), num, seed)
    started = time.perf_counter()
    with stage("shrinking pictures"):
        pixels = np.ascontiguousarray(pictures.pixels[rows])
        sprites = as_kept(shrink(pixels))
    features = ""
    basis: dict[str, NDArray[np.float32]] = {}
    describe: Describe = describe_grid
    if space == "feature":
        with stage("learning an image-text space") as report:
            features, extract = features_of(pictures, report)
        sample = extract(pixels[:: max(1, len(pixels) // _FITTED_ON)])
        basis = {"feature_centre": sample.mean(axis=0), "feature_spread": sample.std(axis=0) + 1e-6}
        describe = describe_features(extract, basis["feature_centre"], basis["feature_spread"])

    def read(some: NDArray[np.int64]) -> Any:
        """Pictures as the space takes them."""
        if space != "latent":
            return np.ascontiguousarray(pictures.pixels[some])
        with stage("encoding pictures") as report:
            return latents_of(model, pictures, some, folder, report)

    shown = read(rows) if space == "latent" else pixels
    with stage("finding the space") as report:
        fitted, coordinates = fit_space(space, shown, describe, report)
    basis |= {"centre": fitted.centre, "components": fitted.components}
    # As they are stored, so that an atlas answers the same before it is saved and after.
    coordinates = coordinates.astype(np.float16).astype(np.float32)
    with stage("finding neighbours") as report:
        neighbours = nearest(coordinates, coordinates, NUM_NEIGHBOURS, True, report)
    with stage("loading UMAP (compiles for a while)"):
        import_umap()
    with stage("laying out the map"):
        positions = lay_out(coordinates, *neighbours, seed)
    with stage("finding clusters"):
        density = density_of(positions)
        stored = density.values.astype(np.float16).astype(np.float32)
        density = Density(stored, density.low, density.side)
        cluster_of = clusters_of(density, positions)
        captions = [pictures.captions[row] for row in rows]
        labels = label_columns([pictures.metadata[row] for row in rows])
        names = name_clusters(cluster_of, captions, labels)
    with stage("scoring the map"):
        scores = score_map(coordinates, positions, neighbours[0], labels, seed)
        projection, scores["projection"] = fit_projection(coordinates, positions, *neighbours)
    scores["off_map"] = off_map_scores(
        projection, fitted, read, shown.shape[1:], rows, len(pictures), seed
    )
    with stage("scoring the projection"):
        scores["projection_of_held_out"] = refit_scores(coordinates, seed)
    about = {
        "model": model.source,
        "model_sha256": model.sha256,
        "data_key": pictures.key,
        "space": space,
        "features": features,
        "explained": fitted.explained,
        "num": len(rows),
        "asked_num": num,
        "num_pictures": len(pictures),
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 1),
        "versions": {
            "imagespace": imagespace.__version__,
            "umap-learn": version("umap-learn"),
            "numpy": np.__version__,
            "python": ".".join(map(str, sys.version_info[:3])),
        },
    }
    return Atlas(
        positions=positions,
        coordinates=coordinates,
        cluster_of=cluster_of,
        cluster_names=names,
        captions=captions,
        labels=labels,
        sprites=sprites,
        density=density,
        rows=rows,
        basis=basis,
        about=about,
        scores=scores,
    )


def chosen_rows(total: int, num: int, seed: int) -> NDArray[np.int64]:
    """At most `num` of `total` rows, in order. UserError: fewer than 50."""
    if min(num, total) < FEWEST_PICTURES:
        value = f"{total} pictures" if total < FEWEST_PICTURES else f"num {num}"
        raise UserError(value, f"a map needs at least {FEWEST_PICTURES}", "Give it more pictures")
    import torch

    order = torch.randperm(total, generator=generator(seed, "atlas/rows")).numpy()
    rows: NDArray[np.int64] = np.sort(order[:num]).astype(np.int64)
    return rows


def space_of_atlas(atlas: Atlas, pictures: PictureSet, stage: Stage = silent) -> PictureSpace:
    """The space that an atlas was made in, to find the coordinates of new pictures.

    `pictures` are its own. UserError: they are others, or the features that the atlas was made from
    are gone: those of the feature space are kept outside it, and learnt again they differ.
    """
    check_pictures(atlas, pictures)
    describe: Describe = describe_grid
    basis = atlas.basis
    if atlas.about["space"] == "feature":
        with stage("learning an image-text space") as report:
            name, extract = features_of(pictures, report)
        if name != atlas.about["features"]:
            raise UserError(
                "the atlas",
                f"was made from {atlas.about['features']} features, and here are {name} ones",
                "Make it again: add --overwrite",
            )
        describe = describe_features(extract, basis["feature_centre"], basis["feature_spread"])
    return PictureSpace(
        atlas.about["space"],
        basis["centre"],
        basis["components"],
        atlas.about["explained"],
        describe,
    )
