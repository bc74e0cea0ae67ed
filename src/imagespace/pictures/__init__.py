"""Folders of captioned pictures: building them, reading them, looking at them."""
