"""Schedule, denoiser, objective, samplers and guidance: the mathematics of the walk."""
