"""Is what lies between two pictures a picture? Pixels, latents and the walk from blended noise.

Ends are drawn from two seeds under each prompt; the middle of each pair is made in pixels,
in an autoencoder's latents and by the walk. How
near it is to real glyphs is 1 - cosine to the nearest of the training pictures, in the features of
the image-text space; real pictures that were not trained on are the measure of what is near.

Run: python benchmarks/between.py --data glyphs --figure between.png
"""

import argparse
import platform
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import imagespace
from imagespace.diffusion.composition import Composition
from imagespace.diffusion.denoiser import Denoiser, NetworkDenoiser
from imagespace.diffusion.guidance import Guidance
from imagespace.diffusion.samplers import DDIM, walk
from imagespace.diffusion.spacing import step_times
from imagespace.evaluation.image_text_space import ImageTextSpace
from imagespace.evaluation.space_training import space_of
from imagespace.networks.autoencoder import Autoencoder
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pictures.folder import read_folder
from imagespace.pipeline import (
    Stop,
    from_pixels,
    load_autoencoder_by_name,
    morph_settings,
    pixels_to_image,
    to_pixels,
)
from imagespace.randomness import picture_noise
from imagespace.text.vectors import load_text_encoder

PROMPTS = ("fish", "bird", "tree", "water", "fire", "horse")
SEEDS = (0, 1)
TOKEN_PAIRS = (("fish", "bird"), ("a very big old tree", "fire"), ("water", "to speak loudly"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of glyphs")
    parser.add_argument("--num-training", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--figure", type=Path, help="PNG: in pixels, in latents, through the noise")
    parser.add_argument("--tokens", action="store_true", help="also blend token states, and stop")
    args = parser.parse_args()
    model = imagespace.load("glyphs")
    pictures = read_folder(args.data, 128, 1)
    space = space_of(pictures, load_text_encoder())
    random = np.random.default_rng(0)
    training = np.sort(random.choice(pictures.indices("train"), args.num_training, replace=False))
    unseen = np.sort(random.choice(pictures.indices("validation"), 200, replace=False))
    real = unit(space, pictures.pixels[training])
    if args.tokens:
        compare_blends(model, space, real)
        return
    print(f"real, not trained on: {distances(space, pictures.pixels[unseen], real)}")
    settings = {"num_steps": args.steps, "sampler": "ddim"}
    autoencoder, _ = load_autoencoder_by_name("glyphs-autoencoder")
    walked, faded, decoded, ends = [], [], [], []
    for prompt in PROMPTS:
        stops = [Stop(prompt, seed) for seed in SEEDS]
        first, middle, last = model.draw(morph_settings(model, stops, 3, **settings)).pixels
        walked.append(middle)
        ends += [first, last]
        faded.append(faded_at(first, last, 0.5))
        decoded.append(decoded_at(autoencoder, first, last, 0.5))
    middles = (("cross-fade", faded), ("latents", decoded), ("walk", walked))
    for name, found in (("ends", ends), *middles):
        print(f"{name}: {distances(space, np.stack(found), real)}")
    if args.figure:
        draw_figure(model, autoencoder, args.figure, settings)
    print(f"torch {torch.__version__}, {platform.system()} on {platform.machine()}")


def faded_at(first: NDArray[np.uint8], last: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """The two pictures [H, W, C] mixed in pixels."""
    a, b = from_pixels(first[None]), from_pixels(last[None])
    return to_pixels(torch.lerp(a, b, share))[0]


def decoded_at(
    autoencoder: Autoencoder, first: NDArray[np.uint8], last: NDArray[np.uint8], share: float
) -> NDArray[np.uint8]:
    """The two pictures [H, W, C] mixed in the autoencoder's latents."""
    with torch.no_grad():
        a, b = (autoencoder.encode(from_pixels(each[None])) for each in (first, last))
        return to_pixels(autoencoder.decode(torch.lerp(a, b, share)))[0]


def unit(space: ImageTextSpace, pixels: NDArray[np.uint8]) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(space(pixels)), dim=1)


def distances(space: ImageTextSpace, pixels: NDArray[np.uint8], real: torch.Tensor) -> str:
    nearest = 1 - (unit(space, pixels) @ real.T).amax(dim=1)
    error = float(nearest.std()) / len(nearest) ** 0.5
    return f"{float(nearest.mean()):.3f} +- {error:.3f} from the nearest training picture"


def compare_blends(model: imagespace.Model, space: ImageTextSpace, real: torch.Tensor) -> None:
    """Strips of nine by blended answers, as morphs are drawn, and by blended token states."""
    shares, shape = torch.linspace(0, 1, 9), (1, 128, 128)
    times = step_times(10, model.schedule, "uniform", 2.0)
    none, one_each = model.denoiser([""] * 9), shares.view(-1, 1, 1)
    for name in ("answers", "token states"):
        largest, middles = [], []
        for first, second in TOKEN_PAIRS:
            a, b = (model.denoiser([prompt] * 9) for prompt in (first, second))
            blended: Denoiser = Composition([a, b], torch.stack([1 - shares, shares]), none)
            if name == "token states":
                states = torch.lerp(a.condition, b.condition, one_each)
                prediction = model.config.objective.prediction
                blended = NetworkDenoiser(model.network, model.schedule, prediction, states)
            guided = Guidance(blended, none, 3.0, (0.1, 0.95))
            for seed in SEEDS:
                eps = picture_noise(shape, seed, "start", [0]).expand(9, *shape)
                with torch.inference_mode():
                    for step in walk(guided, eps, times, DDIM(), no_noise):  # noqa: B007
                        pass
                moves = step.x_next.diff(dim=0).square().mean(dim=(1, 2, 3)).sqrt()
                largest.append(float(moves.max()))
                middles.append(to_pixels(step.x_next[3:6]))
        print(
            f"{name}: largest step {np.mean(largest):.3f} root mean square; middle three "
            f"{distances(space, np.concatenate(middles), real)}"
        )


def no_noise(index: int) -> torch.Tensor:
    raise AssertionError("DDIM draws none")


def draw_figure(
    model: imagespace.Model, autoencoder: Autoencoder, path: Path, settings: dict[str, object]
) -> None:
    """Seven pictures from a fish to a bird: in pixels, in latents, through the noise."""
    stops = [Stop("fish", 0), Stop("bird", 7)]
    drawn = model.draw(morph_settings(model, stops, 7, **settings))  # type: ignore[arg-type]
    first, last = drawn.pixels[0], drawn.pixels[-1]
    shares = [number / 6 for number in range(7)]
    images: list[Image.Image] = [
        *(pixels_to_image(faded_at(first, last, share)) for share in shares),
        *(pixels_to_image(decoded_at(autoencoder, first, last, share)) for share in shares),
        *drawn,
    ]
    labels = [label for name in ("cross-fade", "latents", "morph") for label in (name, *[""] * 6)]
    contact_sheet(images, labels, 7).save(path)


if __name__ == "__main__":
    main()
