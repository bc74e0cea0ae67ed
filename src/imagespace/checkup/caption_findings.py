"""What the captions of a set lack: some, words, differences; and what the network cannot read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from imagespace.checkup.finding import Finding, counted, listed, share
from imagespace.pictures.split import normalised_words
from imagespace.text.tokens import fit
from imagespace.text.vectors import TextEncoder

# A set is one of classes if its captions have as many pictures each, on average.
_PICTURES_PER_CLASS = 5
_LARGEST_RATIO = 10  # between the counts of classes
_COMMON_SHARE, _COMMON_COUNT = 0.02, 20
_NUM_EXAMPLES = 20
_NUM_SHOWN = 12  # groups and single pictures

Row = dict[str, Any]


@dataclass
class _Reading:
    """How the network reads the distinct captions: what is cut off, and what it does not know."""

    longest: int = 0
    num_cut: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    unknown: dict[str, list[str]] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)


def texts_of(row: Row) -> list[str]:
    """All captions of a picture, its own first."""
    return [text for text in (row["text"], *row["also"]) if text]


def distinct_captions(rows: Sequence[Row]) -> Counter[str]:
    """How many pictures have each caption as their own; case and punctuation do not tell apart."""
    own = [row["text"] for row in rows if row["text"]]
    return Counter(normalised_words(text) or text for text in own)


def caption_findings(
    rows: Sequence[Row], encoder: TextEncoder, max_num_tokens: int
) -> list[Finding]:
    """What is to be said of the captions of `rows` (text, also, file_name), none of them empty.

    Rows without a caption are findings themselves; nothing else is asked of them.
    """
    captioned = [number for number, row in enumerate(rows) if texts_of(row)]
    if not captioned:
        return [
            Finding(
                "error",
                "no captions",
                f"{counted(len(rows), 'picture')}, none with a caption",
                "a model of prompts learns from captions",
                "Write them (NAME.txt beside NAME.png, or metadata.jsonl), or train without: "
                "--unconditional",
            )
        ]
    found = _missing(rows)
    counts = distinct_captions(rows)
    is_classes = len(counts) >= 2 and sum(counts.values()) >= _PICTURES_PER_CLASS * len(counts)
    found += _imbalance(counts) if is_classes else _repeated(rows, captioned, counts)
    reading = _read(
        [text for n in captioned for text in texts_of(rows[n])], encoder, max_num_tokens
    )
    found += _unread(rows, captioned, reading, max_num_tokens)
    found += _single_words(rows, captioned)
    return found


def _missing(rows: Sequence[Row]) -> list[Finding]:
    """Pictures without a caption, and captions without a word."""
    found = []
    missing = [number for number, row in enumerate(rows) if not texts_of(row)]
    if missing:
        found.append(
            Finding(
                "warning",
                "missing captions",
                f"{share(len(missing), len(rows))} pictures have no caption or an empty one",
                "they teach what pictures look like, and no prompt",
                "Write their captions, or leave them",
                [rows[number]["file_name"] for number in missing[:_NUM_EXAMPLES]],
                [missing[:_NUM_SHOWN]],
            )
        )
    wordless = [
        number
        for number, row in enumerate(rows)
        if texts_of(row) and not any(any(map(str.isalnum, text)) for text in texts_of(row))
    ]
    if wordless:
        found.append(
            Finding(
                "warning",
                "wordless captions",
                f"{share(len(wordless), len(rows))} captions have no letter or digit",
                "signs alone say nothing",
                "Write words",
                [f"{rows[n]['file_name']}: {rows[n]['text']}" for n in wordless[:_NUM_EXAMPLES]],
            )
        )
    return found


def _imbalance(counts: Counter[str]) -> list[Finding]:
    """Classes whose counts differ very much."""
    ordered = counts.most_common()
    (most, num_most), (least, num_least) = ordered[0], ordered[-1]
    if num_most < _LARGEST_RATIO * num_least:
        return []
    rare = [name for name, count in reversed(ordered) if num_most >= _LARGEST_RATIO * count]
    return [
        Finding(
            "warning",
            "class imbalance",
            f'"{most}" has {counted(num_most, "picture")}, "{least}" has {num_least:,}',
            f"classes are shown as often as they occur: {counted(len(rare), 'class', 'classes')} "
            f"with less than a tenth of the largest will be drawn worse",
            "Add pictures of the rare ones, or remove some of the others",
            [f"{name}: {counted(counts[name], 'picture')}" for name in rare[:_NUM_EXAMPLES]],
        )
    ]


def _repeated(rows: Sequence[Row], captioned: Sequence[int], counts: Counter[str]) -> list[Finding]:
    """The same caption for very many pictures, and how many share theirs at all."""
    total = sum(counts.values())
    limit = max(_COMMON_COUNT, _COMMON_SHARE * total)
    is_single = len(counts) == 1 and total > 1
    common = [(text, n) for text, n in counts.most_common() if n > limit or is_single]
    found = []
    if common:
        text, number = common[0]
        of_it = [n for n in captioned if normalised_words(rows[n]["text"]) == text]
        found.append(
            Finding(
                "warning",
                "common caption",
                f'{share(number, total)} pictures have the caption "{text}"',
                "a prompt that fits all of them draws any of them",
                "Say in the captions how they differ",
                [f"{text}: {counted(n, 'picture')}" for text, n in common[:_NUM_EXAMPLES]],
                [of_it[:_NUM_SHOWN]],
            )
        )
    shared = [(text, n) for text, n in counts.most_common() if n > 1]
    if shared and not is_single:
        num_sharing = sum(n for _, n in shared)
        found.append(
            Finding(
                "remark",
                "duplicate captions",
                f"{share(num_sharing, total)} pictures share their caption with another",
                f"{counted(len(counts), 'caption is', 'captions are')} distinct",
                "This is no fault where the pictures show the same",
                [f"{text}: {counted(n, 'picture')}" for text, n in shared[:_NUM_EXAMPLES]],
            )
        )
    return found


def _read(texts: Sequence[str], encoder: TextEncoder, max_num_tokens: int) -> _Reading:
    reading = _Reading()
    for text in dict.fromkeys(texts):
        tokens = encoder.tokenize(text)
        kept, left_out = fit(tokens, max_num_tokens)
        reading.longest = max(reading.longest, len(tokens.ids))
        if len(kept) < len(tokens.ids):
            reading.num_cut[text] = len(tokens.ids) - len(kept)
            reading.left_out[text] = left_out
        unknown = [word for word in tokens.unknown if any(map(str.isalnum, word))]
        if unknown:
            reading.unknown[text] = unknown
        if not any(any(map(str.isalnum, word)) for word in tokens.words):
            reading.unreadable.add(text)
    return reading


def _unread(
    rows: Sequence[Row], captioned: Sequence[int], reading: _Reading, max_num_tokens: int
) -> list[Finding]:
    """Pictures whose captions are cut, hold unknown words, or are unknown altogether."""
    found = []
    total = len(captioned)
    cut = [n for n in captioned if any(text in reading.num_cut for text in texts_of(rows[n]))]
    if cut:
        lost = sum(reading.num_cut.get(text, 0) for n in cut for text in texts_of(rows[n]))
        found.append(
            Finding(
                "warning",
                "truncated captions",
                f"{share(len(cut), total)} pictures have a caption longer than {max_num_tokens} "
                f"tokens (the longest: {reading.longest:,})",
                f"their ends are not read, {counted(lost, 'token')} in all",
                "Put what matters first, or shorten them",
                [
                    f"{text} [not read: {' '.join(left_out)}]"[:300]
                    for text, left_out in list(reading.left_out.items())[:_NUM_EXAMPLES]
                ],
            )
        )
    foreign = [n for n in captioned if all(t in reading.unreadable for t in texts_of(rows[n]))]
    if foreign:
        found.append(
            Finding(
                "warning",
                "unreadable captions",
                f"{share(len(foreign), total)} captions hold no known word",
                "imagespace reads English; to it these pictures have no caption",
                "Translate them",
                [f"{rows[n]['file_name']}: {rows[n]['text']}" for n in foreign[:_NUM_EXAMPLES]],
            )
        )
    unknown: Counter[str] = Counter()
    num_with = 0
    for n in captioned:
        words = {word.casefold() for t in texts_of(rows[n]) for word in reading.unknown.get(t, [])}
        unknown.update(words)
        num_with += bool(words)
    if unknown:
        commonest = [f"{word} ({n:,})" for word, n in unknown.most_common()]
        found.append(
            Finding(
                "warning" if num_with > 0.1 * total else "remark",
                "unknown words",
                f"{share(num_with, total)} pictures have words that the text vectors do not know",
                f"they are passed over: {listed(commonest)}",
                "Spell them out in English words",
                commonest[:_NUM_EXAMPLES],
            )
        )
    return found


def _single_words(rows: Sequence[Row], captioned: Sequence[int]) -> list[Finding]:
    """Words that one picture alone has."""
    pictures_with: Counter[str] = Counter()
    for n in captioned:
        pictures_with.update({w for t in texts_of(rows[n]) for w in normalised_words(t).split()})
    single = [word for word, count in pictures_with.items() if count == 1]
    if not single:
        return []
    return [
        Finding(
            "remark",
            "words that occur once",
            f"{share(len(single), len(pictures_with))} words occur with one picture only",
            "a word is learnt from several pictures, or from its neighbours in meaning",
            "Look for misspellings among them",
            sorted(single)[:200],
        )
    ]
