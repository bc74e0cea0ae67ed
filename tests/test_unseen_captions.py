"""Captions of held-out and validation pictures stay unread: not even as a sense of another's."""

import numpy as np
import pytest
import torch

from imagespace.evaluation.held_out import is_unread
from imagespace.pictures.folder import PictureSet
from imagespace.pictures.unseen import not_unseen, unseen_captions
from imagespace.training.captions import build_caption_table
from imagespace.training.config import TrainingConfig

CAPTIONS = {
    "to burn; roast; light": "train",
    "lamp; the heart": "train",
    "": "train",
    "fish": "train",
    "burn": "validation",
    "a lamp!": "held_out",
    "Heart": "held_out",
    "☆": "held_out",
    "fire; flame": "held_out",
    "a river": "held_out",
}
ALTERNATIVES = {"to burn; roast; light": ["fire", "Lamp"], "": ["heart"], "burn": ["fish"]}


@pytest.fixture
def pictures():
    num = len(CAPTIONS)
    return PictureSet(
        np.zeros((num, 4, 4, 1), np.uint8),
        list(CAPTIONS),
        [ALTERNATIVES.get(caption, []) for caption in CAPTIONS],
        np.array(list(CAPTIONS.values())),
        [{} for _ in CAPTIONS],
        "key",
        [],
    )


def shown(pictures, encoder, row: int, **chances: float) -> dict[str, float]:
    """Under which texts training shows a picture, with their shares of 20,000 draws."""
    texts = {"", *CAPTIONS}
    for text in [*CAPTIONS, *ALTERNATIVES]:
        texts |= {sense.strip() for sense in text.split(";")} | set(ALTERNATIVES.get(text, []))
    table = build_caption_table(pictures, encoder, 12)
    config = TrainingConfig(budget_images=1, caption_dropout=0.0, **chances)
    rows = torch.full((20_000,), row, dtype=torch.long)
    drawn = table.choose(rows, config, torch.Generator().manual_seed(0))
    ordered = sorted(texts - {"☆"})  # which the network reads as no text
    ids = encoder.encode(ordered, 12).token_ids
    shares = {
        text: (drawn == own).all(dim=1).double().mean().item()
        for text, own in zip(ordered, ids, strict=True)
    }
    return {text: share for text, share in shares.items() if share}


def test_a_sense_that_is_the_caption_of_an_unseen_picture_is_not_shown_alone(pictures, encoder):
    chances = {"alternative_caption": 0.25, "single_sense": 0.5}
    found = shown(pictures, encoder, 0, **chances)
    expected = {"to burn; roast; light": 0.375, "roast": 0.1875, "light": 0.1875, "fire": 0.25}
    assert found == pytest.approx(expected, abs=0.015)


def test_where_no_sense_is_left_the_whole_caption_is_shown(pictures, encoder):
    assert shown(pictures, encoder, 1, single_sense=1.0) == {"lamp; the heart": 1.0}
    assert shown(pictures, encoder, 2, alternative_caption=1.0) == {"": 1.0}
    assert shown(pictures, encoder, 3, single_sense=1.0) == {"fish": 1.0}


def test_captions_without_words_are_compared_as_they_stand(pictures):
    assert not_unseen(["☆", "★", "♡"], unseen_captions(pictures)) == ["★", "♡"]


def test_what_is_counted_as_unread_has_been_shown_by_no_version(pictures):
    """The stricter of the two: earlier versions showed every sense and alternative."""
    rows = pictures.indices("held_out")
    unread = {pictures.captions[row] for row in rows[is_unread(pictures, rows)]}
    assert unread == {"☆", "fire; flame", "a river"}
