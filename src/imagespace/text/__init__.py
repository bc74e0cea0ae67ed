"""Captions to frozen vectors that steer the denoiser: offline, shipped with the package."""

from imagespace.text.tokens import TextBatch, Tokens
from imagespace.text.vectors import TextEncoder, load_text_encoder

__all__ = ["TextBatch", "TextEncoder", "Tokens", "load_text_encoder"]
