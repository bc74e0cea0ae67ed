"""A view saves as what its name says, and shows itself."""

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from imagespace import atlas
from imagespace.atlas.view import View
from imagespace.errors import UserError


def view(num_frames: int = 0) -> View:
    figure = Figure(figsize=(2, 1))
    axis = figure.add_subplot()
    axis.plot([0, 1], [0, 1])
    axis.imshow(np.eye(3), extent=(0, 1, 0, 1))  # pictures, clipping and markers have ids in an SVG
    axis.scatter([0.2, 0.8], [0.5, 0.5], c=["red", "blue"], clip_on=True)
    frames = [Image.new("L", (8, 8), 20 * i) for i in range(num_frames)]
    return View("a line <b>", figure, {"slope": 1.0}, frames)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_view_is_the_same_file(tmp_path, suffix):
    first, again = (view().save(tmp_path / f"{name}.{suffix}") for name in "ab")
    assert first.stat().st_size > 500
    assert first.read_bytes() == again.read_bytes()


def test_a_film_has_the_frames(tmp_path):
    with Image.open(view(3).save(tmp_path / "film.webp")) as film:
        assert film.n_frames == 3


@pytest.mark.parametrize(("name", "said"), [("film.webp", "does not move"), ("view.doc", ".svg")])
def test_an_impossible_name_is_refused(tmp_path, name, said):
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        view().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["figure.png", "film.webp"])
def test_what_cannot_be_written_whole_leaves_the_file_that_was_there(tmp_path, monkeypatch, name):
    """A full disk, after the first bytes."""
    path = view(3).save(tmp_path / name)
    before = path.read_bytes()
    right = Path.replace

    def full(partial, target):
        assert partial.stat().st_size > 0
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        view(5).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.setattr(Path, "replace", right)
    view(5).save(path)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_notebooks_show_the_figure_and_its_sentence():
    with Image.open(io.BytesIO(view()._repr_png_())) as image:
        assert image.size == (300, 150)
    assert "a line &lt;b&gt;</figcaption>" in view()._repr_html_()


def test_the_functions_of_the_atlas_are_where_the_docs_say():
    for name in atlas.__all__:
        assert getattr(atlas, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = atlas.nothing
