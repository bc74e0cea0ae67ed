"""The check of a folder of pictures before training: what is wrong with it, and what it is for."""
