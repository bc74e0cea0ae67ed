"""From what a user asks of a run on pictures to its configuration."""

from dataclasses import dataclass
from pathlib import Path

from imagespace.errors import UserError
from imagespace.pictures.decoding import FITS
from imagespace.pictures.inspection import readable_looks
from imagespace.pictures.layouts.recognise import find_pictures
from imagespace.pipeline import Model, load_autoencoder_by_name
from imagespace.recipes.folder import for_folder, suited_recipe
from imagespace.recipes.initial import check_initial, from_model
from imagespace.recipes.latent import autoencoder_for, check_space, in_latents, suited_size
from imagespace.recipes.named import (
    Budget,
    check_depth,
    check_network,
    network_sized,
    recipe,
    varied,
    with_depth,
)
from imagespace.training.config import RunConfig


@dataclass(frozen=True)
class PictureOptions:
    """What the user asked of a run on pictures; None is what suits the folder.

    `initial` is the model that the run goes on from; it settles the network but for its depth, and
    the fit and size of the pictures unless they are given. Of latents the size is the one that the
    autoencoder was trained on, if the pictures have it.
    """

    recipe: str | None = None
    size: int | None = None
    fit: str | None = None
    unconditional: bool = False
    flip: bool = False
    jitter: bool = False
    network: int | None = None
    space: str = "pixel"
    autoencoder: str | None = None
    initial: Model | None = None
    depth: int | None = None


def picture_config(folder: Path, asked: PictureOptions, budget: Budget, seed: int) -> RunConfig:
    """The run that was asked for, or suits the folder.

    UserError: an unknown recipe or fit, an impossible network, an option that the recipe fixes, a
    folder that cannot be read, or one without captions unless the run is to be unconditional; an
    autoencoder, or a model to begin with, that is missing or does not fit.
    """
    initial = asked.initial
    fit = asked.fit or ("pad" if initial is None else initial.config.fit)
    if fit not in FITS:
        raise UserError(f"--fit {fit!r}", "there is no such fit", f"Use one of {', '.join(FITS)}")
    if initial is not None:
        _check_settled(asked, initial)
    check_space(asked.space, asked.autoencoder)
    if asked.autoencoder is not None:
        load_autoencoder_by_name(asked.autoencoder)  # a missing one is said before a long walk
    if asked.recipe is not None:
        recipe(asked.recipe, budget, seed)  # an unknown one is said before a long walk
    if asked.network is not None:
        check_network(asked.network)
    if initial is not None:
        check_depth(asked.depth, check_initial(initial).depth)
    else:
        check_depth(asked.depth, 1)
    found = find_pictures(folder)
    is_fixed = asked.size is None and not asked.unconditional
    name = asked.recipe or (suited_recipe(found.rows) if is_fixed else "pictures")
    config = recipe(name, budget, seed)
    looks = readable_looks(folder, found.sources) if name == "pictures" else []
    is_captioned = any(row["text"] or row["also"] for row in found.rows)
    if not is_captioned and not asked.unconditional:
        raise UserError(
            str(folder),
            "none of its pictures has a caption",
            "Write captions (docs/folders.md), or train a model without prompts: --unconditional",
        )
    latent = None
    if asked.space == "latent":
        latent = autoencoder_for(config.recipe, asked.autoencoder)
    if name == "pictures":
        with_captions = is_captioned and not asked.unconditional
        size = asked.size
        if size is None and initial is not None:
            size = initial.config.picture_shape[-1]
        elif size is None and latent is not None:
            size = suited_size(latent[0].config, looks)
        config = for_folder(config, found.rows, looks, size, with_captions)
    elif asked.size is not None or asked.unconditional:
        option = "--unconditional" if asked.size is None else f"--size {asked.size}"
        raise UserError(option, f"the recipe {name} fixes it", "Use --recipe pictures")
    if asked.network is not None:
        config = network_sized(config, asked.network)
    if asked.flip or asked.jitter:
        config = varied(config, flip=asked.flip, colour=0.5 if asked.jitter else 0.0)
    model = config.model.model_copy(update={"fit": fit})
    config = config.model_copy(update={"model": model})
    if initial is not None:
        config = from_model(config, initial)
    elif latent is not None:
        autoencoder, sha256 = latent
        config = in_latents(config, autoencoder.config, sha256)
    return config if asked.depth is None else with_depth(config, asked.depth)


def _check_settled(asked: PictureOptions, initial: Model) -> None:
    """UserError: an option whose answer is that of the model to begin with."""
    settled = {
        "--network": asked.network,
        "--space": None if asked.space == "pixel" else asked.space,
        "--autoencoder": asked.autoencoder,
    }
    for option, value in settled.items():
        if value is not None:
            remedy = (
                "Leave it out; --depth adds blocks" if option == "--network" else "Leave it out"
            )
            raise UserError(f"{option} {value}", f"is settled by --from {initial.source}", remedy)
