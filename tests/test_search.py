"""What a search finds is what a product of all vectors finds."""

import numpy as np
import pytest
import torch
from PIL import Image

from imagespace.checkpoints import save_model
from imagespace.cli.search import _pixels
from imagespace.errors import UserError
from imagespace.evaluation.image_text_space import ImageTextNetwork, ImageTextSpace
from imagespace.evaluation.search import Search
from imagespace.pictures.folder import read_folder
from imagespace.text.vectors import load_text_encoder


@pytest.fixture(scope="module")
def pictures(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


class KnownSpace(ImageTextSpace):
    """A space whose answers are known: a caption lies where the first picture of it lies."""

    def embed_pictures(self, pixels):
        ink = torch.from_numpy(255.0 - pixels).float().flatten(1)
        return torch.nn.functional.normalize(ink, dim=1)

    def embed_captions(self, captions):
        return torch.cat([self.embed_pictures(self.first_of[caption]) for caption in captions])


@pytest.fixture(scope="module")
def space(pictures):
    encoder = load_text_encoder()
    space = KnownSpace(ImageTextNetwork(1, encoder.width), encoder, 1, pictures.key, "known")
    first_of = {}
    for row, caption in enumerate(pictures.captions):
        first_of.setdefault(caption, np.array(pictures.pixels[row : row + 1]))
    object.__setattr__(space, "first_of", first_of)
    return space


@pytest.fixture(scope="module")
def index(space, pictures, tmp_path_factory):
    return Search(space, pictures, tmp_path_factory.mktemp("vectors"))


def test_a_picture_is_its_own_nearest(index, space, pictures):
    for row in (0, 17, 42):
        vector = space.embed_pictures(np.array(pictures.pixels[row : row + 1]))[0]
        found = index.nearest_pictures(vector, 3)
        assert found.scores[0] == pytest.approx(1, abs=1e-5)
        # A drawing that occurs twice may stand in its place.
        assert np.array_equal(pictures.pixels[found.rows[0]], pictures.pixels[row])


def test_words_find_in_the_order_of_the_product(index, space, pictures):
    found = index.nearest_pictures(index.words("a square; shape"), 10)
    assert pictures.captions[found.rows[0]] == "a square; shape"
    vector = space.embed_captions(["a square; shape"])[0]
    product = (space.embed_pictures(np.array(pictures.pixels)) @ vector).tolist()
    by_hand = sorted(range(len(product)), key=lambda row: -product[row])[:10]
    assert found.scores == pytest.approx([product[row] for row in by_hand])
    assert [product[row] for row in found.rows] == pytest.approx(found.scores)


def test_the_nearest_caption_of_a_picture_is_its_own(index, space, pictures):
    row = pictures.captions.index("a cross; shape")
    vector = space.embed_pictures(np.array(pictures.pixels[row : row + 1]))[0]
    found = index.nearest_captions(vector, 9)
    assert index.captions[found.rows[0]] == "a cross; shape"
    assert len(found.rows) == 4  # there are no more


def test_vectors_are_computed_once(space, pictures, tmp_path):
    first = Search(space, pictures, tmp_path)
    asked = []
    again = Search(space, pictures, tmp_path, lambda done, total: asked.append(done))
    assert asked == []
    assert torch.equal(first.picture_vectors, again.picture_vectors)


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
def test_a_picture_is_read_as_those_of_the_set_were(tmp_path, fit):
    Image.linear_gradient("L").crop((0, 0, 32, 60)).save(tmp_path / "tall.png")
    pictures = read_folder(tmp_path, 16, 1, fit=fit)
    assert np.array_equal(_pixels(tmp_path / "tall.png", pictures, fit), pictures.pixels)


def test_the_command_prints_and_draws_what_is_nearest(
    index, space, pictures, tiny_model, shapes_folder, tmp_path, monkeypatch, printed
):
    monkeypatch.setattr("imagespace.evaluation.space_training.space_of", lambda *_: space)
    monkeypatch.setattr("imagespace.evaluation.search.CACHE", tmp_path / "vectors")
    named = {"text_fingerprint": tiny_model.encoder.fingerprint}
    config = tiny_model.config.model_copy(update=named)
    save_model(tmp_path / "m.safetensors", tiny_model.network.state_dict(), config)
    words = ("--model", "m.safetensors", "--data", shapes_folder, "--num", 7)

    def lines(found):
        return [
            f"{score:6.3f}  {pictures.metadata[row]['file_name']}  {pictures.captions[row]}"
            for row, score in zip(found.rows, found.scores, strict=True)
        ]

    said = printed("search", "a square; shape", *words, "--out", "words.png").out.splitlines()
    found = index.nearest_pictures(index.words("a square; shape"), 7)
    assert said == [*lines(found), "words.png"]
    row = pictures.captions.index("a cross; shape")
    query = shapes_folder / f"{row}.png"
    said = printed("search", query, *words, "--out", "picture.png").out.splitlines()
    assert said[:2] == ["captions", " 1.000  a cross; shape"]
    assert said[5] == "pictures"
    vector = space.embed_pictures(np.array(pictures.pixels[row : row + 1]))[0]
    found = index.nearest_pictures(vector, 7)
    assert said[6:] == [*lines(found), "picture.png"]
    # The sheet: seven cells of 48 px in rows of six; the nearest, three times as large, is first.
    sheet = np.asarray(Image.open(tmp_path / "picture.png").convert("L"))
    assert sheet.shape[1] == 4 + 6 * 52
    assert np.array_equal(sheet[4:52, 4:52][1::3, 1::3], pictures.pixels[found.rows[0], :, :, 0])


def test_bad_queries_are_one_line(index, refusal):
    with pytest.raises(UserError, match="prompt is empty"):
        index.words(" ")
    assert "there is no such picture" in refusal("search", "nowhere.png")


def test_what_cannot_be_read_is_said_before_a_space_is_learnt(
    shapes_folder, tmp_path, refusal, monkeypatch
):
    def learn(*arguments):
        raise AssertionError("minutes were spent")

    monkeypatch.setattr("imagespace.evaluation.space_training.space_of", learn)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG, and no more")
    assert "not a readable picture" in refusal("search", broken, "--data", shapes_folder)
    assert "none of its words is known" in refusal("search", "魚", "--data", shapes_folder)
    assert "from 1 to" in refusal("search", "fish", "--num", 0)
