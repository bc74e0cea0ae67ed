"""What a model cannot be asked for, told before anything is drawn."""

import warnings
from typing import TYPE_CHECKING

from imagespace.errors import UserError
from imagespace.pipeline.settings import PromptWarning

if TYPE_CHECKING:
    from imagespace.pipeline.model import Model


def check_prompt(model: "Model", text: str, truncate: bool) -> None:
    """Warns of words that cannot be read, or only in pieces.

    Errors: UserError for a prompt without a readable word, or of a model without text; unless
    `truncate`, for one beyond the model's tokens.
    """
    if model.encoder is None:
        if text:
            raise UserError(
                f"prompt {text!r}", "this model was trained without text", "Leave it out"
            )
        return
    length = model.config.network.max_text_tokens
    for message in model.encoder.check_prompt(text, length, truncate):
        warnings.warn(message, PromptWarning, stacklevel=4)


def check_guidance(
    model: "Model",
    negative: str,
    weaker: "Model | None",
    guidance: float,
    rescale: float | None = None,
) -> None:
    """Errors: UserError for guidance with nothing to guide by, or by what does not fit.

    `rescale` is what was asked for, if anything.
    """
    if model.encoder is None and weaker is None and guidance != 1:
        raise UserError(
            f"guidance {guidance:g}",
            "this model was trained without text: there is nothing to guide by",
            "Use guidance 1, or a weaker model to guide away from",
        )
    if rescale and guidance == 1:
        raise UserError(
            f"rescale {rescale:g}",
            "acts through guidance, which is off at 1",
            "Raise the guidance to about 3, or leave it out",
        )
    if negative and weaker is not None:
        raise UserError(
            f"negative prompt {negative!r}",
            "guidance goes away from it or from a weaker model, not both",
            "Leave out one of them",
        )
    if (negative or weaker is not None) and guidance == 1:
        what = f"negative prompt {negative!r}" if negative else f"weaker model {weaker.source}"  # type: ignore[union-attr]
        raise UserError(
            what, "acts through guidance, which is off at 1", "Raise the guidance to about 3"
        )
    if weaker is not None:
        shapes = (model.config.network.sample_shape, weaker.config.network.sample_shape)
        if shapes[0] != shapes[1] or model.config.objective.schedule != (
            weaker.config.objective.schedule
        ):
            raise UserError(
                f"weaker model {weaker.source}",
                "draws another shape or on another schedule",
                "Name an earlier checkpoint of the same run",
            )
        if model.config.autoencoder_sha256 != weaker.config.autoencoder_sha256:
            raise UserError(
                f"weaker model {weaker.source}",
                "works in another space: its autoencoder is not this model's",
                "Name an earlier checkpoint of the same run",
            )
