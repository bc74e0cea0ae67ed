"""The lab: what people say about diffusion, each claim tested by a short experiment."""
