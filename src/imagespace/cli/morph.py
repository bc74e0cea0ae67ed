"""`imagespace morph`: from one prompt, noise or picture to the next, as a strip and a film."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from imagespace.cli.output import check_out_file, check_png_name, free_name, plain_warnings
from imagespace.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

    from imagespace.pipeline import Pictures, Stop

Value = TypeVar("Value")
FRAME_MS, STOP_MS = 90, 900
SMALLEST_FILM_PX = 256


def morph(
    stops: Annotated[
        list[str] | None, typer.Argument(help="Prompts, or picture files, to pass through.")
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Of the noise: one for all stops, or repeated for each."),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(help="Of picture stops: one for all, or each; else their own, or none."),
    ] = None,
    frames: Annotated[
        int, typer.Option(help="Pictures from each stop to the next, both included.")
    ] = 9,
    steps: Annotated[int | None, typer.Option(help="Steps of each walk.")] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Pull of the prompts; 1 is off, as for pictures.")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="As of generate.")] = None,
    negative: Annotated[str, typer.Option(help="What to walk away from.")] = "",
    model: Annotated[
        str | None,
        typer.Option(help="A shipped model (glyphs, the default), a run folder or a weights file."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="PNG of the strip.")] = None,
    film: Annotated[Path | None, typer.Option(help="Also save a film, .webp or .gif.")] = None,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Cut prompts that are too long.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Morph between prompts, noises (--seed 0 --seed 1) or pictures."""
    named = _stops(stops or [], seed or [0], prompt or [])
    target = out or free_name(Path(), " to ".join(_name(stop) for stop in named), ".png")
    check_png_name(target)
    check_out_file(target, overwrite)
    if film is not None:
        from imagespace.pictures.film import check_film_name

        check_film_name(film)
        check_out_file(film, overwrite)
    started = time.perf_counter()
    from imagespace.cli.generate import draw_watched
    from imagespace.pipeline import DEFAULT_MODEL, load, morph_settings

    loaded = load(model or DEFAULT_MODEL)
    if loaded.encoder is None and not prompt:
        # Nobody gave the prompts that pictures of another model bring, and this one reads none.
        named = [replace(one, prompt="") if one.picture else one for one in named]
    with plain_warnings():
        settings = morph_settings(
            loaded,
            named,
            frames,
            negative,
            truncate,
            num_steps=steps,
            guidance=guidance,
            sampler=sampler,
        )
    pictures, _ = draw_watched(loaded, settings)
    pictures.save(target)
    if film is not None:
        _save_film(film, pictures)
        print(film)
    seconds = time.perf_counter() - started
    print(f"{target}  ({len(pictures)} pictures in {seconds:.1f} s)")


def _stops(words: list[str], seeds: list[int], prompts: list[str]) -> "list[Stop]":
    """Prompts or pictures in order, each with its seed.

    UserError: no stop, a number of seeds or prompts that fits none, or prompts for prompts.
    """
    from imagespace.pipeline import Stop

    if not words:
        raise UserError("stops", "there are none", "Try: imagespace morph fish bird")
    if len(words) == 1 and len(seeds) > 1:
        words = words * len(seeds)
    seeds = _one_each("--seed", seeds, len(words))
    is_picture = [_is_picture(word) for word in words]
    if not any(is_picture):
        if prompts:
            raise UserError(
                "--prompt",
                "says under which words a picture is inverted",
                "Name pictures, or give the prompts as the stops",
            )
        return [Stop(word, seed) for word, seed in zip(words, seeds, strict=True)]
    own = prompts or [_prompt_of(word) if is_picture[n] else "" for n, word in enumerate(words)]
    under = _one_each("--prompt", own, len(words))
    return [
        Stop(text, number, Path(word)) if picture else Stop(word, number)
        for word, number, text, picture in zip(words, seeds, under, is_picture, strict=True)
    ]


def _one_each(option: str, values: list[Value], num: int) -> list[Value]:
    if len(values) not in (1, num):
        raise UserError(
            f"{option} given {len(values)} times",
            f"there are {num} stops",
            "Give it once for all of them, or once for each",
        )
    return values if len(values) == num else values * num


def _is_picture(word: str) -> bool:
    from imagespace.pictures.layouts.found import PICTURE_SUFFIXES

    return Path(word).suffix.lower() in PICTURE_SUFFIXES


def _prompt_of(picture: str) -> str:
    """The prompt that a picture of ours was drawn by; "" of any other."""
    from imagespace.pictures.png_settings import read_settings

    try:
        settings, only = read_settings(Path(picture))
    except UserError:
        return ""
    return str(settings[only or 0]["prompt"]) if only is not None or len(settings) == 1 else ""


def _name(stop: "Stop") -> str:
    return stop.prompt if stop.picture is None else stop.picture.stem


def _save_film(path: Path, pictures: "Pictures") -> None:
    """Every picture in turn, resting at the stops, enlarged if it is small."""
    from imagespace.pictures.film import save_film

    durations = [FRAME_MS if s.towards is not None else STOP_MS for s in pictures.settings]
    save_film(path, [_enlarged(picture) for picture in pictures], durations)


def _enlarged(picture: "Image.Image") -> "Image.Image":
    from PIL import Image

    factor = -(-SMALLEST_FILM_PX // picture.width)
    size = (factor * picture.width, factor * picture.height)
    return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
