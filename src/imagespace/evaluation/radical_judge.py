"""Small convolutional networks that together name the Kangxi radical of a drawn glyph."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from imagespace.errors import UserError
from imagespace.evaluation.picture_encoder import LARGE, SMALL, PictureEncoder, Stages
from imagespace.pictures.glyphs import GLYPH_BLOCKS, GlyphRenderer, font_file, unihan_folder
from imagespace.pictures.radicals import NUM_RADICALS
from imagespace.pictures.unihan import UnihanEntry, read_unihan
from imagespace.precision import fastest_dtype, products_in

JUDGE_SIZE_PX = 64
WEIGHTS_PATH = Path(__file__).parent / "data" / "radical_judge.safetensors"


def is_held_out(code_point: int) -> bool:
    """Whether a character belongs to the tenth that the judge never saw in training.

    The choice is a hash of the code point, so it is the same on every machine and for every cut.
    """
    return int.from_bytes(_digest(code_point)[:8], "big") % 10 == 0


def _digest(code_point: int) -> bytes:
    return hashlib.sha256(f"U+{code_point:04X}".encode()).digest()


class RadicalNetwork(nn.Module):
    """Ink [N, 1, 64, 64] in [0, 1] (1 = ink) -> logits [N, 214] of the radicals 1..214."""

    def __init__(self, stages: Stages = SMALL) -> None:
        super().__init__()
        self.body = PictureEncoder(1, stages)
        self.head = nn.Linear(self.body.width, NUM_RADICALS)

    def forward(self, ink: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body.quadrants(ink))
        return logits.float()


def to_ink(pixels: np.ndarray) -> Tensor:
    """uint8 [N, H, W] or [N, H, W, C], black on white -> ink [N, 1, 64, 64] by box filter."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
        raise UserError(
            f"pixels of type {pixels.dtype} and shape {pixels.shape}",
            "the radical judge reads uint8 pictures [N, H, W] or [N, H, W, C]",
            "convert the pictures to uint8, 0 = black and 255 = white",
        )
    grey = torch.from_numpy(np.ascontiguousarray(pixels)).float()
    grey = grey.mean(dim=-1) if grey.ndim == 4 else grey
    # Adaptive average pooling is the box filter when shrinking and repeats pixels when growing.
    return 1 - F.adaptive_avg_pool2d(grey[:, None], JUDGE_SIZE_PX) / 255


# A picture whose radical is less probable than this is looked at again, in every scale and from
# every shift, in pixels of 64. A tenth of the real glyphs is.
SURE = 0.7
SCALES = (0.95, 1.0, 1.05)
SHIFTS_PX = ((0.0, 0.0), (1.5, 0.0), (-1.5, 0.0), (0.0, 1.5), (0.0, -1.5))


def views_of(ink: Tensor) -> Iterator[Tensor]:
    """The ink [N, 1, 64, 64] at each scale and shift."""
    for scale in SCALES:
        for right_px, down_px in SHIFTS_PX:
            shifts = [2 * shift_px / JUDGE_SIZE_PX for shift_px in (right_px, down_px)]
            map_to_ink = torch.tensor([[scale, 0.0, shifts[0]], [0.0, scale, shifts[1]]])
            grid = F.affine_grid(
                map_to_ink.expand(len(ink), 2, 3), list(ink.shape), align_corners=False
            )
            yield F.grid_sample(ink, grid, align_corners=False)


