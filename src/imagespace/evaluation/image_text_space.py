"""A space in which pictures lie near their captions, learnt from one set of captioned pictures.

Its picture features measure quality on the set's own terms; its distances between pictures and
captions measure whether a picture shows what its prompt says.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from imagespace.checkpoints import tensors_sha256, write_tensors
from imagespace.errors import UserError
from imagespace.evaluation.picture_encoder import PictureEncoder
from imagespace.text.vectors import TextEncoder

SPACE_FORMAT = "imagespace-image-text-space-1"
INPUT_SIZE_PX = 64
EMBEDDING_WIDTH = 192
MAX_TEXT_TOKENS = 16


class TextTower(nn.Module):
    """Token states [B, L, D] (all-zero rows are padding) -> embeddings [B, EMBEDDING_WIDTH].

    Attention pooling by one learned query, then a hidden layer.
    """

    def __init__(self, text_width: int, width: int = 256) -> None:
        super().__init__()
        self.token_in = nn.Linear(text_width, width)
        self.attention = nn.Linear(width, 1)
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, EMBEDDING_WIDTH)

    def forward(self, states: Tensor) -> Tensor:
        is_word = states.abs().amax(dim=2, keepdim=True) > 0
        tokens = F.gelu(self.token_in(states))
        weight = self.attention(tokens).masked_fill(~is_word, -1e4).softmax(dim=1)
        pooled = (weight * tokens).sum(dim=1)
        out: Tensor = self.out(F.gelu(self.hidden(pooled)))
        return out


class ImageTextNetwork(nn.Module):
    """Both towers, and a head of its own for telling two views of one picture (SimCLR)."""

    def __init__(self, num_channels: int, text_width: int) -> None:
        super().__init__()
        self.pictures = PictureEncoder(num_channels)
        self.picture_out = nn.Linear(self.pictures.width, EMBEDDING_WIDTH)
        self.view_out = nn.Linear(self.pictures.width, EMBEDDING_WIDTH)
        self.text = TextTower(text_width)
        self.log_scale = nn.Parameter(torch.tensor(10.0).log())

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures [N, C, 64, 64] -> embeddings near captions and near other views, each [N, E]."""
        features = self.pictures.quadrants(pictures)
        return (
            F.normalize(self.picture_out(features).float(), dim=1),
            F.normalize(self.view_out(features).float(), dim=1),
        )


@dataclass(frozen=True)
class ImageTextSpace:
    """A trained space; `data_key` names the pictures that it was learnt from.

    `num_steps` of `num_planned` steps were made before the time for it was over; None where that
    was not recorded.
    """

    network: ImageTextNetwork
    encoder: TextEncoder
    num_channels: int
    data_key: str
    fingerprint: str
    num_steps: int | None = None
    num_planned: int | None = None

    name = "image-text"

    @property
    def is_cut_short(self) -> bool:
        """Whether fewer steps were made than planned: it tells pictures less well apart."""
        return (self.num_steps or 0) < (self.num_planned or 0)

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features [N, 768] of pictures uint8 [N, H, W, C], from below the embedding."""
        parts = [self.network.pictures.quadrants(x) for x in self._batches(pixels)]
        return torch.cat(parts).numpy()

    @torch.inference_mode()
    def embed_pictures(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Unit vectors [N, 192] of pictures uint8 [N, H, W, C]."""
        return torch.cat([self.network(x)[0] for x in self._batches(pixels)])

    @torch.inference_mode()
    def embed_captions(self, captions: list[str]) -> Tensor:
        """Unit vectors [N, 192] of captions; what exceeds 16 tokens is not read."""
        token_ids = self.encoder.encode(captions, MAX_TEXT_TOKENS).token_ids
        return F.normalize(self.network.text(self.encoder.states(token_ids)), dim=1)

    def _batches(self, pixels: NDArray[np.uint8]) -> list[Tensor]:
        if pixels.ndim != 4 or pixels.shape[3] != self.num_channels:
            raise UserError(
                f"pictures of shape {pixels.shape}",
                f"this image-text space reads pictures of {self.num_channels} channels",
                "Give it pictures of the set that it was learnt from",
            )
        return [to_input(pixels[start : start + 256]) for start in range(0, len(pixels), 256)]


def to_input(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 [N, H, W, C] -> [N, C, 64, 64] in [0, 1], 0 = white, by box filter."""
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()
    return 1 - F.adaptive_avg_pool2d(x, INPUT_SIZE_PX) / 255


def save_space(path: Path, space: ImageTextSpace) -> None:
    """Writes a space as float16 with its checksum."""
    tensors = {
        name: value.half() if value.is_floating_point() else value
        for name, value in space.network.state_dict().items()
    }
    about = {
        "num_channels": space.num_channels,
        "data_key": space.data_key,
        "text_fingerprint": space.encoder.fingerprint,
        "num_steps": space.num_steps,
        "num_planned": space.num_planned,
    }
    header = {
        "format": SPACE_FORMAT,
        "about": json.dumps(about),
        "sha256": tensors_sha256(tensors),
    }
    partial = path.with_name(f".{path.name}.partial")
    write_tensors(partial, tensors, header)
    partial.replace(path)


def load_space(path: Path, encoder: TextEncoder) -> ImageTextSpace:
    """Reads a space. UserError: not a whole file of ours, or of other text vectors."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(header["about"])
        whole = header["format"] == SPACE_FORMAT and header["sha256"] == tensors_sha256(tensors)
    except (OSError, SafetensorError, KeyError, ValueError):
        whole = False
    if not whole:
        raise UserError(
            str(path), "is not a whole image-text space", "Delete it: it is learnt again when asked"
        )
    if about["text_fingerprint"] != encoder.fingerprint:
        raise UserError(
            str(path), "was learnt with other text vectors", "Delete it: it is learnt again"
        )
    network = ImageTextNetwork(about["num_channels"], encoder.width)
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    return ImageTextSpace(
        network,
        encoder,
        about["num_channels"],
        about["data_key"],
        header["sha256"][:16],
        about.get("num_steps"),
        about.get("num_planned"),
    )
