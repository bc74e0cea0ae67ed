"""Training: a function of (config, tensors, global step), driven as a generator."""
