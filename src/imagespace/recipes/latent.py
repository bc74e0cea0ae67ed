"""A run on the latents of its pictures instead of their pixels: the same network, another grid."""

from collections.abc import Sequence

from imagespace.checkpoints import ModelConfig
from imagespace.errors import UserError
from imagespace.networks.autoencoder import Autoencoder, AutoencoderConfig
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.inspection import Inspected
from imagespace.pipeline import load_autoencoder_by_name, shipped_autoencoders
from imagespace.recipes.folder import NUM_PATCHES_A_SIDE, have_size
from imagespace.recipes.named import sketched
from imagespace.training.config import RunConfig

SPACES = ("pixel", "latent")
LATENTS_FROM_PX = 256  # docs/latent.md, "Which draws better pictures"
# Whitened latents have little of the redundancy of pixels, so that noise hides them sooner: times
# are drawn evenly about the middle and steps are not shifted (arXiv 2403.03206, section 3.1).
LATENT_LOGIT_MEAN, LATENT_TIME_SHIFT = 0.0, 1.0


def check_space(space: str, autoencoder: str | None) -> None:
    """Errors: UserError for an unknown space, or an autoencoder where none is used."""
    if space not in SPACES:
        raise UserError(
            f"--space {space}", "there is no such space", f"Use one of {', '.join(SPACES)}"
        )
    if space == "pixel" and autoencoder is not None:
        raise UserError(
            f"--autoencoder {autoencoder}",
            "pixels need none",
            "Add --space latent, or leave it out",
        )


def autoencoder_for(recipe: str, name: str | None) -> tuple[Autoencoder, str]:
    """The named autoencoder, or the one shipped for a recipe, and the SHA-256 of its tensors.

    Errors: UserError if there is none, or its file is damaged or foreign.
    """
    if name is None:
        name = f"{recipe}-autoencoder"
        if name not in shipped_autoencoders():
            raise UserError(
                "--space latent",
                f"no autoencoder is shipped for the recipe {recipe}",
                "Train one with `imagespace train FOLDER --recipe autoencoder --out AE`, and add "
                "--autoencoder AE",
            )
    return load_autoencoder_by_name(name)


def suited_size(autoencoder: AutoencoderConfig, looks: Sequence[Inspected]) -> int | None:
    """The size that it was trained on; None if that is not known, or pictures have less.

    `looks` are those of some of the pictures.
    """
    size = autoencoder.trained_size_px
    if size is None or size % NUM_PATCHES_A_SIDE or not have_size(looks, size):
        return None
    return size if _is_cut_evenly(autoencoder.latent_shape(size)[1]) else None


def scale_warning(model: ModelConfig) -> str | None:
    """What a run on pictures of half the size that its autoencoder was trained on, or less, loses.

    Convolutions encode any size, but strokes that are half as wide are none that it learnt.
    """
    autoencoder = model.autoencoder
    if autoencoder is None or autoencoder.trained_size_px is None:
        return None
    size_px, trained_px = model.picture_shape[-1], autoencoder.trained_size_px
    if 2 * size_px > trained_px:
        return None
    return (
        f"the autoencoder was trained on pictures of {trained_px} px, and these have {size_px}: "
        f"its copies lose details. Train one with --recipe autoencoder --size {size_px}."
    )


def latent_advice(model: ModelConfig, is_new: bool) -> str | None:
    """What draws better in the same time than a new run on the pixels of large pictures."""
    size_px = model.picture_shape[-1]
    if not is_new or model.autoencoder is not None or size_px < LATENTS_FROM_PX:
        return None
    return (
        f"pictures of {size_px} px are drawn better in the same time among latents: train an "
        "autoencoder (--recipe autoencoder --out AE), then add --space latent --autoencoder AE."
    )


def _is_cut_evenly(side: int) -> bool:
    """Whether latents of this side are 8 x 8 patches; of a smaller grid every place is one."""
    return side <= NUM_PATCHES_A_SIDE or side % NUM_PATCHES_A_SIDE == 0


def in_latents(config: RunConfig, autoencoder: AutoencoderConfig, sha256: str) -> RunConfig:
    """The run on latents: 8 x 8 patches of the latent grid, so that a step asks as many tokens.

    UserError: the autoencoder is of pictures of other channels, its downsampling does not divide
    their size, or their latents cannot be cut evenly.
    """
    network = config.model.network
    assert isinstance(network, TransformerConfig)
    size_px, channels = network.image_size_px, network.num_channels
    kinds = {1: "grey", 3: "colour"}
    if autoencoder.num_channels != channels:
        raise UserError(
            "--autoencoder",
            f"is of {kinds.get(autoencoder.num_channels)} pictures, and these are "
            f"{kinds.get(channels)}",
            "Name one that was trained on such pictures",
        )
    factor = autoencoder.downsampling
    if size_px % factor:
        raise UserError(
            f"--size {size_px}",
            f"the autoencoder's downsampling of {factor} does not divide it",
            f"Use {size_px // factor * factor or factor}",
        )
    latent_channels, side, _ = autoencoder.latent_shape(size_px)
    if not _is_cut_evenly(side):
        step = factor * NUM_PATCHES_A_SIDE
        raise UserError(
            f"--size {size_px}",
            f"its latents, {side} a side, cannot be cut into 8 x 8 patches",
            f"Use {max(step, size_px // step * step)}",
        )
    changes = {
        "image_size_px": side,
        "num_channels": latent_channels,
        # Of a smaller grid every place is a patch.
        "patch_size_px": max(1, side // NUM_PATCHES_A_SIDE),
    }
    network = network.model_copy(update=changes)
    if network.sketch_side_px:
        network = sketched(network)
    model, training = config.model, config.training
    objective = model.objective.model_copy(update={"logit_mean": LATENT_LOGIT_MEAN})
    sampling = model.sampling.model_copy(update={"time_shift": LATENT_TIME_SHIFT})
    latent = model.model_copy(
        update={
            "network": network,
            "objective": objective,
            "sampling": sampling,
            "autoencoder": autoencoder,
            "autoencoder_sha256": sha256,
        }
    )
    return RunConfig(recipe=config.recipe, model=latent, training=training)
