"""Captions to frozen vectors that steer the denoiser: offline, shipped with the package."""

from imagespace.text.tokens import TextBatch, Tokens
from imagespace.text.vectors import PromptCheck, TextEncoder, load_text_encoder

__all__ = ["PromptCheck", "TextBatch", "TextEncoder", "Tokens", "load_text_encoder"]
