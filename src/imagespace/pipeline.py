"""From a prompt to pictures: text, walk, pixels. Everything that draws consumes its `Step`s."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from imagespace.checkpoints import (
    ModelConfig,
    SamplingConfig,
    load_model_file,
    tensors_sha256,
)
from imagespace.diffusion.denoiser import NetworkDenoiser
from imagespace.diffusion.guidance import ClassifierFreeGuidance
from imagespace.diffusion.samplers import SAMPLERS, Step, step_times, walk
from imagespace.errors import UserError
from imagespace.networks.transformer import PatchTransformer
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pictures.png_settings import save_png
from imagespace.randomness import picture_noise
from imagespace.text.vectors import TextEncoder, load_text_encoder

# Pictures walked at once: bounds the memory, and changes no picture.
LARGEST_BATCH = 64
DEFAULT_MODEL = "glyphs"


class PromptWarning(UserWarning):
    """Part of a prompt is not read: unknown words, or those beyond the model's tokens."""


class SamplingOptions(TypedDict, total=False):
    """What a caller may change of a model's own sampling; None leaves it."""

    sampler: str | None
    num_steps: int | None
    guidance: float | None
    guidance_interval: tuple[float, float] | None
    time_shift: float | None


class PictureSettings(BaseModel):
    """All that one picture depends on; a PNG carries it, so that the picture can be drawn again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str
    negative: str = ""
    seed: int = Field(0, ge=0, lt=2**63)
    model: str
    model_sha256: str
    sampling: SamplingConfig
    num_threads: int = Field(1, ge=1, le=1024)


@dataclass(frozen=True)
class Pictures:
    """Drawn pictures: pixels uint8 [N, H, W, C] and the settings of each."""

    pixels: NDArray[np.uint8]
    settings: list[PictureSettings]

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Image.Image:
        return pixels_to_image(self.pixels[index])

    def __iter__(self) -> Iterator[Image.Image]:
        return (self[index] for index in range(len(self)))

    def grid(self) -> Image.Image:
        """All pictures in one labelled sheet; a single picture stands alone."""
        if len(self) == 1:
            return self[0]
        prompts = [settings.prompt for settings in self.settings]
        num_prompts = len(set(prompts))
        labels = [f"seed {s.seed}" if num_prompts == 1 else s.prompt for s in self.settings]
        # A prompt's pictures stay side by side, up to eight a row; one prompt makes a square.
        per_prompt = len(self) // num_prompts
        square = math.ceil(len(self) ** 0.5)
        columns = max(1, 8 // per_prompt) * per_prompt if num_prompts > 1 else square
        return contact_sheet(list(self), labels, min(8, columns))

    def save(self, path: str | Path, only: int | None = None) -> Path:
        """Writes the grid, or picture `only` of it, as a PNG.

        Either carries the settings of every picture: the last bits of a picture depend on the
        batch it was drawn in, and drawing it again shall give the same bytes.
        """
        path = Path(path)
        image = self.grid() if only is None else self[only]
        save_png(path, image, [s.model_dump(mode="json") for s in self.settings], only)
        return path

    def _repr_png_(self) -> bytes:
        """Notebooks show the grid."""
        data = self.grid()._repr_png_()
        assert isinstance(data, bytes)
        return data


class Model:
    """A trained network with its text encoder: `generate` draws, `walk` shows every step."""

    def __init__(
        self,
        config: ModelConfig,
        network: PatchTransformer,
        encoder: TextEncoder,
        sha256: str,
        source: str,
    ) -> None:
        self.config = config
        self.source = source  # the name or path that `load` finds it by
        self.network = network.eval()
        self.encoder = encoder
        self.sha256 = sha256
        self.schedule = config.objective.build_schedule()

    def settings(
        self,
        prompt: str | Sequence[str],
        num: int = 1,
        seed: int = 0,
        negative: str = "",
        truncate: bool = False,
        **sampling: Unpack[SamplingOptions],
    ) -> list[PictureSettings]:
        """The settings of `num` pictures for each prompt; picture i of a prompt has seed + i.

        Words that cannot be read are named in a warning. Errors: UserError for a prompt without a
        readable word or, unless `truncate`, beyond the model's tokens; an impossible value.
        """
        if num < 1:
            raise UserError(f"num {num}", "at least one picture must be drawn", "Use 1 or more")
        if not 0 <= seed < 2**63 - num:
            raise UserError(f"seed {seed}", "must be from 0 to 2^63 - 1", "Use such a seed")
        chosen = {key: value for key, value in sampling.items() if value is not None}
        merged = _sampling(self.config.sampling.model_dump() | chosen)
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        if not prompts:
            raise UserError("prompt", "there is none", 'Give at least one: "a fish"')
        if negative and merged.guidance == 1:
            raise UserError(
                f"negative prompt {negative!r}",
                "acts through guidance, which is off at 1",
                "Raise the guidance to about 3",
            )
        for text in dict.fromkeys([*prompts, *([negative] if negative else [])]):
            check = self.encoder.check_prompt(text, self.config.network.max_text_tokens, truncate)
            for message in check.warnings:
                warnings.warn(message, PromptWarning, stacklevel=2)
        return [
            PictureSettings(
                prompt=text,
                negative=negative,
                seed=seed + index,
                model=self.source,
                model_sha256=self.sha256,
                sampling=merged,
                num_threads=torch.get_num_threads(),
            )
            for text in prompts
            for index in range(num)
        ]

    def generate(
        self,
        prompt: str | Sequence[str],
        num: int = 1,
        seed: int = 0,
        negative: str = "",
        truncate: bool = False,
        **sampling: Unpack[SamplingOptions],
    ) -> Pictures:
        """Draws `num` pictures for each prompt; warnings and errors as in `settings`."""
        return self.draw(self.settings(prompt, num, seed, negative, truncate, **sampling))

    def walk(
        self,
        prompt: str,
        num: int = 1,
        seed: int = 0,
        negative: str = "",
        truncate: bool = False,
        **sampling: Unpack[SamplingOptions],
    ) -> Iterator[Step]:
        """Yields every `Step` of the walk of `num` pictures; tensors [num, C, H, W]."""
        return self.steps(self.settings(prompt, num, seed, negative, truncate, **sampling))

    def draw(self, settings: Sequence[PictureSettings]) -> Pictures:
        """Draws exactly these pictures, a batch at a time."""
        parts = []
        for start in range(0, len(settings), LARGEST_BATCH):
            for step in self.steps(settings[start : start + LARGEST_BATCH]):  # noqa: B007
                pass
            parts.append(to_pixels(step.x_next))
        return Pictures(np.concatenate(parts), list(settings))

    def steps(self, settings: Sequence[PictureSettings]) -> Iterator[Step]:
        """The walk of one batch; all pictures share their sampling settings."""
        sampling = settings[0].sampling
        if any(s.sampling != sampling for s in settings):
            raise ValueError("one walk has one sampler, guidance and number of steps")
        network = self.config.network
        shape = (network.num_channels, network.image_size_px, network.image_size_px)
        seeds = [s.seed for s in settings]
        conditional = self._denoiser([s.prompt for s in settings])
        unconditional = self._denoiser([s.negative for s in settings])
        denoiser = ClassifierFreeGuidance(
            conditional, unconditional, sampling.guidance, sampling.guidance_interval
        )

        def noise(index: int) -> Tensor:
            return torch.stack([picture_noise(shape, s, "step", [0], index)[0] for s in seeds])

        start = torch.stack([picture_noise(shape, s, "start", [0])[0] for s in seeds])
        times = step_times(sampling.num_steps, sampling.time_shift)
        steps = walk(denoiser, start, times, SAMPLERS[sampling.sampler](), noise)
        while True:
            # Not around the yield: inference mode would leak into the caller.
            with torch.inference_mode():
                step = next(steps, None)
            if step is None:
                return
            yield step

    def _denoiser(self, prompts: Sequence[str]) -> NetworkDenoiser:
        length = self.config.network.max_text_tokens
        text = self.encoder.states(self.encoder.encode(prompts, length).token_ids)
        return NetworkDenoiser(self.network, self.schedule, self.config.objective.prediction, text)


def _sampling(values: dict[str, Any]) -> SamplingConfig:
    if values["sampler"] not in SAMPLERS:
        raise UserError(
            f"sampler {values['sampler']!r}",
            "there is no such sampler",
            f"Use one of {', '.join(SAMPLERS)}",
        )
    try:
        return SamplingConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{name} {first['input']!r}", first["msg"].lower(), f"Change or leave out {name}"
        ) from None


def to_pixels(x: Tensor) -> NDArray[np.uint8]:
    """Pictures [N, C, H, W] in [-1, 1] as uint8 [N, H, W, C]."""
    scaled = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().numpy()


def from_pixels(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 [N, H, W, C] as float32 [N, C, H, W] in [-1, 1]; the inverse of `to_pixels`."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def pixels_to_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """One picture uint8 [H, W, C] with C = 1 (grey), 3 or 4."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def shipped_models() -> list[str]:
    """Names of the models inside the package."""
    folder = files("imagespace") / "models"
    if not folder.is_dir():
        return []
    return sorted(
        entry.name for entry in folder.iterdir() if (entry / "model.safetensors").is_file()
    )


