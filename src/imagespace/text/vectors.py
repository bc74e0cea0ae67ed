"""The frozen text representation: shipped static vectors, ready without a download."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from safetensors.torch import load
from tokenizers import Tokenizer
from torch import Tensor

from imagespace.errors import UserError
from imagespace.text.tokens import TextBatch, Tokens, build_tokenizer, fit, pad, tokenize

VECTORS_NAME, VOCABULARY_NAME, SOURCE_NAME = "vectors.safetensors", "vocabulary.txt", "SOURCE.json"


class TextEncoder:
    """Text to a sequence of frozen vectors, each word's neighbours in meaning its neighbours.

    vectors float32 [V, width], row 0 (padding) zero. Networks read the sequence as it is: no token
    is weighed.
    """

    def __init__(self, vocabulary: Sequence[str], vectors: Tensor, fingerprint: str) -> None:
        self.vocabulary = list(vocabulary)
        self.vectors = vectors
        self.fingerprint = fingerprint

    @property
    def width(self) -> int:
        """Length of one vector."""
        return self.vectors.shape[1]

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The WordPiece tokenizer over this vocabulary."""
        return build_tokenizer(self.vocabulary)

    def tokenize(self, text: str) -> Tokens:
        """Ids of the known words of `text` and the words that are unknown."""
        return tokenize(self.tokenizer, text)

    def encode(self, captions: Sequence[str], max_num_tokens: int) -> TextBatch:
        """token_ids int32 [B, max_num_tokens] and the words of each caption that did not fit."""
        rows, dropped = [], []
        for caption in captions:
            ids, left_out = fit(self.tokenize(caption), max_num_tokens)
            rows.append(ids)
            dropped.append(left_out)
        return TextBatch(pad(rows, max_num_tokens), dropped)

    def states(self, token_ids: Tensor) -> Tensor:
        """Token states [B, L, width] of token_ids [B, L]; zero at padding."""
        return self.vectors[token_ids.long()]

    def check_prompt(self, text: str, max_num_tokens: int, truncate: bool = False) -> list[str]:
        """What the user should know of how a prompt is read, a line each; usually nothing.

        Told are words that are ignored, and words that are read in pieces which do not say what it
        means. Foreign and misspelt words are, and so are some good English ones: avocado, which a
        model may have learnt from its pieces. No prompt is refused for it.
        Errors: UserError for a blank prompt, no readable word, or more than max_num_tokens tokens
        unless `truncate`, which tells the words left out instead.
        """
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise UserError(f"prompt {text!r}", "is not valid UTF-8", "Type it in UTF-8")
        if not text.strip():
            raise UserError(
                "prompt is empty", "a prompt says what to draw", 'Write some words: "a fish"'
            )
        tokens, warnings = self.tokenize(text), []
        unknown = ", ".join(dict.fromkeys(tokens.unknown))
        if not any(c.isalnum() for word in tokens.words for c in word):
            raise UserError(
                f"prompt {text.strip()!r}",
                "none of its words is known; imagespace reads English",
                'Write it in English words: "a fish"',
            )
        if unknown:
            warnings.append(f"Ignored, because imagespace reads English: {unknown}")
        kept, dropped = fit(tokens, max_num_tokens)
        if len(kept) < len(tokens.ids):
            left_out = " ".join(dropped)
            if not truncate:
                raise UserError(
                    f"prompt of {len(tokens.ids)} tokens",
                    f"this model reads at most {max_num_tokens}; too long by: {left_out}",
                    "Shorten it, or add --truncate (truncate=True)",
                )
            warnings.append(f"The model reads {max_num_tokens} tokens; left out: {left_out}")
        pieces = tokens.in_pieces(len(kept))
        in_pieces = ", ".join(word for word, ids in pieces.items() if not self._is_compound(ids))
        if in_pieces:
            warnings.append(f"Read in pieces, because the vocabulary has no such word: {in_pieces}")
        return warnings

    def _is_compound(self, ids: Sequence[int]) -> bool:
        """Whether pieces are known words, as in snow + man, or one with a plural's s.

        Two letters are too few to tell: ha + us is no house.
        """
        parts = [self.vocabulary[token].removeprefix("##") for token in ids]
        if parts[-1] == "s":
            parts.pop()
        return all(len(part) > 2 and self.tokenizer.token_to_id(part) is not None for part in parts)


def load_text_encoder(folder: Path | None = None) -> TextEncoder:
    """The shipped encoder, or one that scripts/build_text_vectors.py wrote into `folder`."""
    place = folder or files("imagespace.text") / "data"
    stored = (place / VECTORS_NAME).read_bytes()
    names = (place / VOCABULARY_NAME).read_bytes()
    tensors = load(stored)
    vectors = tensors["values"].float() * tensors["scale"].float()[:, None]
    fingerprint = hashlib.sha256(stored + names).hexdigest()[:16]
    vocabulary = names.decode().splitlines()
    return TextEncoder(vocabulary, vectors, fingerprint)
