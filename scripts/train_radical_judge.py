"""Train the radical judge on every ideograph of Unicode, in nine faces of four fonts.

A tenth of the characters, chosen by a hash of the code point, is never seen in any font; the
accuracy on their simplified-Chinese glyphs is what SOURCE.json records. Besides the radical it
learns the labels of character_labels.py. A network may be saved --beside those of a judge, to
answer with them. The further fonts come from Debian: apt install fonts-noto-cjk fonts-hanazono.
One thread by default: oneDNN's bfloat16 weight gradients spin at barriers and crawl when another
process has a core.

Run: python scripts/train_radical_judge.py --cache FOLDER
"""

import argparse
import copy
import json
import shlex
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from character_labels import UNKNOWN, CharacterLabel, character_labels
from torch import Tensor, nn

from imagespace.evaluation import wilson_interval
from imagespace.evaluation.augmentation import deform, uniform
from imagespace.evaluation.picture_encoder import LARGE, SMALL
from imagespace.evaluation.radical_judge import (
    JUDGE_SIZE_PX,
    WEIGHTS_PATH,
    RadicalNetwork,
    is_held_out,
    load_radical_judge,
    radical_labels,
    read_states,
    real_glyphs,
    sha256_of,
    write_states,
)
from imagespace.pictures.glyphs import (
    SIMPLIFIED_CHINESE_FACE,
    GlyphRenderer,
    font_file,
    unihan_folder,
)
from imagespace.pictures.radicals import NUM_RADICALS
from imagespace.pictures.unihan import read_unihan
from imagespace.randomness import generator

SOURCE_FILE = "SOURCE.json"
# Compatibility ideographs look like unified ones, so that a held-out character would be seen.
COMPATIBILITY_BLOCKS = (range(0xF900, 0xFB00), range(0x2F800, 0x2FA20))


@dataclass(frozen=True)
class Sheet:
    """All characters of one font face: ink [N, 64, 64] uint8 (255 = paper), radicals bool [N, 214].

    `further` [N, L] are the classes of L further labels; `share` of the training pictures are
    drawn from this face.
    """

    pixels: np.ndarray
    listed: np.ndarray
    further: np.ndarray
    held_out: np.ndarray
    share: float


def faces(debian_fonts: Path) -> list[tuple[str, Path, int, float]]:
    """(name, font file, face, share of the training) of what the judge learns from.

    The cut that it will mostly see comes first; the others add styles, and HanaMin the 60,000
    rare characters of the extensions: they show which of a character's parts is its radical.
    """
    sans = font_file()
    noto, hana = debian_fonts / "opentype/noto", debian_fonts / "truetype/hanazono"
    return [
        ("sans-sc", sans, SIMPLIFIED_CHINESE_FACE, 0.3),
        ("sans-jp", sans, 0, 0.04),
        ("sans-kr", sans, 1, 0.01),
        ("sans-tc", sans, 3, 0.03),
        ("sans-hk", sans, 4, 0.02),
        ("sans-bold-sc", noto / "NotoSansCJK-Bold.ttc", SIMPLIFIED_CHINESE_FACE, 0.03),
        ("serif-sc", noto / "NotoSerifCJK-Regular.ttc", SIMPLIFIED_CHINESE_FACE, 0.05),
        ("hana-a", hana / "HanaMinA.ttf", 0, 0.07),
        ("hana-b", hana / "HanaMinB.ttf", 0, 0.45),
    ]


def render(task: tuple[Path, int, list[int], Path]) -> None:
    """Saves uint8 [N, 64, 64] of the code points; those without a glyph stay blank."""
    font, face, code_points, out = task
    renderer = GlyphRenderer(font, JUDGE_SIZE_PX, face)
    pixels = np.full((len(code_points), JUDGE_SIZE_PX, JUDGE_SIZE_PX), 255, np.uint8)
    for row, code_point in enumerate(code_points):
        image = renderer.render(chr(code_point))
        if image is not None:
            pixels[row] = np.asarray(image)
    np.save(out, pixels)


