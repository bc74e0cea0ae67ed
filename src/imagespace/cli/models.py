"""`imagespace models`: what is shipped."""


def models() -> None:
    """List the models that come with imagespace."""
    from imagespace.pipeline import model_file, shipped_models

    for name in shipped_models():
        path = model_file(name)
        print(f"{name}\t{path.stat().st_size / 1e6:.1f} MB\t{path}")
