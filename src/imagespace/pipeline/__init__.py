"""From a prompt to pictures: text, walk, pixels. Everything that draws consumes its `Step`s."""

from imagespace.pipeline.batching import LARGEST_BATCH, batch_with, batches
from imagespace.pipeline.drawn import Pictures, from_pixels, pixels_to_image, to_pixels
from imagespace.pipeline.loading import (
    DEFAULT_MODEL,
    autoencoder_file,
    load,
    load_autoencoder_by_name,
    model_file,
    shipped_autoencoders,
    shipped_models,
)
from imagespace.pipeline.model import Model
from imagespace.pipeline.morph import Stop, morph_settings
from imagespace.pipeline.settings import PictureSettings, PromptWarning, SamplingOptions, Term
from imagespace.pipeline.start import Start, start_from

__all__ = [
    "DEFAULT_MODEL",
    "LARGEST_BATCH",
    "Model",
    "PictureSettings",
    "Pictures",
    "PromptWarning",
    "SamplingOptions",
    "Start",
    "Stop",
    "Term",
    "autoencoder_file",
    "batch_with",
    "batches",
    "from_pixels",
    "load",
    "load_autoencoder_by_name",
    "model_file",
    "morph_settings",
    "pixels_to_image",
    "shipped_autoencoders",
    "shipped_models",
    "start_from",
    "to_pixels",
]
