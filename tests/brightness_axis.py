"""A model of pictures with its brightness axis."""

from imagespace.axes.finding import find_attribute
from imagespace.pictures.folder import read_folder


def with_brightness(model, shapes_folder, tmp_path, monkeypatch):
    """A model of 16 px with its brightness axis, which lies in the folder `axes`."""
    monkeypatch.setattr(
        "imagespace.pipeline.turning.axes_folder", lambda source, sha256: tmp_path / "axes"
    )
    axis = find_attribute(model, read_folder(shapes_folder, 16, 1), "brightness")
    axis.save(tmp_path / "axes" / "brightness.safetensors")
    return model, axis
