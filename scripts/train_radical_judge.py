"""Train the radical judge on every glyph of a data folder, in five regional cuts of the font.

A tenth of the characters, chosen by a hash of the code point, is never seen in any cut; the
accuracy on their simplified-Chinese glyphs is what SOURCE.json records. One thread by default:
oneDNN's bfloat16 weight gradients spin at barriers and crawl when another process has a core.

Run: python scripts/train_radical_judge.py --data DATA
"""

import argparse
import copy
import json
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from imagespace.evaluation import wilson_interval
from imagespace.evaluation.radical_judge import (
    JUDGE_SIZE_PX,
    WEIGHTS_PATH,
    RadicalNetwork,
    is_held_out,
    load_radical_judge,
    real_glyphs,
    sha256_of,
)
from imagespace.pictures.folder import read_folder
from imagespace.pictures.glyphs import font_file
from imagespace.randomness import generator

OTHER_FACES = (0, 1, 3, 4)  # of the font collection: jp, kr, tc, hk


def render_cut(face: int, characters: list[str]) -> np.ndarray:
    """All characters in one regional cut: uint8 [N, 64, 64].

    The em box is smaller than in the data folder: a further change of scale for the training.
    """
    font = ImageFont.truetype(str(font_file()), 112, index=face)
    pictures = []
    for character in characters:
        image = Image.new("L", (128, 128), 255)
        ImageDraw.Draw(image).text((8, 106.56), character, font=font, fill=0, anchor="ls")
        pictures.append(np.asarray(image.reduce(2)))
    return np.stack(pictures)


def uniform(shape: tuple[int, ...], low: float, high: float, random: torch.Generator) -> Tensor:
    """Uniform draws in [low, high)."""
    return low + (high - low) * torch.rand(shape, generator=random)


def deform(ink: Tensor, random: torch.Generator) -> Tensor:
    """Shift, scale, shear and bend each picture of ink [N, 1, S, S] at random."""
    n = len(ink)
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0] = uniform((n,), 0.89, 1.13, random)
    affine[:, 1, 1] = uniform((n,), 0.89, 1.13, random)
    affine[:, 0, 1] = uniform((n,), -0.07, 0.07, random)
    affine[:, 1, 0] = uniform((n,), -0.07, 0.07, random)
    affine[:, :, 2] = uniform((n, 2), -0.09, 0.09, random)
    grid = F.affine_grid(affine, list(ink.shape), align_corners=False)
    bend = 0.025 * torch.randn(n, 2, 6, 6, generator=random)
    bend = F.interpolate(bend, JUDGE_SIZE_PX, mode="bilinear", align_corners=True)
    return F.grid_sample(ink, grid + bend.permute(0, 2, 3, 1), align_corners=False)


def degrade(ink: Tensor, random: torch.Generator) -> Tensor:
    """Thicken, thin, blur, fade, patch over and add noise, as a generator's slips would."""
    order = torch.randperm(len(ink), generator=random)
    quarter = len(ink) // 4
    thick, thin, soft = order[: 3 * quarter].view(3, quarter)
    amount = uniform((quarter, 1, 1, 1), 0, 0.8, random)
    ink = ink.clone()
    ink[thick] = ink[thick].lerp(F.max_pool2d(ink[thick], 3, 1, 1), amount)
    ink[thin] = ink[thin].lerp(-F.max_pool2d(-ink[thin], 3, 1, 1), 0.7 * amount)
    ink[soft] = ink[soft].lerp(F.avg_pool2d(ink[soft], 3, 1, 1), amount)
    n, size_px = len(ink), ink.shape[-1]
    noise = uniform((n, 1, 1, 1), 0, 0.1, random)
    ink = ink * uniform((n, 1, 1, 1), 0.7, 1.0, random)
    ink = ink + noise * torch.randn(ink.shape, generator=random)
    # A hidden square keeps the judge from resting on a single stroke.
    corner = torch.randint(-8, size_px, (n, 2), generator=random)
    rows = torch.arange(size_px)
    inside = (rows >= corner[:, :, None]) & (rows < corner[:, :, None] + 12)
    hidden = inside[:, 0, :, None] & inside[:, 1, None, :]
    hidden &= torch.rand((n, 1, 1), generator=random) < 0.2
    return ink.masked_fill(hidden[:, None], 0).clamp(0, 1)


