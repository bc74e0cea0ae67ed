"""A transformer over picture patches that runs as matrix products.

The picture is cut into P x P patches, each one token; the text's tokens stand in front of them in
the same sequence (in-context conditioning), so that attention alone decides which word steers
which part. Time and the pooled text modulate every block (adaLN-single, arXiv 2310.00426).
Blocks follow DiT (arXiv 2212.09748) with RMSNorm, QK-norm and SwiGLU; large patches with a
prediction of the clean picture follow JiT (arXiv 2511.13720).
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from imagespace.networks.geometry import moved
from imagespace.networks.sketch import Sketch, patches_of, pooled_text
from imagespace.networks.time_embedding import TimeEmbedding


class TransformerConfig(BaseModel):
    """The network's shape. `width` and `depth` are set together by `sized`.

    `image_size_px`, `num_channels` and `patch_size_px` are those of what it denoises: pixels, or
    the places of a latent grid (`ModelConfig.picture_shape` is that of the pictures then).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["patch_transformer"] = "patch_transformer"
    image_size_px: int = Field(128, gt=0)
    num_channels: int = Field(1, ge=1, le=64)
    patch_size_px: int = Field(16, gt=0)
    width: int = Field(384, gt=0)
    depth: int = Field(3, gt=0)
    num_heads: int = Field(6, gt=0)
    text_width: int = Field(256, gt=0)
    max_text_tokens: int = Field(16, ge=0)
    # Side of the caption's sketch, a multiple of the patches' number; 0 = no sketch.
    sketch_side_px: int = Field(0, ge=0)
    sketch_width: int = Field(1024, gt=0)
    # Width of the label that says how a training picture was changed; 0 = pictures as they are.
    num_augmentation_labels: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _divides(self) -> "TransformerConfig":
        if self.image_size_px % self.patch_size_px:
            raise ValueError(
                f"patch_size_px {self.patch_size_px} must divide image_size_px {self.image_size_px}"
            )
        if self.width % self.num_heads:
            raise ValueError(f"num_heads {self.num_heads} must divide width {self.width}")
        if self.sketch_side_px:
            side = self.image_size_px // self.patch_size_px
            if self.sketch_side_px % side or self.image_size_px % self.sketch_side_px:
                raise ValueError(
                    f"sketch_side_px {self.sketch_side_px} must be a multiple of {side} patches "
                    f"and divide image_size_px {self.image_size_px}"
                )
            if not self.max_text_tokens:
                raise ValueError("sketch_side_px must be 0 where no text is read")
        return self

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, a picture or its latents: channels, height, width."""
        return (self.num_channels, self.image_size_px, self.image_size_px)

    @property
    def num_patches(self) -> int:
        return (self.image_size_px // self.patch_size_px) ** 2

    @property
    def num_tokens(self) -> int:
        return self.num_patches + self.max_text_tokens

    @classmethod
    def sized(cls, size: int, **others: int) -> "TransformerConfig":
        """One dial: `size` 6 is 384 wide and 3 deep (7 M parameters); width 64 a step.

        Wide and shallow: on a processor large products are cheaper than many
        (docs/experiments.md).
        """
        depth = max(1, size // 2)
        return cls(width=64 * size, depth=depth, num_heads=size, **others)  # type: ignore[arg-type]


def sincos_positions(side: int, width: int) -> Tensor:
    """Fixed 2-D sine-cosine positions [side * side, width], the start of the learned ones."""
    frequency = torch.exp(-math.log(10_000.0) * torch.arange(width // 4) / (width // 4))
    angle = torch.arange(side)[:, None] * frequency
    axis = torch.cat([angle.sin(), angle.cos()], dim=1)
    rows = axis[:, None, :].expand(side, side, -1)
    columns = axis[None, :, :].expand(side, side, -1)
    return torch.cat([rows, columns], dim=2).reshape(side * side, width)


class Attention(nn.Module):
    """Self-attention with RMS-normalised queries and keys: [B, T, D] -> [B, T - first, D].

    All tokens are looked at; those from `first` on look, and are answered for.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        head_width = width // num_heads
        self.scale = head_width**-0.5
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.query_norm = nn.RMSNorm(head_width)
        self.key_norm = nn.RMSNorm(head_width)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        batch, _, width = x.shape
        if first:
            of_query, of_key_value = self.qkv.weight.split((width, 2 * width))
            parts = [F.linear(x[:, first:], of_query), *F.linear(x, of_key_value).chunk(2, 2)]
        else:
            # By chunk: the gradient of unbinding one stacked tensor is computed three times over.
            parts = list(self.qkv(x).chunk(3, 2))
        heads = [part.unflatten(2, (self.num_heads, -1)) for part in parts]
        query, key, value = (part.transpose(1, 2) for part in heads)
        query = (self.query_norm(query) * self.scale).to(value.dtype)
        key = self.key_norm(key).to(value.dtype)
        # Two matrix products: at these lengths torch's fused CPU kernel takes several times
        # as long (benchmarks/training_rate.py), and it has no forward-mode derivative.
        weights = (query @ key.transpose(2, 3)).float().softmax(dim=3)
        mixed = weights.to(value.dtype) @ value
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, -1, width))
        return out


