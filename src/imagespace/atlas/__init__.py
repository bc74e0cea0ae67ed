"""The atlas: maps and exact slices of image space, with the walks of a model drawn on them."""
