"""Recipes: named functions that return a whole run configuration, and one fitted to a folder."""

from imagespace.recipes.folder import check_size, for_folder, suited_recipe
from imagespace.recipes.named import Budget, for_points, recipe, varied

__all__ = ["Budget", "check_size", "for_folder", "for_points", "recipe", "suited_recipe", "varied"]
