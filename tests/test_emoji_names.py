"""What emoji are called, and which belong together."""

from collections import defaultdict

import pytest
from real_emoji import needs_emoji, real_concepts

from imagespace.pictures import emoji
from imagespace.pictures.emoji_names import (
    concept_key,
    family_of,
    hexadecimal_points,
)
from imagespace.recipes.named import EMOJI_PROMPTS


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("woman running facing right", "running"),
        ("man running", "running"),
        ("person", "person"),
        ("woman", "person"),
        ("old woman", "old"),
        ("older person", "old"),
        ("mermaid", "mer"),
        ("kiss: man, man", "kiss"),
        ("family: woman, girl", "family"),
        ("health worker", "health worker"),
        ("woman health worker", "health worker"),
        ("Mrs. Claus", "Claus"),
        ("woman and man holding hands", "holding hands"),
        ("selfie", "selfie"),
    ],
)
def test_a_family_is_the_name_without_who_it_is(name: str, family: str) -> None:
    assert family_of(name, "people-and-body") == family


def test_only_people_have_families() -> None:
    assert family_of("man's shoe", "objects") == "man's shoe"


def test_keys_forget_how_files_spell_code_points() -> None:
    spellings = ("U+2764 U+FE0F", "2764-fe0f", "2764", "2764-FE0F")
    assert {concept_key(hexadecimal_points(text)) for text in spellings} == {"2764"}
    assert concept_key(hexadecimal_points("0023-FE0F-20E3")) == "23-20e3"
    assert hexadecimal_points("LICENSE") == []


@needs_emoji
def test_real_names_and_keywords() -> None:
    concepts = {concept.key: concept for concept in real_concepts()}
    avocado = concepts["1f951"]
    assert (avocado.name, avocado.kind) == ("avocado", "vegetable food")
    assert avocado.group == "food and drink"
    assert set(avocado.keywords) == {"food", "fruit"}
    assert concepts["1f1eb-1f1f7"].name == "flag: France"
    assert "1f44b-1f3fd" not in concepts  # a skin tone
    assert len(concepts) == 1906
    assert "’" not in "".join(concept.name for concept in concepts.values())
    # A country stands before the territories that fly its flag.
    order = list(concepts)
    assert order.index("1f1f3-1f1f4") < order.index("1f1e7-1f1fb")  # Norway, Bouvet Island


@needs_emoji
def test_splits_follow_families_and_leave_flags_of_places_to_training() -> None:
    concepts = real_concepts()
    splits = defaultdict(set)
    for concept in concepts:
        splits[concept.family].add(emoji.concept_split(concept))
    assert all(len(found) == 1 for found in splits.values())
    flags = {emoji.concept_split(concept) for concept in concepts if concept.is_flag_of_place}
    assert flags == {"train"}
    families = {"red panda": "panda", "a blue car": "automobile", "a green heart": "green heart"}
    for prompt in EMOJI_PROMPTS:
        shown = prompt.rsplit(", ", 1)[0]
        assert splits[families.get(shown, shown)] == {"train"}, prompt
    others = [emoji.concept_split(concept) for concept in concepts if not concept.is_flag_of_place]
    for split in ("held_out", "validation"):
        assert 0.03 < others.count(split) / len(others) < 0.07