def read_sheets(cache: Path, debian_fonts: Path) -> tuple[list[Sheet], list[CharacterLabel]]:
    """Every face, rendered once, in parallel, into `cache`, and what is to be learnt besides."""
    entries = read_unihan(unihan_folder())
    code_points = [
        code_point
        for code_point in sorted(entries)
        if not any(code_point in block for block in COMPATIBILITY_BLOCKS)
    ]
    listed = radical_labels([entries[code_point] for code_point in code_points])
    labels = character_labels(code_points)
    further = np.stack([label.classes for label in labels], axis=1)
    held_out = np.array([is_held_out(code_point) for code_point in code_points])
    chosen = faces(debian_fonts)
    cache.mkdir(parents=True, exist_ok=True)
    tasks = [
        (font, face, code_points, cache / f"{name}.npy")
        for name, font, face, _ in chosen
        if not (cache / f"{name}.npy").is_file()
    ]
    with ProcessPoolExecutor() as pool:
        list(pool.map(render, tasks))
    sheets = []
    for name, _, _, share in chosen:
        pixels = np.load(cache / f"{name}.npy")
        drawn = np.flatnonzero(pixels.min(axis=(1, 2)) < 128)
        sheets.append(Sheet(pixels[drawn], listed[drawn], further[drawn], held_out[drawn], share))
        print(f"{name}: {len(drawn)} characters", flush=True)
    return sheets, labels


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
def accuracy(network: nn.Module, pixels: np.ndarray, listed: np.ndarray) -> float:
    """Share of pictures uint8 [N, 64, 64] whose most probable radical is a listed one."""
    network.eval()
    ink = 1 - torch.from_numpy(pixels)[:, None].float() / 255
    predicted = torch.cat([network(part).argmax(dim=1) for part in torch.chunk(ink, 16)])
    return float(np.mean(listed[np.arange(len(listed)), predicted.numpy()]))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average's weights and batch statistics towards the network's."""
    for mean, value in zip(
        average.state_dict().values(), network.state_dict().values(), strict=True
    ):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)


def batch_of(
    sheets: list[Sheet], size: int, random: torch.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures uint8 [B, 64, 64], radicals bool [B, 214], classes [B, L]; never held-out ones."""
    shares = torch.tensor([sheet.share for sheet in sheets])
    counts = torch.multinomial(shares, size, replacement=True, generator=random).bincount(
        minlength=len(sheets)
    )
    pixels, listed, further = [], [], []
    for sheet, count in zip(sheets, counts.tolist(), strict=True):
        rows = np.flatnonzero(~sheet.held_out)
        drawn = rows[torch.randint(len(rows), (count,), generator=random).numpy()]
        pixels.append(sheet.pixels[drawn])
        listed.append(sheet.listed[drawn])
        further.append(sheet.further[drawn])
    return np.concatenate(pixels), np.concatenate(listed), np.concatenate(further)


class FurtherHeads(nn.ModuleList):
    """A linear head a label, on the features that the radical is read from; none is kept."""

    def __init__(self, width: int, labels: list[CharacterLabel]) -> None:
        super().__init__(nn.Linear(width, label.num_classes) for label in labels)

    def loss(self, features: Tensor, classes: Tensor) -> Tensor:
        """Mean cross-entropy over labels of features [B, width] and classes [B, L]."""
        losses = [
            F.cross_entropy(head(features).float(), column, reduction="sum")
            / (column != UNKNOWN).sum().clamp(min=1)
            for head, column in zip(self, classes.T, strict=True)
        ]
        return torch.stack(losses).mean()


def train(
    sheets: list[Sheet], labels: list[CharacterLabel], args: argparse.Namespace
) -> tuple[RadicalNetwork, int]:
    """The averaged network after args.num_steps, or fewer if args.max_minutes end the decay."""
    torch.manual_seed(args.seed)
    network = RadicalNetwork(LARGE if args.large else SMALL)
    if args.start is not None:
        network.load_state_dict(read_states(args.start)[0])
    average = copy.deepcopy(network)
    further_heads = FurtherHeads(network.body.width, labels)
    matrices = [p for name, p in network.named_parameters() if p.ndim == 2 and "head" not in name]
    rest = [p for name, p in network.named_parameters() if p.ndim != 2 or "head" in name]
    rest += further_heads.parameters()
    optimizers: list[tuple[torch.optim.Optimizer, float]] = [
        (torch.optim.Muon(matrices, lr=0.02, weight_decay=0.03), 0.02),
        (torch.optim.AdamW(rest, lr=2e-3, weight_decay=0.02), 2e-3),
    ]
    unseen = sheets[0].held_out
    start, step, progress = time.monotonic(), 0, 0.0
    while progress < 1:
        network.train()
        random = generator(args.seed, "radical-judge", step)
        pixels, listed, classes = batch_of(sheets, args.batch_size, random)
        ink = 1 - torch.from_numpy(pixels)[:, None].float() / 255
        ink = deform(ink, random)
        spoilt = torch.rand(len(ink), generator=random) < args.degraded
        ink[spoilt] = degrade(ink[spoilt], random)
        with torch.autocast("cpu", torch.bfloat16):
            features = network.body.quadrants(ink)
            logits = network.head(features).float()
            further_loss = further_heads.loss(features, torch.from_numpy(classes))
        target = torch.from_numpy(listed).float()
        target = 0.9 * target / target.sum(dim=1, keepdim=True) + 0.1 / NUM_RADICALS
        loss = F.cross_entropy(logits, target)
        torch.autograd.backward(loss + args.further * further_loss)
        elapsed_minutes = (time.monotonic() - start) / 60
        progress = max(step / args.num_steps, elapsed_minutes / args.max_minutes)
        rate = min(1.0, (step + 1) / 100) * max(0.0, 1 - progress)
        for optimizer, peak in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = peak * rate * args.rate
            optimizer.step()
            optimizer.zero_grad()
        follow(average, network, min(0.995, (step + 1) / (step + 10)))
        step += 1
        if step % 50 == 0:
            losses = f"loss {loss:.3f}  further {further_loss:.3f}"
            print(f"step {step}  {elapsed_minutes:.1f} min  {losses}", flush=True)
        if step % 500 == 0:
            hits = accuracy(average, sheets[0].pixels[unseen], sheets[0].listed[unseen])
            print(f"step {step}  held-out accuracy {hits:.4f}", flush=True)
    return average, step


