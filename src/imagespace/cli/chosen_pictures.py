"""Which pictures a view takes: those that `--pictures` names, or some of a whole folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from imagespace.cli.output import plain_warnings
from imagespace.cli.progress import progress_bar
from imagespace.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from imagespace.pipeline import Model

STEPS_OF_A_DRAWING = 12


def chosen_pictures(
    model: "Model", wanted: tuple[str, str, str], data: Path | None, seed: int
) -> tuple["Tensor", list[str]]:
    """Three pictures [3, C, H, W] in [-1, 1] and their names.

    Each word names a file, or with the folder `data` a row or a caption of it; any other word the
    model draws first, from `seed`. UserError: it names none of these.
    """
    import torch

    from imagespace.pictures.layouts.found import is_picture
    from imagespace.pipeline import from_pixels, start_from
    from imagespace.pipeline.start import start_tensors

    folder = None
    if data is not None:
        from imagespace.evaluation.subject import pictures_of

        with progress_bar("reading pictures") as report:
            folder = pictures_of(model, data, report)
    found, names, shape = [], [], model.config.picture_shape
    for word in wanted:
        path = Path(word)
        if folder is None and (path.is_file() or is_picture(word)):
            found.append(start_tensors(start_from(path), shape, model.config.fit)[0])
            names.append(path.stem)
        elif folder is None:
            if model.encoder is None:
                raise UserError(
                    f"picture {word!r}", "is no file, and this model draws no words", "Name a file"
                )
            with plain_warnings():
                steps = model.walk(word, 1, seed, num_steps=STEPS_OF_A_DRAWING, sampler="dpmpp_2m")
                x = model.decode(list(steps)[-1].x_next)[0]
            found.append(x.clamp(-1, 1))
            names.append(word)
        else:
            row = _row(word, folder.captions, folder.alternatives)
            found.append(from_pixels(folder.pixels[row : row + 1].copy())[0])
            names.append(folder.captions[row].split(";")[0][:24] or f"row {row}")
    return torch.stack(found), names


def some_pictures(model: "Model", data: Path, num: int, seed: int) -> "Tensor":
    """At most `num` pictures of a folder at random, [N, C, H, W] in [-1, 1]."""
    import torch

    from imagespace.evaluation.subject import pictures_of
    from imagespace.pipeline import from_pixels
    from imagespace.randomness import generator

    with progress_bar("reading pictures") as report:
        folder = pictures_of(model, data, report)
    order = torch.randperm(len(folder), generator=generator(seed, "view/set"))[:num]
    return from_pixels(folder.pixels[order.sort().values.numpy()])


def _row(word: str, captions: list[str], alternatives: list[list[str]]) -> int:
    if word.isdecimal():
        if int(word) < len(captions):
            return int(word)
        raise UserError(f"row {word}", f"the folder has {len(captions):,}", "Name an earlier one")
    for row, caption in enumerate(captions):
        if word == caption or word in alternatives[row]:
            return row
    for row, caption in enumerate(captions):
        if word.lower() in caption.lower():
            return row
    raise UserError(f"picture {word!r}", "no caption of the folder has it", "Name a row's number")