@torch.no_grad()
def accuracy(network: nn.Module, pixels: np.ndarray, radicals: np.ndarray) -> float:
    """Share of pictures uint8 [N, 64, 64] whose most probable radical is the right one."""
    network.eval()
    ink = 1 - torch.from_numpy(pixels)[:, None].float() / 255
    predicted = torch.cat([network(part).argmax(dim=1) for part in torch.chunk(ink, 16)]) + 1
    return float(np.mean(predicted.numpy() == radicals))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average's weights and batch statistics towards the network's."""
    for mean, value in zip(
        average.state_dict().values(), network.state_dict().values(), strict=True
    ):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)


def train(
    cuts: list[np.ndarray], radicals: np.ndarray, held_out: np.ndarray, args: argparse.Namespace
) -> tuple[RadicalNetwork, int]:
    """The averaged network after args.num_steps, or fewer if args.max_minutes end the decay.

    `cuts` hold uint8 [N, 64, 64] each, the simplified-Chinese cut first; `held_out` is bool [N].
    """
    torch.manual_seed(args.seed)
    network = RadicalNetwork()
    if args.start is not None:
        network.load_state_dict({k: v.float() for k, v in load_file(args.start).items()})
    average = copy.deepcopy(network)
    compiled = torch.compile(network)
    matrices = [p for name, p in network.named_parameters() if p.ndim == 2 and "head" not in name]
    rest = [p for name, p in network.named_parameters() if p.ndim != 2 or "head" in name]
    optimizers: list[tuple[torch.optim.Optimizer, float]] = [
        (torch.optim.Muon(matrices, lr=0.02, weight_decay=0.03), 0.02),
        (torch.optim.AdamW(rest, lr=2e-3, weight_decay=0.02), 2e-3),
    ]
    train_rows = np.flatnonzero(~held_out)
    start, step, progress = time.monotonic(), 0, 0.0
    while progress < 1:
        network.train()
        random = generator(args.seed, "radical-judge", step)
        drawn = torch.randint(len(train_rows), (args.batch_size,), generator=random)
        rows = train_rows[drawn.numpy()]
        # The simplified-Chinese cut is what the judge will mostly see: it gets six draws of ten.
        pick = torch.randint(2 * len(cuts), (args.batch_size,), generator=random).numpy()
        pick = np.where(pick < len(cuts), pick, 0)
        pixels = np.stack([cuts[cut][row] for cut, row in zip(pick, rows, strict=True)])
        ink = 1 - torch.from_numpy(pixels)[:, None].float() / 255
        ink = degrade(deform(ink, random), random)
        with torch.autocast("cpu", torch.bfloat16):
            logits = compiled(ink)
        target = torch.from_numpy(radicals[rows] - 1)
        loss = F.cross_entropy(logits, target, label_smoothing=0.1)
        torch.autograd.backward(loss)
        elapsed_minutes = (time.monotonic() - start) / 60
        progress = max(step / args.num_steps, elapsed_minutes / args.max_minutes)
        rate = min(1.0, (step + 1) / 100) * max(0.0, 1 - progress)
        for optimizer, peak in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = peak * rate
            optimizer.step()
            optimizer.zero_grad()
        follow(average, network, min(0.995, (step + 1) / (step + 10)))
        step += 1
        if step % 50 == 0:
            print(f"step {step}  {elapsed_minutes:.1f} min  loss {loss:.3f}", flush=True)
        if step % 500 == 0:
            hits = accuracy(average, cuts[0][held_out], radicals[held_out])
            print(f"step {step}  held-out accuracy {hits:.4f}", flush=True)
    return average, step


def save(network: RadicalNetwork, num_steps: int, num_train: int, args: argparse.Namespace) -> None:
    """Write float16 weights and SOURCE.json with what the shipped judge was measured to do."""
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    save_file(state, args.out)
    args.out.chmod(0o644)  # save_file makes it private
    pixels, radicals = real_glyphs(held_out=True)
    hits = int((load_radical_judge(args.out).predict(pixels) == radicals).sum())
    source = {
        "what": "glyph picture -> Kangxi radical, float16",
        "data": "Noto Sans CJK Regular, cuts sc, jp, kr, tc, hk; radicals: Unihan 14.0 kRSUnicode",
        "licence": "the font: OFL-1.1; Unihan: Unicode-DFS-2016",
        "font_sha256": sha256_of(font_file()),
        "num_training_characters": num_train,
        "held_out": "characters whose SHA-256 of the code point's name is 0 modulo 10, in any cut",
        "held_out_characters": len(radicals),
        "held_out_accuracy": hits / len(radicals),
        "held_out_accuracy_interval": wilson_interval(hits, len(radicals)),
        "rule": "top-1 equals the first radical that Unihan lists, simplified cut at 128 px",
        "command": shlex.join(["python", *sys.argv]),
        "seed": args.seed,
        "num_steps": num_steps,
        "batch_size": args.batch_size,
        "torch": torch.__version__,
        "sha256": sha256_of(args.out),
    }
    text = json.dumps(source, indent=2) + "\n"
    (args.out.parent / "SOURCE.json").write_text(text, encoding="utf-8")
    print(f"held-out accuracy {hits / len(radicals):.4f} of {len(radicals)} characters")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="built by `pictures build glyphs`")
    parser.add_argument("--num-steps", type=int, default=4000)
    parser.add_argument("--max-minutes", type=float, default=60, help="end the decay by then")
    parser.add_argument("--start", type=Path, help="weights to go on from, instead of random ones")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num-threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="folder that keeps the rendered cuts")
    parser.add_argument("--out", type=Path, default=WEIGHTS_PATH)
    args = parser.parse_args()
    torch.set_num_threads(args.num_threads)
    pictures = read_folder(args.data, JUDGE_SIZE_PX, 1)
    characters = [str(row["character"]) for row in pictures.metadata]
    radicals = np.array([int(row["radical"]) for row in pictures.metadata])
    held_out = np.array([is_held_out(ord(character)) for character in characters])
    cuts = [np.array(pictures.pixels[..., 0])]
    for face in OTHER_FACES:
        cached = args.cache / f"cut-{face}.npy" if args.cache is not None else None
        if cached is not None and cached.is_file():
            cuts.append(np.load(cached))
            continue
        cuts.append(render_cut(face, characters))
        if cached is not None:
            cached.parent.mkdir(parents=True, exist_ok=True)
            np.save(cached, cuts[-1])
    network, num_steps = train(cuts, radicals, held_out, args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save(network, num_steps, int((~held_out).sum()), args)


if __name__ == "__main__":
    main()