class SwiGLU(nn.Module):
    """Gated feed-forward layer (arXiv 2002.05202), 8/3 wide: [B, T, D] -> [B, T, D]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = 64 * round(width * 8 / 3 / 64)
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * up)
        return out


class Block(nn.Module):
    """Attention then feed-forward, each scaled, shifted and gated by the modulation.

    [B, T, D] -> [B, T - first, D]: a network's last block leaves out the tokens that nothing reads.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(width, elementwise_affine=False)
        self.attention = Attention(width, num_heads)
        self.feed_forward_norm = nn.RMSNorm(width, elementwise_affine=False)
        self.feed_forward = SwiGLU(width)
        # adaLN-single: one shared projection for all blocks, plus this table of the block's own.
        self.modulation = nn.Parameter(torch.zeros(6, width))

    def forward(self, x: Tensor, shared: Tensor, first: int = 0) -> Tensor:
        table = (shared + self.modulation)[:, :, None, :]  # [B, 6, 1, D]
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = table.unbind(1)
        mixed: Tensor = self.attention(self.attention_norm(x) * (1 + scale_a) + shift_a, first)
        x = x[:, first:] + gate_a * mixed
        fed: Tensor = self.feed_forward(self.feed_forward_norm(x) * (1 + scale_f) + shift_f)
        return x + gate_f * fed