def save(
    network: RadicalNetwork, num_steps: int, sheets: list[Sheet], args: argparse.Namespace
) -> None:
    """Write the judge and SOURCE.json with what it was measured to do.

    It is the network alone, or the networks of the judge args.beside and it.
    """
    beside, trained = [], []
    if args.beside is not None:
        beside = read_states(args.beside)
        trained = json.loads((args.beside.parent / SOURCE_FILE).read_text("utf-8"))["networks"]
    write_states([*beside, network.state_dict()], args.out)
    own = {
        "command": shlex.join(["python", *sys.argv]),
        "seed": args.seed,
        "num_steps": num_steps,
        "batch_size": args.batch_size,
        "torch": torch.__version__,
    }
    source = {
        "what": "glyph picture -> Kangxi radical; the networks are numbered, float16",
        "data": "every ideograph of Unihan 14.0 outside the compatibility blocks, in Noto Sans CJK "
        "(Regular in five cuts, Bold), Noto Serif CJK and HanaMin A and B; radicals: kRSUnicode, "
        "kRSKangXi, kRSAdobe_Japan1_6; besides: kMandarin, kCantonese, kPhonetic",
        "licence": "the fonts: OFL-1.1; Unihan: Unicode-DFS-2016",
        "font_sha256": {name: sha256_of(font) for name, font, _, _ in faces(args.debian_fonts)},
        "num_training_pictures": sum(int((~sheet.held_out).sum()) for sheet in sheets),
        "held_out": "characters whose SHA-256 of the code point's name is 0 modulo 10, in any font",
        "rule": "top-1 is a radical under which Unihan lists the character; simplified cut, 128 px",
        **measured(args.out),
        "networks": [*trained, own],
        "sha256": sha256_of(args.out),
    }
    text = json.dumps(source, indent=2) + "\n"
    (args.out.parent / SOURCE_FILE).write_text(text, encoding="utf-8")
    print(f"held-out accuracy {source['held_out_accuracy']:.4f}")


def measured(path: Path) -> dict[str, Any]:
    """How the judge of a file, and its first network at one look, read characters never seen."""
    pixels, radicals, listed = real_glyphs(held_out=True)
    predicted = load_radical_judge(path).predict(pixels)
    quick = load_radical_judge(path, quick=True).predict(pixels)
    rows = np.arange(len(listed))
    num_listed = int(listed[rows, predicted - 1].sum())
    return {
        "held_out_characters": len(radicals),
        "held_out_accuracy": num_listed / len(radicals),
        "held_out_accuracy_interval": wilson_interval(num_listed, len(radicals)),
        "held_out_accuracy_first_listed": float((predicted == radicals).mean()),
        "held_out_accuracy_quick": float(listed[rows, quick - 1].mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--debian-fonts", type=Path, default=Path("/usr/share/fonts"))
    parser.add_argument("--num-steps", type=int, default=8000)
    parser.add_argument("--max-minutes", type=float, default=90, help="end the decay by then")
    parser.add_argument("--start", type=Path, help="weights to go on from, instead of random ones")
    parser.add_argument(
        "--large", action="store_true", help="a wider network, which is not what ships"
    )
    parser.add_argument("--beside", type=Path, help="a judge whose networks answer with this one")
    parser.add_argument("--rate", type=float, default=1.0, help="of the learning rate")
    parser.add_argument("--degraded", type=float, default=1.0, help="share of spoilt pictures")
    parser.add_argument("--further", type=float, default=0.3, help="weight of the further labels")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num-threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, required=True, help="keeps the rendered faces")
    parser.add_argument("--out", type=Path, default=WEIGHTS_PATH)
    args = parser.parse_args()
    torch.set_num_threads(args.num_threads)
    sheets, labels = read_sheets(args.cache, args.debian_fonts)
    network, num_steps = train(sheets, labels, args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save(network, num_steps, sheets, args)


if __name__ == "__main__":
    main()
