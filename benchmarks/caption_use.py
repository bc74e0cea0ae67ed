"""How much of a picture a model takes from its caption: the error of x0_hat with and without it.

At each t the mean squared error of x0_hat (pictures in [-1, 1]) under the picture's own caption,
under another picture's, and under none, on training pictures and on unseen ones. Where the network
has sketches: which part of the variance of the small pictures they explain.

Run: python benchmarks/caption_use.py --model RUN --data DATA --num 512
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from imagespace.diffusion.denoiser import NetworkDenoiser
from imagespace.evaluation.subject import pictures_of
from imagespace.networks.sketch import pooled_text
from imagespace.pictures.split import HELD_OUT, TRAIN, VALIDATION
from imagespace.pipeline import Model, from_pixels, load
from imagespace.randomness import generator

TIMES = (0.5, 0.8, 0.95)
BATCH = 64


def errors(model: Model, x_0: Tensor, texts: dict[str, Tensor], t: float) -> dict[str, float]:
    """Mean squared error of x0_hat at t under each of `texts` [N, L, D], from the same noise."""
    eps = torch.randn(x_0.shape, generator=generator(0, "caption use"))
    x_t = model.schedule.add_noise(x_0, eps, torch.full((len(x_0),), t))
    prediction = model.config.objective.prediction
    found = {}
    for name, text in texts.items():
        total = 0.0
        for each, start, states in zip(
            x_t.split(BATCH), x_0.split(BATCH), text.split(BATCH), strict=True
        ):
            denoiser = NetworkDenoiser(model.network, model.schedule, prediction, states)
            total += (denoiser(each, torch.tensor(t)) - start).square().sum().item()
        found[name] = total / x_0.numel()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="emoji", help="shipped name, run folder or file")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--num", type=int, default=512, help="pictures of each split")
    args = parser.parse_args()
    model = load(args.model)
    pictures = pictures_of(model, args.data)
    encoder = model.encoder
    assert encoder is not None
    for split in (TRAIN, VALIDATION, HELD_OUT):
        rows = pictures.indices(split)
        order = torch.randperm(len(rows), generator=generator(0, f"caption use/{split}"))
        rows = rows[order.numpy()][: args.num]
        length = model.config.network.max_text_tokens
        own = encoder.states(encoder.encode([pictures.captions[r] for r in rows], length).token_ids)
        texts = {"own": own, "another's": own.roll(1, 0), "none": torch.zeros_like(own)}
        with torch.no_grad():
            x_0 = model.encode(from_pixels(pictures.pixels[rows].copy()))
            for t in TIMES:
                found = errors(model, x_0, texts, t)
                said = "  ".join(f"{name} {error:.4f}" for name, error in found.items())
                print(f"{split:10} t = {t:4}  {said}", flush=True)
            if side := getattr(model.config.network, "sketch_side_px", 0):
                small = F.avg_pool2d(x_0, x_0.shape[-1] // side)
                missed = (model.network.sketch(pooled_text(own)) - small).square().mean()
                variance = (small - small.mean(dim=0)).square().mean()
                print(f"{split:10} sketches explain {1 - missed / variance:.1%} of the variance")


if __name__ == "__main__":
    main()