class PatchTransformer(nn.Module):
    """x_t [B, C, H, W], t [B], text tokens [B, L, text_width] -> prediction [B, C, H, W].

    `augmentation` [B, A] tells how training pictures were changed; without it, not at all.

    A text token that is all zero is padding and becomes a learned vector; a row of padding alone
    is the unconditional field. With max_text_tokens 0 the text is not read.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        width, patch = config.width, config.patch_size_px
        patch_values = config.num_channels * patch * patch
        self.patch_in = nn.Linear(patch_values, width)
        self.positions = nn.Parameter(sincos_positions(config.image_size_px // patch, width) * 0.5)
        if config.max_text_tokens:
            self.text_in = nn.Linear(config.text_width, width)
            self.text_positions = nn.Parameter(torch.randn(config.max_text_tokens, width) * 0.02)
            self.padding_token = nn.Parameter(torch.randn(width) * 0.02)
        self.time = TimeEmbedding(width)
        if config.max_text_tokens:
            self.pooled_in = nn.Linear(config.text_width, width)
        if config.sketch_side_px:
            sketch_values = config.num_channels * config.sketch_side_px**2 // config.num_patches
            self.sketch_in = nn.Linear(sketch_values, width, bias=False)
        if config.num_augmentation_labels:
            # Without a bias: a label of zeros, which drawing asks for, adds nothing.
            self.augmentation_in = nn.Linear(config.num_augmentation_labels, width, bias=False)
        self.modulation = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(width, config.num_heads) for _ in range(config.depth))
        self.final_norm = nn.RMSNorm(width, elementwise_affine=False)
        self.final_modulation = nn.Linear(width, 2 * width)
        self.patch_out = nn.Linear(width, patch_values)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        # Each block starts as the identity and the prediction as zero (DiT's adaLN-zero).
        for layer in (self.modulation, self.final_modulation, self.patch_out):
            nn.init.zeros_(layer.weight)
        config = self.config
        if config.sketch_side_px:
            # Last, so that the other weights start as they would without it.
            self.sketch = Sketch(
                config.text_width, config.sketch_width, config.num_channels, config.sketch_side_px
            )
            self.sketch.requires_grad_(False)

    def sketched(self, pooled: Tensor, augmentation: Tensor | None = None) -> Tensor:
        """The sketches of pooled texts, moved as the pictures were: [B, D] -> [B, C, S, S]."""
        sketch: Tensor = self.sketch(pooled)
        return sketch if augmentation is None else moved(sketch, augmentation)

    def forward(
        self, x_t: Tensor, t: Tensor, text: Tensor, augmentation: Tensor | None = None
    ) -> Tensor:
        config = self.config
        patch, side = config.patch_size_px, config.image_size_px // config.patch_size_px
        batch, channels = x_t.shape[:2]
        picture_tokens = self.patch_in(patches_of(x_t, side)) + self.positions

        condition, x = self.time(t), picture_tokens
        if config.max_text_tokens:
            is_word = text.abs().amax(dim=2, keepdim=True) > 0  # [B, L, 1]
            text_tokens = torch.where(is_word, self.text_in(text), self.padding_token)
            pooled = pooled_text(text)
            condition = condition + self.pooled_in(pooled)
            if config.sketch_side_px:
                sketch = patches_of(self.sketched(pooled, augmentation), side)
                picture_tokens = picture_tokens + self.sketch_in(sketch)
            x = torch.cat([text_tokens + self.text_positions, picture_tokens], dim=1)
        if augmentation is not None:
            condition = condition + self.augmentation_in(augmentation)
        condition = F.silu(condition)
        shared = self.modulation(condition).view(batch, 6, config.width)
        for block in self.blocks[:-1]:
            x = block(x, shared)
        x = self.blocks[-1](x, shared, config.max_text_tokens)
        shift, scale = self.final_modulation(condition)[:, None].chunk(2, dim=2)
        x = self.final_norm(x) * (1 + scale) + shift
        out: Tensor = self.patch_out(x).view(batch, side, side, channels, patch, patch)
        return out.permute(0, 3, 1, 4, 2, 5).reshape(x_t.shape)


def training_flops_per_picture(config: TransformerConfig) -> float:
    """Model FLOPs of one picture's forward and backward pass: 2 x the multiply-adds of each.

    Counts the blocks' matrix products, attention and the patch layers; nothing elementwise. The
    backward pass has twice the forward's products, but for the first layers, whose input needs no
    gradient.
    """
    width, tokens = config.width, config.num_tokens
    hidden = 64 * round(width * 8 / 3 / 64)
    of_token = 4 * width * width + 3 * width * hidden
    block = tokens * of_token + 2 * tokens * tokens * width
    # Of the text's tokens the last block needs keys and values alone.
    unread = config.max_text_tokens * (of_token - 2 * width * width + 2 * tokens * width)
    patch_layer = config.num_patches * config.num_channels * config.patch_size_px**2 * width
    text_layer = config.max_text_tokens * config.text_width * width
    return 6.0 * (config.depth * block - unread + patch_layer) + 4.0 * (patch_layer + text_layer)
