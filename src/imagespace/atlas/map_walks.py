"""Walks of a model on a map: where each step stands and what it sees, and what that looks like."""

import hashlib
import io
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagespace.atlas.atlas import UNREADABLE, Atlas, damaged, write_whole
from imagespace.atlas.made_from import check_made_from
from imagespace.atlas.sprites import Sprites, shrink, sprites_from_sheet
from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.atlas.space import PictureSpace
    from imagespace.pictures.folder import PictureSet
    from imagespace.pipeline import Model

WALKS_FILE, WALK_SPRITES_FILE = "walks.npz", "walk-sprites"
NUM_STEPS = 25
MOST_SEEN = 200  # walks whose thumbnails are kept: more could not be looked at


@dataclass(frozen=True)
class Walks:
    """W walks of T steps on the map of an atlas.

    At step j the walk stands at x_t with t = `times[j]` and sees x0_hat. Of x0_hat: `positions`
    [W, T, 2] on the map, `nearest` [W, T] the nearest real picture (row of the atlas), `ratio`
    [W, T] how far from it (projection.py); `seen` uint8 [V, T, S, S, C] are its thumbnails in the
    first V = min(W, 200) walks. Of x_t: `x_t_positions` [W, T, 2] and `x_t_ratio` [W, T].
    `prompts` [W]; `about` what the walks were made from.
    """

    positions: NDArray[np.float32]
    nearest: NDArray[np.int64]
    ratio: NDArray[np.float32]
    x_t_positions: NDArray[np.float32]
    x_t_ratio: NDArray[np.float32]
    seen: NDArray[np.uint8]
    times: NDArray[np.float32]
    prompts: list[str]
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def is_off_map(self) -> NDArray[np.bool_]:
        """[W, T]: x0_hat looks like no real picture; its position is where the nearest lie."""
        return self.ratio > 1

    @property
    def x_t_is_off_map(self) -> NDArray[np.bool_]:
        """[W, T]: where a walk stands is no picture, and its place a guess, until near the end."""
        return self.x_t_ratio > 1

    def save(self, folder: Path) -> None:
        """Writes the walks into the folder of their atlas."""
        num, steps, size, _, channels = self.seen.shape
        flat = Sprites(self.seen.reshape(num * steps, size, size, channels))
        text = {"prompts": self.prompts, "about": self.about, "size": size, "channels": channels}
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            positions=self.positions,
            nearest=self.nearest.astype(np.int32),
            ratio=self.ratio,
            x_t_positions=self.x_t_positions,
            x_t_ratio=self.x_t_ratio,
            times=self.times,
            text=np.frombuffer(json.dumps(text, ensure_ascii=False).encode(), np.uint8),
        )
        # Thumbnails of other walks must never lie beside these.
        (folder / WALKS_FILE).unlink(missing_ok=True)
        write_whole(folder / WALK_SPRITES_FILE, flat.as_webp())
        write_whole(folder / WALKS_FILE, buffer.getvalue())


def load_walks(folder: Path, about: dict[str, Any]) -> Walks | None:
    """The walks that an atlas folder keeps, if they were made from exactly this; else None.

    None too for a file of a version that did not keep where x_t lies. UserError: they are damaged.
    """
    file = folder / WALKS_FILE
    if not file.is_file():
        return None
    try:
        with file.open("rb") as opened, np.load(opened) as stored:
            arrays = dict(stored)
        text = json.loads(arrays["text"].tobytes())
        if text["about"] != about or "x_t_positions" not in arrays:
            return None
        shape = arrays["nearest"].shape
        with Image.open(folder / WALK_SPRITES_FILE) as sheet:
            num_seen = min(shape[0], MOST_SEEN)
            flat = sprites_from_sheet(sheet, num_seen * shape[1], text["size"], text["channels"])
        return Walks(
            arrays["positions"],
            arrays["nearest"].astype(np.int64),
            arrays["ratio"],
            arrays["x_t_positions"],
            arrays["x_t_ratio"],
            flat.pixels.reshape(num_seen, shape[1], *flat.pixels.shape[1:]),
            arrays["times"],
            text["prompts"],
            text["about"],
        )
    except UNREADABLE:
        raise damaged(folder) from None