class RadicalJudge:
    """The trained judge of glyph pictures.

    The mean of what its networks hold probable, over `views_of` a picture where they are not sure,
    in this machine's faster arithmetic. The quick one asks the first network alone, once, in
    float32.
    """

    def __init__(self, networks: Sequence[RadicalNetwork], quick: bool = False) -> None:
        self.networks = [network.eval() for network in (networks[:1] if quick else networks)]
        self.quick = quick

    @cached_property
    def dtype(self) -> torch.dtype:
        """The arithmetic of the products, timed when it is first asked for."""
        return torch.float32 if self.quick else fastest_dtype()

    @torch.inference_mode()
    def judge(self, pixels: np.ndarray, batch_size: int = 256) -> Tensor:
        """Log-probabilities [N, 214] of radicals 1..214 for uint8 pictures [N, H, W(, C)]."""
        batches = [
            self._probabilities(to_ink(pixels[start : start + batch_size])).log()
            for start in range(0, len(pixels), batch_size)
        ]
        return torch.cat(batches) if batches else torch.empty(0, NUM_RADICALS)

    def _probabilities(self, ink: Tensor) -> Tensor:
        probabilities = self._mean([ink])
        unsure = (probabilities.amax(dim=1) < SURE).nonzero()[:, 0]
        if not self.quick and len(unsure):
            probabilities[unsure] = self._mean(list(views_of(ink[unsure])))
        return probabilities

    def _mean(self, views: Sequence[Tensor]) -> Tensor:
        """What all networks hold probable of all views [N, 1, 64, 64] of N pictures: [N, 214]."""
        with products_in(self.dtype, views[0].device):
            logits = [network(view) for view in views for network in self.networks]
        return torch.stack(logits).softmax(dim=2).mean(dim=0)

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """The most probable radical of each picture, int64 [N] in 1..214."""
        radicals: np.ndarray = self.judge(pixels).argmax(dim=1).numpy() + 1
        return radicals

    @torch.inference_mode()
    def features(self, pixels: np.ndarray, batch_size: int = 256) -> Tensor:
        """What the first network's last layer reads of uint8 pictures [N, H, W(, C)]: [N, D]."""
        body = self.networks[0].body
        batches = [
            body.quadrants(to_ink(pixels[start : start + batch_size]))
            for start in range(0, len(pixels), batch_size)
        ]
        return torch.cat(batches) if batches else torch.empty(0, body.width)


def load_radical_judge(path: Path = WEIGHTS_PATH, quick: bool = False) -> RadicalJudge:
    """The judge that ships with the package (float16 on disk, float32 in memory)."""
    if not path.is_file():
        raise UserError(
            str(path),
            "the radical judge's weights are not there",
            "reinstall imagespace, or train them with scripts/train_radical_judge.py",
        )
    return RadicalJudge([network_of(state) for state in read_states(path)], quick)


def network_of(state: dict[str, Tensor]) -> RadicalNetwork:
    """The network with these weights, small or large."""
    width = state["head.weight"].shape[1]
    network = next(n for n in map(RadicalNetwork, (SMALL, LARGE)) if n.body.width == width)
    network.load_state_dict(state, strict=True)
    return network


def read_states(path: Path) -> list[dict[str, Tensor]]:
    """The weights of each network of a judge's file, in float32."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in load_file(path).items():
        number, name = key.split(".", 1)
        states.setdefault(int(number), {})[name] = value.float()
    return [states[number] for number in sorted(states)]


def write_states(states: Sequence[dict[str, Tensor]], path: Path) -> None:
    """One judge's file of the weights of its networks, in float16."""
    numbered = {
        f"{number}.{name}": value.half() if value.is_floating_point() else value
        for number, state in enumerate(states)
        for name, value in state.items()
    }
    save_file(numbered, path)
    path.chmod(0o644)  # save_file makes it private


def sha256_of(path: Path) -> str:
    """The checksum that SOURCE.json records of the weights, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def radical_labels(entries: Sequence[UnihanEntry]) -> np.ndarray:
    """bool [N, 214]: the radicals 1..214 under which Unihan lists each of N characters."""
    listed = np.zeros((len(entries), NUM_RADICALS), dtype=bool)
    for row, entry in enumerate(entries):
        listed[row, [radical - 1 for radical in (entry.radical, *entry.other_radicals)]] = True
    return listed


def real_glyphs(
    held_out: bool, limit: int | None = None, image_size_px: int = 128
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Real glyphs to measure the judge itself: uint8 [N, H, W], radicals int64 [N], bool [N, 214].

    The first `limit` characters in the order of a hash, from those the judge never saw
    (`held_out`) or those it learnt. The radical is the first that Unihan lists, the last array
    holds all of them. UserError: the font or the Unihan package is absent.
    """
    renderer = GlyphRenderer(font_file(), image_size_px)
    entries = read_unihan(unihan_folder())
    chosen = [
        code_point
        for block in GLYPH_BLOCKS
        for code_point in block
        if code_point in entries and is_held_out(code_point) == held_out
    ]
    pictures, shown = [], []
    for code_point in sorted(chosen, key=_digest):
        image = renderer.render(chr(code_point))
        if image is None:
            continue
        pictures.append(np.asarray(image))
        shown.append(entries[code_point])
        if len(pictures) == limit:
            break
    radicals = np.array([entry.radical for entry in shown])
    return np.stack(pictures), radicals, radical_labels(shown)
