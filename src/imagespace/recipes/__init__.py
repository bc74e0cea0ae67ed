"""Recipes: named functions that return a whole run configuration, and one fitted to a folder."""

from imagespace.recipes.asked import PictureOptions, picture_config
from imagespace.recipes.folder import check_size, for_folder, suited_recipe
from imagespace.recipes.latent import autoencoder_for, in_latents, latent_advice, scale_warning
from imagespace.recipes.named import (
    Budget,
    as_begun,
    for_few_pictures,
    for_points,
    network_sized,
    recipe,
    varied,
)

__all__ = [
    "Budget",
    "PictureOptions",
    "as_begun",
    "autoencoder_for",
    "check_size",
    "for_few_pictures",
    "for_folder",
    "for_points",
    "in_latents",
    "latent_advice",
    "network_sized",
    "picture_config",
    "recipe",
    "scale_warning",
    "suited_recipe",
    "varied",
]