def about_walks(
    atlas: Atlas, num: int, num_steps: int, seed: int, prompts: Sequence[str]
) -> dict[str, Any]:
    """All that walks depend on: what a kept file must equal to be used again."""
    known = ("model_sha256", "data_key", "space", "features", "seed")
    return {
        "atlas": {key: atlas.about[key] for key in (*known, "num")},
        # Another version of UMAP makes another map of the same pictures and seed.
        "positions": hashlib.blake2b(atlas.positions.tobytes(), digest_size=16).hexdigest(),
        "num": num,
        "num_steps": num_steps,
        "seed": seed,
        "prompts": list(prompts),
    }


def check_walks(num: int, num_steps: int) -> None:
    """UserError: an impossible number of walks or steps."""
    if not 1 <= num <= 10_000:
        raise UserError(f"{num} walks", "must be from 1 to 10,000", "Use about 1000")
    if not 2 <= num_steps <= 200:
        raise UserError(f"{num_steps} steps", "must be from 2 to 200", "Use about 25")


def walk_on_map(
    atlas: Atlas,
    model: "Model",
    pictures: "PictureSet",
    space: "PictureSpace",
    num: int = 1000,
    num_steps: int = NUM_STEPS,
    seed: int = 0,
    prompts: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Walks:
    """Walks `num` times and follows each on the map.

    The prompts are shared out in turn; without any they are the captions of pictures that training
    did not see (of those that it saw, where there are no others), or none for a model without text.
    Of a map of latents a walk's own points are placed, and decoded only to be seen. UserError: a
    prompt that cannot be read, or an atlas of other weights or pictures or made in another space.
    """
    from imagespace.atlas.latents import channels_last
    from imagespace.evaluation.subject import Subject
    from imagespace.pipeline import LARGEST_BATCH, PromptWarning
    from imagespace.precision import fastest_dtype

    check_walks(num, num_steps)
    check_made_from(atlas, model, pictures, space)
    subject = Subject(model, pictures, num, seed, fastest_dtype())
    if prompts:
        settings = subject.settings_for(_shared(prompts, num), num_steps=num_steps)  # type: ignore[arg-type]
    elif subject.is_captioned:
        captions = [pictures.captions[row] for row in subject.sample_rows]
        with warnings.catch_warnings():
            # Captions are the set's own: that a word of them is unknown is no news.
            warnings.simplefilter("ignore", PromptWarning)
            settings = subject.settings_for(_shared(captions, num), num_steps=num_steps)  # type: ignore[arg-type]
    else:
        settings = subject.settings(num_steps=num_steps)  # type: ignore[arg-type]
    found: dict[str, list[NDArray[Any]]] = {}
    times: list[float] = []
    for start in range(0, num, LARGEST_BATCH):
        batch: dict[str, list[NDArray[Any]]] = {}
        times = []
        for step in subject.steps(settings[start : start + LARGEST_BATCH]):
            x0_hat, x_t = step.x0_hat.float(), step.x_t.float()
            num_seen = min(max(0, MOST_SEEN - start), len(x_t))
            if space.name == "latent":
                shown = model.pixels(x0_hat[: max(1, num_seen)])
                on_map = atlas.projection(space.coordinates(channels_last(x0_hat)))
                where = atlas.projection(space.coordinates(channels_last(x_t)))
            else:
                # A picture has values in [-1, 1]; noise is left as it is.
                shown = model.pixels(x0_hat)
                on_map = atlas.projection(space.coordinates(shown))
                where = atlas.projection(space.coordinates(channels_last(model.decode(x_t))))
            for name, value in (
                ("positions", on_map.positions),
                ("nearest", on_map.nearest),
                ("ratio", on_map.ratio),
                ("x_t_positions", where.positions),
                ("x_t_ratio", where.ratio),
                ("seen", shrink(shown[:num_seen])),
            ):
                batch.setdefault(name, []).append(value)
            times.append(step.t)
            if progress is not None:
                done = start * num_steps + (step.index + 1) * len(x0_hat)
                progress(min(done, num * num_steps), num * num_steps)
        for name, values in batch.items():
            found.setdefault(name, []).append(np.stack(values, axis=1))
    arrays = {name: np.concatenate(parts) for name, parts in found.items()}
    return Walks(
        times=np.array(times, dtype=np.float32),
        prompts=[each.prompt for each in settings],
        about=about_walks(atlas, num, num_steps, seed, prompts),
        **arrays,
    )


def _shared(prompts: Sequence[str], num: int) -> list[str]:
    return [prompts[index % len(prompts)] for index in range(num)]
