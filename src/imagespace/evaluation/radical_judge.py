"""A small convolutional network that names the Kangxi radical of a drawn glyph."""

import hashlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from imagespace.errors import UserError
from imagespace.pictures.glyphs import GLYPH_BLOCKS, GlyphRenderer, font_file, unihan_folder
from imagespace.pictures.radicals import NUM_RADICALS
from imagespace.pictures.unihan import read_unihan

JUDGE_SIZE_PX = 64
WEIGHTS_PATH = Path(__file__).parent / "data" / "radical_judge.safetensors"


def is_held_out(code_point: int) -> bool:
    """Whether a character belongs to the tenth that the judge never saw in training.

    The choice is a hash of the code point, so it is the same on every machine and for every cut.
    """
    return int.from_bytes(_digest(code_point)[:8], "big") % 10 == 0


def _digest(code_point: int) -> bytes:
    return hashlib.sha256(f"U+{code_point:04X}".encode()).digest()


class Convolution(nn.Module):
    """A bias-free 3 x 3 convolution whose kernel is stored as a matrix [out, 3 * 3 * in].

    The matrix form is what Muon orthogonalises; x [N, in, H, W] -> [N, out, H, W].
    """

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_out, 9 * num_in) * (2 / (9 * num_in)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.view(self.weight.shape[0], 3, 3, -1).permute(0, 3, 1, 2)
        return F.conv2d(x, kernel, padding=1)


class ResidualBlock(nn.Module):
    """relu(x + norm(conv(relu(norm(conv(x)))))): the identity at first (He et al. 2016)."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.first = Convolution(num_channels, num_channels)
        self.first_norm = nn.BatchNorm2d(num_channels)
        self.second = Convolution(num_channels, num_channels)
        self.second_norm = nn.BatchNorm2d(num_channels)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.first_norm(self.first(x)))
        return F.relu(x + self.second_norm(self.second(hidden)))


class Stem(nn.Module):
    """A 5 x 5 convolution of stride 2 on one channel, as a matrix product over unfolded patches."""

    def __init__(self, num_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_out, 25) * (2 / 25) ** 0.5)
        self.norm = nn.BatchNorm2d(num_out)

    def forward(self, x: Tensor) -> Tensor:
        patches = F.unfold(x, 5, padding=2, stride=2).transpose(1, 2)
        hidden = F.linear(patches, self.weight)
        height, width = x.shape[2] // 2, x.shape[3] // 2
        grid = hidden.view(len(x), height, width, -1).permute(0, 3, 1, 2)
        return F.relu(self.norm(grid))


class Halving(nn.Module):
    """A 2 x 2 convolution of stride 2 as a matrix product: strided ones are slow in bfloat16."""

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_out, 4 * num_in) * (2 / (4 * num_in)) ** 0.5)
        self.norm = nn.BatchNorm2d(num_out)

    def forward(self, x: Tensor) -> Tensor:
        n, num_in, height, width = x.shape
        cells = x.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2, num_in)
        cells = cells.permute(0, 1, 3, 2, 4, 5).reshape(n, height // 2, width // 2, 4 * num_in)
        return F.relu(self.norm(F.linear(cells, self.weight).permute(0, 3, 1, 2)))


class RadicalNetwork(nn.Module):
    """Ink [N, 1, 64, 64] in [0, 1] (1 = ink) -> logits [N, 214] of the radicals 1..214."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Stem(32)]
        num_in = 32
        for num_channels, num_blocks in ((96, 2), (128, 2), (192, 1)):
            layers.append(Halving(num_in, num_channels))
            layers += [ResidualBlock(num_channels) for _ in range(num_blocks)]
            num_in = num_channels
        self.body = nn.Sequential(*layers)
        # Quadrants rather than one mean: where a component sits decides whether it is the radical.
        self.head = nn.Linear(num_in * 4, NUM_RADICALS)

    def forward(self, ink: Tensor) -> Tensor:
        quadrants = F.avg_pool2d(self.body(ink), 2)
        logits: Tensor = self.head(quadrants.flatten(1))
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


class RadicalJudge:
    """The trained judge of glyph pictures."""

    def __init__(self, network: RadicalNetwork) -> None:
        self.network = network.eval()

    @torch.inference_mode()
    def judge(self, pixels: np.ndarray, batch_size: int = 256) -> Tensor:
        """Log-probabilities [N, 214] of radicals 1..214 for uint8 pictures [N, H, W(, C)]."""
        batches = [
            F.log_softmax(self.network(to_ink(pixels[start : start + batch_size])), dim=1)
            for start in range(0, len(pixels), batch_size)
        ]
        return torch.cat(batches) if batches else torch.empty(0, NUM_RADICALS)

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """The most probable radical of each picture, int64 [N] in 1..214."""
        radicals: np.ndarray = self.judge(pixels).argmax(dim=1).numpy() + 1
        return radicals


def load_radical_judge(path: Path = WEIGHTS_PATH) -> RadicalJudge:
    """The judge that ships with the package (float16 on disk, float32 in memory)."""
    if not path.is_file():
        raise UserError(
            str(path),
            "the radical judge's weights are not there",
            "reinstall imagespace, or train them with scripts/train_radical_judge.py",
        )
    network = RadicalNetwork()
    state = {name: value.float() for name, value in load_file(path).items()}
    network.load_state_dict(state, strict=True)
    return RadicalJudge(network)


def sha256_of(path: Path) -> str:
    """The checksum that SOURCE.json records of the weights, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def real_glyphs(
    held_out: bool, limit: int | None = None, image_size_px: int = 128
) -> tuple[np.ndarray, np.ndarray]:
    """Real glyphs and their radicals, to measure the judge itself: uint8 [N, H, W] and int64 [N].

    The first `limit` characters in the order of a hash, from those the judge never saw
    (`held_out`) or those it learnt; the radical is the first that Unihan lists. UserError: the
    font or the Unihan package is absent.
    """
    renderer = GlyphRenderer(font_file(), image_size_px)
    entries = read_unihan(unihan_folder())
    chosen = [
        code_point
        for block in GLYPH_BLOCKS
        for code_point in block
        if code_point in entries and is_held_out(code_point) == held_out
    ]
    pictures, radicals = [], []
    for code_point in sorted(chosen, key=_digest):
        image = renderer.render(chr(code_point))
        if image is None:
            continue
        pictures.append(np.asarray(image))
        radicals.append(entries[code_point].radical)
        if len(pictures) == limit:
            break
    return np.stack(pictures), np.array(radicals)
