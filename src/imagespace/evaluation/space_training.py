"""Learn an image-text space: pictures beside their captions, two views of a picture together.

Loss: symmetric InfoNCE between pictures and captions (CLIP, arXiv 2103.00020), pictures with one
caption being each other's positives, plus InfoNCE between two deformed views of each picture
(SimCLR, arXiv 2002.05709), which also serves pictures without captions.
"""

import copy
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagespace.errors import UserError
from imagespace.evaluation.augmentation import deform
from imagespace.evaluation.image_text_space import (
    MAX_TEXT_TOKENS,
    ImageTextNetwork,
    ImageTextSpace,
    load_space,
    save_space,
    to_input,
)
from imagespace.pictures.folder import PictureSet
from imagespace.precision import CPU, fastest_dtype, products_in
from imagespace.randomness import generator
from imagespace.text.vectors import TextEncoder

BATCH_SIZE = 256
FEWEST_PICTURES = 32  # of fewer, other pictures are too seldom at hand to tell one from
VIEW_TEMPERATURE = 0.2
PEAK_LEARNING_RATE = 2e-3
CACHE = Path.home() / ".cache" / "imagespace" / "spaces"

Report = Callable[[float, float], None]


def space_of(
    pictures: PictureSet,
    encoder: TextEncoder,
    progress: Report | None = None,
    cache: Path | None = None,
) -> ImageTextSpace:
    """The space of a set: shipped with a model, kept from before, or learnt now."""
    if (kept := kept_space(pictures.key, encoder, cache)) is not None:
        return kept
    path = cached_space(pictures.key, encoder, cache)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_space(path, learn_space(pictures, encoder, progress=progress))
    return load_space(path, encoder)


def kept_space(
    data_key: str, encoder: TextEncoder, cache: Path | None = None
) -> ImageTextSpace | None:
    """The space of pictures with this key: shipped with a model, kept from before, or none."""
    for shipped in sorted(Path(str(files("imagespace") / "models")).glob("*/space.safetensors")):
        space = load_space(shipped, encoder)
        if space.data_key == data_key:
            return space
    path = cached_space(data_key, encoder, cache)
    return load_space(path, encoder) if path.is_file() else None


def cached_space(data_key: str, encoder: TextEncoder, cache: Path | None = None) -> Path:
    """The file that keeps the space of pictures with this key, once it is learnt."""
    return (cache or CACHE) / f"{data_key}-{encoder.fingerprint}.safetensors"


def learn_space(
    pictures: PictureSet,
    encoder: TextEncoder,
    num_steps: int = 600,
    max_minutes: float = 5,
    seed: int = 0,
    progress: Report | None = None,
) -> ImageTextSpace:
    """Trains on the rows of split train; whichever budget ends first ends the learning rate too.

    How many of the steps were made is recorded in the space: on a busy machine they are fewer.

    `progress(fraction, loss)` is called after each step. UserError: too few training pictures.
    """
    rows = pictures.indices("train")
    if len(rows) < FEWEST_PICTURES:
        raise UserError(
            f"{len(rows)} training pictures",
            f"an image-text space is learnt from at least {FEWEST_PICTURES}",
            "Add pictures",
        )
    num_channels = pictures.pixels.shape[3]
    inputs = np.concatenate(
        [
            (to_input(pictures.pixels[part]) * 255).round().to(torch.uint8).numpy()
            for part in np.array_split(rows, max(1, len(rows) // 1024))
        ]
    )
    captions = _Captions([pictures.captions[row] for row in rows], encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ImageTextNetwork(num_channels, encoder.width)
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02, betas=(0.9, 0.98))
    dtype = fastest_dtype()
    start, step, fraction = time.monotonic(), 0, 0.0
    while fraction < 1:
        random = generator(seed, "image-text-space", step)
        drawn = torch.randperm(len(rows), generator=random)[:BATCH_SIZE]
        x = torch.from_numpy(inputs[drawn.numpy()]).float() / 255
        views = deform(torch.cat([x, x]), random)
        token_ids, names = captions.draw(drawn, random)
        with products_in(dtype, CPU):
            near_captions, near_views = network(views)
            has_caption = names > 0
            texts = network.text(encoder.states(token_ids[has_caption]))
        scale = network.log_scale.exp().clamp(max=100)
        one_view, other_view = near_views.chunk(2)
        pairs = torch.arange(len(drawn))
        loss = info_nce(one_view, other_view, 1 / VIEW_TEMPERATURE, pairs)
        if bool(has_caption.any()):
            texts, own = F.normalize(texts.float(), dim=1), names[has_caption]
            for view in near_captions.chunk(2):
                loss = loss + info_nce(view[has_caption], texts, scale, own)
        loss.backward()  # type: ignore[no-untyped-call]
        elapsed_minutes = (time.monotonic() - start) / 60
        fraction = min(1.0, max((step + 1) / num_steps, elapsed_minutes / max_minutes))
        for group in optimizer.param_groups:
            group["lr"] = PEAK_LEARNING_RATE * min(1.0, (step + 1) / 50) * (1 - fraction)
        optimizer.step()
        optimizer.zero_grad()
        _follow(average, network, min(0.99, (step + 1) / (step + 10)))
        step += 1
        if progress is not None:
            progress(fraction, loss.item())
    average.eval().requires_grad_(False)
    return ImageTextSpace(average, encoder, num_channels, pictures.key, "", step, num_steps)


def cut_short_notes(space: ImageTextSpace, cache: Path | None = None) -> list[str]:
    """A note where fewer steps were made than planned, and how to have it learnt anew."""
    if not space.is_cut_short:
        return []
    path = cached_space(space.data_key, space.encoder, cache)
    return [
        f"image-text features: learnt in {space.num_steps} of {space.num_planned} steps before the "
        f"time for it was over, so that they judge less sharply; delete {path} to learn them anew "
        "when the machine is free, and add --overwrite"
    ]


def info_nce(first: Tensor, second: Tensor, scale: Tensor | float, names: Tensor) -> Tensor:
    """Symmetric cross-entropy of unit vectors [N, E]: row i of one belongs to row i of the other.

    Rows with equal `names` [N] are all each other's positives, in equal shares.
    """
    logits = scale * first @ second.T
    target = (names[:, None] == names[None, :]).float()
    target = target / target.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


class _Captions:
    """Token ids of each picture's caption and of its senses ("a; b"), one of them at a draw."""

    def __init__(self, captions: list[str], encoder: TextEncoder) -> None:
        texts, first, count = [""], [], []
        for caption in captions:
            senses = [sense.strip() for sense in caption.split(";") if sense.strip()]
            variants = [caption, *senses] if len(senses) > 1 else senses
            first.append(len(texts) if variants else 0)
            count.append(len(variants))
            texts += variants
        self.first, self.count = torch.tensor(first), torch.tensor(count)
        distinct = sorted(set(texts))  # "" comes first
        row_of = {text: row for row, text in enumerate(distinct)}
        self.rows = torch.tensor([row_of[text] for text in texts])
        self.token_ids = encoder.encode(distinct, MAX_TEXT_TOKENS).token_ids

    def draw(self, pictures: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Token ids [B, L] and the caption's number [B], 0 where a picture has none."""
        pick = torch.rand(len(pictures), generator=random) * self.count[pictures]
        names = self.rows[self.first[pictures] + pick.long()]
        return self.token_ids[names], names


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average's weights and batch statistics towards the network's."""
    for mean, value in zip(
        average.state_dict().values(), network.state_dict().values(), strict=True
    ):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
