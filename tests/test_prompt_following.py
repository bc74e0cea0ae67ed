"""Prompt following counts new prompts, honest judges, and each prompt once."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from imagespace.errors import UserError
from imagespace.evaluation import prompt_following
from imagespace.evaluation.nouns import NOUNS
from imagespace.evaluation.radical_judge import is_held_out
from imagespace.evaluation.retrieval import retrieval_ranks
from imagespace.evaluation.subject import Subject
from imagespace.networks.build import build_network
from imagespace.pictures.folder import PictureSet
from imagespace.pipeline import Model
from imagespace.text.vectors import load_text_encoder

SEEN, UNSEEN = (next(chr(c) for c in range(0x4E00, 0x5000) if is_held_out(c) == h) for h in (0, 1))
ENCODER = load_text_encoder()
# Words that the text encoder knows, all different.
WORDS = [f"{a} {b}" for a in ("red", "blue", "old", "new") for b in ("fish", "bird", "tree")]
WORDS += [f"big {b}" for b in ("fish", "bird", "tree", "hand", "mouth", "door", "sun", "moon")]


def subject_of(tiny_run, rows: list[dict], num: int = 50, encoder=ENCODER) -> Subject:
    """Pictures whose first pixel is their number, so that judges can tell them."""
    pixels = np.zeros((len(rows), 16, 16, 1), np.uint8)
    pixels[:, 0, 0, 0] = np.arange(len(rows))
    full = [{"text": "", "also": [], "split": "train"} | row for row in rows]
    pictures = PictureSet(
        pixels,
        [row["text"] for row in full],
        [row["also"] for row in full],
        np.array([row["split"] for row in full]),
        full,
        "key",
        [],
    )
    model = Model(tiny_run.model, build_network(tiny_run.model.network), encoder, "", "tiny")
    return Subject(model, pictures, num, 0)


class Reader:
    """A judge that answers by the number in a picture's first pixel."""

    def __init__(self, answers):
        self.answers = np.array(answers)

    def predict(self, pixels):
        return self.answers[pixels[:, 0, 0, 0]]


def glyph(text: str, split: str = "train", character: str = SEEN, **more: object) -> dict:
    return {"text": text, "split": split, "character": character, "radical": 5} | more


def test_real_radicals_are_of_characters_that_the_judge_never_saw(tiny_run):
    rows = [glyph("a fish"), glyph("a bird", "held_out"), glyph("a tree", "held_out")]
    rows += [glyph("a hand", "held_out", UNSEEN), glyph("a foot", "held_out", UNSEEN)]
    rows[4]["other_radicals"] = [9]
    subject = subject_of(tiny_run, rows)
    # Right of what it learnt by heart; one of two of the others, by their second radical.
    judge = Reader([5, 5, 5, 7, 9])
    # Samples that look like the first picture are right.
    samples = np.repeat(subject.pictures.pixels[:1], 4, axis=0)
    found = prompt_following.radicals(subject, judge, samples)
    assert (found["real"]["value"], found["real"]["num"]) == (0.5, 2)
    assert (found["samples"]["value"], found["samples"]["num"]) == (1, 4)
    assert (found["always_commonest"]["value"], found["always_commonest"]["num"]) == (1, 4)
    for row in rows:
        row["character"] = SEEN
    assert "real" not in prompt_following.radicals(subject_of(tiny_run, rows), judge, samples)