def model_file(name_or_path: str | Path) -> Path:
    """The weights file of a shipped model's name, a run folder or a file.

    Errors: UserError if it is none of them.
    """
    name = str(name_or_path)
    if name in shipped_models():
        return Path(str(files("imagespace") / "models" / name / "model.safetensors"))
    path = Path(name)
    if path.is_file():
        return path
    if (path / "model.safetensors").is_file():
        return path / "model.safetensors"
    if path.is_dir():
        raise UserError(
            name, "is a folder without a trained model", "Name a run folder of `imagespace train`"
        )
    raise UserError(
        f"model {name!r}",
        "is neither a shipped model nor a run folder nor a weights file",
        f"Shipped: {', '.join(shipped_models()) or 'none'}; or train one with `imagespace train`",
    )


def load(name_or_path: str | Path = DEFAULT_MODEL) -> Model:
    """Loads a model by its shipped name, run folder or file.

    Errors: UserError if there is no such model, or its file is damaged, foreign or was trained
    with another text encoder.
    """
    path = model_file(name_or_path)
    tensors, config = load_model_file(path)
    encoder = load_text_encoder()
    if config.text_fingerprint != encoder.fingerprint:
        raise UserError(
            str(path),
            f"was trained with text vectors {config.text_fingerprint or '(none)'}, "
            f"not the installed {encoder.fingerprint}",
            "Install the imagespace version that it was trained with, or train it again",
        )
    network = PatchTransformer(config.network)
    try:
        network.load_state_dict(tensors)
    except RuntimeError:
        raise UserError(
            str(path),
            "holds tensors that do not fit its configuration",
            "Train a new model with `imagespace train`",
        ) from None
    return Model(config, network, encoder, tensors_sha256(tensors)[:16], str(name_or_path))
