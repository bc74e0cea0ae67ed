"""`imagespace field` and `imagespace likelihood`: what the model answers at a point."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagespace.cli.output import check_out_file, check_png_name, free_name, plain_warnings
from imagespace.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from imagespace.pipeline import Model


def field(
    prompt: Annotated[str, typer.Argument(help="In English; may be left out with --picture.")] = "",
    show: Annotated[
        str, typer.Option(help="direction, score, eps, velocity, or prompt: what it changes.")
    ] = "direction",
    at: Annotated[float, typer.Option(help="Time: above 0 (clean) to 1 (noise).")] = 0.6,
    picture: Annotated[
        Path | None, typer.Option(help="A point: this picture with noise, not one of a walk.")
    ] = None,
    num: Annotated[int, typer.Option(help="Points.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    model: Annotated[str, typer.Option(help="A model's name, run folder or file.")] = "glyphs",
    out: Annotated[Path | None, typer.Option(help="PNG to write.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Show which pixels the model would brighten (blue) and darken (orange) at a point."""
    if num < 1:
        raise UserError(f"--num {num}", "at least one point must be shown", "Use 1 or more")
    target = out or free_name(Path(), f"{show} {prompt}", ".png")
    check_png_name(target)
    check_out_file(target, overwrite)
    import torch

    from imagespace.pictures.contact_sheet import contact_sheet
    from imagespace.pictures.signed import signed_picture
    from imagespace.pipeline import PromptWarning, load, pixels_to_image, start_from
    from imagespace.randomness import picture_noise

    loaded = load(model)
    with plain_warnings():
        loaded.check_field(show, at, prompt)
    shape = loaded.config.network.sample_shape
    if len(shape) != 3:
        raise UserError(f"model {model}", "draws points, not pictures", "Name another model")
    if picture is None and not prompt and loaded.encoder is not None:
        raise UserError(
            "prompt", "there is none to walk by", "Give one, or a --picture to stand at"
        )
    # What there is to say of the prompt has been said.
    warnings.simplefilter("ignore", PromptWarning)
    if picture is None:
        x_t, at = _point_of_a_walk(loaded, prompt, num, seed, at)
    else:
        x_0, _ = loaded.start_samples(start_from(picture))
        eps = picture_noise(shape, seed, "field", range(num))
        x_t = loaded.schedule.add_noise(x_0.expand(eps.shape), eps, torch.tensor(at))
    seen = x_t + loaded.field("direction", x_t, at, prompt)
    if loaded.autoencoder is None or show not in ("direction", "prompt"):
        # Of latents: how the picture changes as they set off along the field.
        answer = loaded.decoded_change(x_t, loaded.field(show, x_t, at, prompt))
    else:
        # Differences of latents are no pictures: the difference of the pictures is shown.
        before = x_t if show == "direction" else x_t + loaded.field("direction", x_t, at)
        answer = loaded.decode(seen) - loaded.decode(before)
    images, labels = [], []
    for where, clean, values in zip(loaded.pixels(x_t), loaded.pixels(seen), answer, strict=True):
        signed, extent = signed_picture(values)
        images += [pixels_to_image(where), pixels_to_image(clean), signed]
        labels += [f"x_t, t = {at:.2f}", "what it sees", f"{show}, ±{extent:.2g}"]
    contact_sheet(images, labels, 3 if num < 3 else 6).save(target)
    print(target)


def _point_of_a_walk(
    model: "Model", prompt: str, num: int, seed: int, at: float
) -> tuple["Tensor", float]:
    """(x_t, t) of the first step of a walk at or below time `at`, or of its last."""
    for step in model.walk(prompt, num, seed):
        if step.t <= at:
            break
    return step.x_t, step.t


def likelihood(
    pictures: Annotated[list[Path], typer.Argument(help="PNG, JPEG, WebP...")],
    prompt: Annotated[str, typer.Option(help="Under this prompt; none by default.")] = "",
    seed: Annotated[int, typer.Option(help="Of the noise and the probes.")] = 0,
    steps: Annotated[int, typer.Option(help="Of the Runge-Kutta walk to noise.")] = 16,
    probes: Annotated[int, typer.Option(help="Random probes; more, less error.")] = 4,
    model: Annotated[str, typer.Option(help="A model's name, run folder or file.")] = "glyphs",
) -> None:
    """Bits per dimension of pictures under a model: fewer is more probable."""
    for name, value, least in (("--steps", steps, 1), ("--probes", probes, 2)):
        if value < least:
            raise UserError(f"{name} {value}", f"must be at least {least}", f"Use {4 * least}")
    from imagespace.diffusion.likelihood import BITS_OF_A_GREY_LEVEL
    from imagespace.pipeline import load, start_from
    from imagespace.pipeline.start import picture_size

    loaded = load(model)
    loaded.check_draws_pixels("bits per dimension")
    size = tuple(reversed(loaded.config.network.sample_shape[1:]))
    for picture in pictures:
        if picture_size(picture) != size:
            raise UserError(
                f"{picture} of {'x'.join(map(str, picture_size(picture)))}",
                f"this model's samples are {'x'.join(map(str, size)) or 'points'}",
                "Resize it, or name another model",
            )
        x_0, _ = loaded.start_samples(start_from(picture))
        with plain_warnings():
            found = loaded.likelihood(x_0[None], prompt, seed, num_steps=steps, num_probes=probes)
        bits, error = (float(v) for v in found.bits_per_dimension(BITS_OF_A_GREY_LEVEL))
        print(f"{picture}  {bits:.3f} ± {error:.3f} bits/dim")
