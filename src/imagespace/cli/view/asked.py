"""What a view asks: a model of pictures, its denoiser under a prompt, and what it drew."""

from pathlib import Path
from typing import TYPE_CHECKING

from imagespace.cli.chosen_pictures import chosen_pictures
from imagespace.cli.output import plain_warnings
from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.atlas.reading import Reading
    from imagespace.diffusion.denoiser import Denoiser
    from imagespace.pipeline import Model, SamplingOptions


def model_of_pictures(name: str) -> "Model":
    """The model of this name. UserError: as `load`, or it draws points."""
    from imagespace.pipeline import load

    loaded = load(name)
    if len(loaded.config.network.sample_shape) != 3:
        raise UserError(
            f"model {name}", "draws points, not pictures", "Use: imagespace view points"
        )
    return loaded


def denoiser_of(
    model: "Model", prompt: str, guidance: float, options: "SamplingOptions"
) -> "Denoiser":
    """The denoiser under a prompt. UserError: as `Model.prompted`, or guidance without a prompt."""
    if not 0 <= guidance <= 100:
        raise UserError(f"--guidance {guidance:g}", "must be from 0 to 100", "Use about 3")
    if guidance != 1 and not prompt:
        raise UserError("--guidance", "pulls towards a prompt, and there is none", "Give --prompt")
    with plain_warnings():
        guided: SamplingOptions = {**options, "guidance": guidance}
        return model.prompted(prompt, **guided)


def reading_of(
    model: "Model", pictures: tuple[str, str, str] | None, data: Path | None
) -> "Reading":
    """What tells ends apart: the radical judge, or the nearest of the pictures given."""
    from imagespace.atlas.reading import NearestReading, RadicalReading

    if pictures is not None:
        return NearestReading(*chosen_pictures(model, pictures, data, 0))
    if model.config.name != "glyphs":
        raise UserError(
            f"model {model.source}",
            "does not draw glyphs: no judge names its pictures",
            "Name three --pictures to colour by, with --data for rows or captions",
        )
    return RadicalReading()