def test_prompts_that_training_read_do_not_count(tiny_run):
    rows = [
        glyph("to swim; a fish", also=["animal"]),
        glyph("fish", "held_out"),
        glyph("an animal", "validation"),
        glyph("a tree", "validation"),
        glyph("swim; fish", "held_out"),
    ]
    subject = subject_of(tiny_run, rows)
    followed = subject.sample_rows[subject.followed].tolist()
    # The sense and the alternative were read; both senses together are the whole caption.
    assert followed == [3]
    samples = np.repeat(subject.pictures.pixels[:1], subject.num_samples, axis=0)
    found = prompt_following.radicals(subject, Reader([5] * 5), samples)
    assert found["samples"]["num"] == found["always_commonest"]["num"] == 1
    # Where every caption was read, all are judged, and a note says so.
    assert prompt_following.prompts(subject) == {"num": 1, "num_unread": 1}
    known = subject_of(tiny_run, rows[:3])
    assert prompt_following.prompts(known) == {"num": 2, "num_unread": 0}
    assert len(known.followed) == known.num_samples == 2
    assert any(note.startswith("prompt following: every prompt") for note in known.notes)
    assert not any(note.startswith("prompt following") for note in subject.notes)
    training = subject_of(tiny_run, rows[:1])
    assert training.sample_rows.tolist() == [0]
    assert any(note.startswith("prompt following: every prompt") for note in training.notes)


def test_nouns_are_sixteen_samples_each_of_their_own_radical(tiny_run):
    subject = subject_of(tiny_run, [glyph("a fish"), glyph("a bird", "held_out")])

    class Fish:
        def predict(self, pixels):
            assert len(pixels) == 320
            return np.full(len(pixels), NOUNS[0].radical)

    asked = []

    def draw(settings, progress=None):
        asked.extend(s.prompt for s in settings)
        return np.zeros((len(settings), 16, 16, 1), np.uint8)

    object.__setattr__(subject, "draw", draw)
    found = prompt_following.nouns(subject, Fish())
    assert set(found) == {"samples", "chance", "num_read"}  # no glyph of a noun's radical is there
    assert found["samples"]["value"] == 1 / 20
    assert found["chance"]["value"] == 0
    assert asked[:17] == ["fish"] * 16 + ["tree"]


def test_nouns_stand_beside_real_glyphs_and_chance(tiny_run, monkeypatch):
    rows = [glyph("a fish; to swim", radical=NOUNS[0].radical)]
    rows += [glyph("a Tree", character=UNSEEN, radical=NOUNS[1].radical, also=["the rain"])]
    rows += [glyph("old", character=UNSEEN, radical=NOUNS[0].radical, split="held_out")]
    rows += [glyph("new", character=UNSEEN, radical=5), glyph("water", "held_out", radical=5)]
    subject = subject_of(tiny_run, rows)
    black = np.zeros((320, 16, 16, 1), np.uint8)
    monkeypatch.setattr(Subject, "draw", lambda *_: black)
    # Of the two real glyphs of nouns' radicals that the judge never saw, one is read right.
    found = prompt_following.nouns(subject, Reader([1, NOUNS[1].radical, 1, 1, 1]))
    assert (found["real"]["value"], found["real"]["num"]) == (0.5, 2)
    assert found["samples"]["value"] == 0
    # Two in five are of the first radical, one of the second, none of the other eighteen.
    assert found["chance"]["value"] == pytest.approx((2 / 5 + 1 / 5) / 20)
    # A sense, a caption and an alternative; but water is not shown in training.
    assert found["num_read"] == 3


def test_labels_are_words_and_read_of_new_prompts(tiny_run):
    random = np.random.default_rng(0)
    rows = [{"text": WORDS[0], "style": "ab"[i % 2] if i % 3 else None} for i in range(60)]
    rows += [
        {"text": w, "split": "held_out", "style": s}
        for w, s in zip(WORDS[1:7], "aaabb?", strict=True)
    ]
    rows[-1]["style"] = None
    subject = subject_of(tiny_run, rows)
    # The first feature tells the label; rows without one look like a third.
    sign = {"a": 1.0, "b": -1.0, None: 9.0}
    training = np.array([[sign[row["style"]]] for row in rows[:60]], np.float32)
    training = training + random.normal(0, 0.1, training.shape).astype(np.float32)
    real = np.array([[sign[rows[row]["style"]]] for row in subject.sample_rows], np.float32)
    found = prompt_following.labels(subject, "style", (training, -real, real))
    assert found["real"]["num"] == 5
    assert (found["real"]["value"], found["samples"]["value"]) == (1, 0)
    assert found["always_commonest"]["value"] in (0.4, 0.6)
    without = [row | ({"style": None} if row.get("split") else {}) for row in rows]
    with pytest.raises(UserError, match="at least one"):
        prompt_following.labels(subject_of(tiny_run, without), "style", (training, real, real))


