"""English text to token ids: WordPiece over the shipped vocabulary, and what it cannot read."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from torch import Tensor

PADDING_ID, UNKNOWN_ID = 0, 1


@dataclass(frozen=True)
class Tokens:
    """ids and the user's word behind each id (same length); unknown words have no id."""

    ids: list[int]
    words: list[str]
    unknown: list[str]
    # Which word each id belongs to: two ids of one word share its number.
    word_numbers: list[int]

    def in_pieces(self, num: int) -> dict[str, list[int]]:
        """The words among the first `num` ids that are several of them, with these ids.

        Numbers are not among them: every one of two digits or more is read digit by digit.
        """
        ids: dict[int, list[int]] = {}
        for number, token in zip(self.word_numbers[:num], self.ids, strict=False):
            ids.setdefault(number, []).append(token)
        words = dict(zip(self.word_numbers, self.words, strict=True))
        return {
            words[number]: pieces
            for number, pieces in ids.items()
            if len(pieces) > 1 and any(map(str.isalpha, words[number]))
        }


@dataclass(frozen=True)
class TextBatch:
    """token_ids int32 [B, L], 0 = padding; dropped[i]: the words of caption i that did not fit."""

    token_ids: Tensor
    dropped: list[list[str]]


def build_tokenizer(vocabulary: Sequence[str]) -> Tokenizer:
    """A BERT-style lower-casing WordPiece tokenizer; row i of `vocabulary` gets id i."""
    ids = {token: row for row, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def tokenize(tokenizer: Tokenizer, text: str) -> Tokens:
    """Ids of the known words of `text`, in order, and the words that are not in the vocabulary."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    # Only special tokens have no word number, and none were added.
    word_numbers = [number for number in encoding.word_ids if number is not None]
    spans: dict[int, tuple[int, int]] = {}
    for number, (start, end) in zip(word_numbers, encoding.offsets, strict=True):
        first, last = spans.get(number, (start, end))
        spans[number] = (min(first, start), max(last, end))
    ids, words, unknown, numbers = [], [], [], []
    for token, number in zip(encoding.ids, word_numbers, strict=True):
        word = text[slice(*spans[number])]
        if token == UNKNOWN_ID:
            unknown.append(word)
        else:
            ids.append(token)
            words.append(word)
            numbers.append(number)
    return Tokens(ids, words, unknown, numbers)


def fit(tokens: Tokens, max_num_tokens: int) -> tuple[list[int], list[str]]:
    """The ids that fit and the words that do not; the cut falls between words.

    A first word that alone is too long keeps its leading pieces.
    """
    if len(tokens.ids) <= max_num_tokens:
        return tokens.ids, []
    cut = max_num_tokens
    while cut > 0 and tokens.word_numbers[cut - 1] == tokens.word_numbers[cut]:
        cut -= 1
    cut = cut or max_num_tokens
    dropped: dict[int, str] = dict(zip(tokens.word_numbers[cut:], tokens.words[cut:], strict=True))
    return tokens.ids[:cut], [w for w in dropped.values() if any(c.isalnum() for c in w)]


def pad(rows: Sequence[Sequence[int]], max_num_tokens: int) -> Tensor:
    """int32 [B, max_num_tokens], padded on the right with 0."""
    token_ids = torch.zeros(len(rows), max_num_tokens, dtype=torch.int32)
    for row, ids in enumerate(rows):
        token_ids[row, : len(ids)] = torch.tensor(ids, dtype=torch.int32)
    return token_ids