def test_retrieval_ranks_each_prompt_once(tiny_run, monkeypatch):
    texts = [f"{word} {more}" for word in WORDS for more in ("fire", "rain", "gold", "ice", "oil")]
    rows = [{"text": "a mouth"}] + [{"text": text, "split": "held_out"} for text in texts]
    rows.append({"text": texts[0].upper(), "split": "held_out"})  # says the same as another
    subject = subject_of(tiny_run, rows, num=500)
    assert subject.num_samples == 101

    class Space:
        """Pictures and captions stand at the corner of the picture's own text."""

        def embed_pictures(self, pixels):
            own = [texts.index(rows[n]["text"].lower()) for n in pixels[:, 0, 0, 0]]
            return torch.eye(100)[own]

        def embed_captions(self, captions):
            return torch.eye(100)[[texts.index(caption.lower()) for caption in captions]]

    wrong = subject.pictures.pixels[np.roll(subject.sample_rows, 1)]
    asked = []

    def spied(pictures, captions, names, *more):
        asked.append(names)
        return retrieval_ranks(pictures, captions, names, *more)

    monkeypatch.setattr(prompt_following, "retrieval_ranks", spied)
    found = prompt_following.retrieval(subject, Space(), wrong, 0)
    assert found["real"]["R@1"] | {"interval": 0} == {
        "value": 1.0,
        "error": 0.0,
        "num": 101,
        "interval": 0,
    }
    assert found["samples"]["R@1"]["value"] < 0.05
    # Equal words have one name, others each their own.
    said = [rows[row]["text"].lower() for row in subject.sample_rows]
    expected = [[one == other for other in said] for one in said]
    assert np.array_equal(asked[0][:, None] == asked[0][None], expected)
    assert prompt_following.can_rank(subject)
    assert not prompt_following.can_rank(replace(subject, num=99))


def test_a_caption_without_a_known_word_is_left_out(tiny_run):
    rows = [{"text": "a fish"}, {"text": "???"}]
    rows += [{"text": t, "split": "held_out"} for t in ("a tree", "???", "", "a hand")]
    subject = subject_of(tiny_run, rows)
    assert sorted(subject.unseen) == [2, 5]
    assert "2 unseen pictures have no caption that can be read: left out" in subject.notes
    assert [s.prompt for s in subject.settings()] == [
        subject.pictures.captions[row] for row in subject.unseen
    ]


def test_without_captions_a_model_of_prompts_draws_unguided(tiny_run):
    rows = [{"split": split} for split in ("train", "held_out")]
    subject = subject_of(tiny_run, rows, num=3)
    settings = subject.settings(num_steps=3)
    assert [(s.prompt, s.seed, s.sampling.guidance, s.sampling.num_steps) for s in settings] == [
        ("", seed, 1.0, 3) for seed in range(3)
    ]
    assert subject.draw(settings).shape == (3, 16, 16, 1)


@pytest.mark.parametrize(
    "odd", [{"radical": "free"}, {"character": None}, {"radical": 215}, {"other_radicals": 4}]
)
def test_glyphs_say_their_radical_and_character_in_every_row(tiny_run, odd):
    rows = [glyph("a fish"), glyph("a bird", "held_out")]
    assert subject_of(tiny_run, rows).is_glyphs
    subject = subject_of(tiny_run, [rows[0], rows[1] | odd])
    assert not subject.is_glyphs
    assert any(note.startswith("radicals and legibility") for note in subject.notes)
