"""Static token vectors distilled from MiniLM, as model2vec does (github.com/MinishLab/model2vec).

Every entry of the vocabulary goes through MiniLM alone; its mean-pooled output, reduced by PCA,
is its vector for good. What is lost is context; what is kept is that salmon lies beside fish.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from imagespace.text.minilm import CLS_ID, SEP_ID, MiniLM

PADDING, UNKNOWN = "[PAD]", "[UNK]"
NUM_RESERVED = 2
# Lower-case Latin words and pieces, single digits, ASCII punctuation: all else becomes [UNK].
KEPT_TOKEN = re.compile(r"(##)?([a-z]+|[0-9])|[!-/:-@\[-`{-~]")
BATCH_SIZE = 512


@dataclass(frozen=True)
class StaticVectors:
    """tokens [V] (two reserved rows first), int8 values [V, width], scale [V], importance [V]."""

    tokens: list[str]
    values: Tensor
    scale: Tensor
    importance: Tensor


def choose_vocabulary(
    teacher: Sequence[str], words: Mapping[str, int], min_count: int
) -> list[str]:
    """The teacher's English tokens in its order, then the words it would cut into pieces.

    `words` counts whole words of a corpus; those seen `min_count` times get an entry of their own.
    """
    kept = [token for token in teacher if KEPT_TOKEN.fullmatch(token)]
    known = set(kept)
    whole = sorted(w for w, n in words.items() if n >= min_count and KEPT_TOKEN.fullmatch(w))
    return [PADDING, UNKNOWN, *kept, *(word for word in whole if word not in known)]


@torch.no_grad()
def embed_tokens(minilm: MiniLM, tokens: Sequence[str]) -> Tensor:
    """Mean-pooled MiniLM output [V, 384] of each token alone between [CLS] and [SEP].

    Tokens of one length share a batch, so that no padding enters a sum.
    """
    vocabulary = minilm.tokenizer.get_vocab()
    pieces = [
        [vocabulary[token]]
        if token in vocabulary
        else minilm.tokenizer.encode(token, add_special_tokens=False).ids
        for token in tokens
    ]
    out = torch.empty(len(tokens), 384)
    for length in sorted({len(p) for p in pieces}):
        rows = [row for row, p in enumerate(pieces) if len(p) == length]
        for start in range(0, len(rows), BATCH_SIZE):
            batch = rows[start : start + BATCH_SIZE]
            ids = torch.tensor([[CLS_ID, *pieces[row], SEP_ID] for row in batch])
            out[batch] = minilm.states(ids, torch.ones_like(ids, dtype=torch.bool)).mean(1)
    return out


def reduce(embeddings: Tensor, width: int, whitening: float) -> Tensor:
    """PCA to `width` dimensions with root mean square 1: [V, D] -> [V, width].

    whitening 0 keeps the variances as they are, 1 makes them equal (x_k / sd_k**whitening).
    """
    x = torch.nn.functional.normalize(embeddings.double(), dim=1)
    x = x - x.mean(0)
    variance, axes = torch.linalg.eigh(x.T @ x / len(x))
    variance, axes = variance.flip(0)[:width], axes.flip(1)[:, :width]
    # An eigenvector's sign is arbitrary: make its largest entry positive.
    largest = axes.abs().argmax(0)
    axes = axes * axes[largest, torch.arange(width)].sign()
    y: Tensor = (x @ axes) / variance.sqrt() ** whitening
    y = y / y.square().mean().sqrt()
    return y.float()


def token_importance(tokens: Sequence[str], words: Mapping[str, int], a: float = 1e-3) -> Tensor:
    """SIF weight a / (a + p) of every token, [V] (Arora et al. 2017, "A simple but tough ...").

    It stands in the vectors' file for whoever compares texts by a mean of their tokens, as
    benchmarks/text_representation.py does; no network reads it.
    p is the mean of two estimates of the token's frequency: Zipf's law over the teacher's
    vocabulary, which is sorted by frequency, and the share among the corpus's words.
    Punctuation gets almost nothing; the reserved rows get 0.
    """
    harmonic = sum(1 / rank for rank in range(1, len(tokens) + 1))
    total = max(1, sum(words.values()))
    rank, weights = 0, []
    for token in tokens:
        if token in (PADDING, UNKNOWN):
            weights.append(0.0)
        elif not any(c.isalnum() for c in token):
            weights.append(1e-3)
        else:
            is_teacher_word = not token.startswith("##") and len(token) > 1
            rank += is_teacher_word
            zipf = 1 / (max(rank, 1) * harmonic) if is_teacher_word else 0.0
            weights.append(a / (a + (zipf + words.get(token, 0) / total) / 2))
    return torch.tensor(weights)


def quantise(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """int8 values [V, W] and a float16 scale [V]: the error is at most about scale / 2 a value."""
    scale = (vectors.abs().amax(1) / 127).clamp(min=1e-6).half()
    values = (vectors / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8)
    return values, scale


def distill(
    minilm: MiniLM,
    words: Mapping[str, int],
    width: int = 256,
    whitening: float = 0.0,
    min_count: int = 1,
) -> StaticVectors:
    """Static vectors of the teacher's English tokens and of a corpus's words (word -> count)."""
    vocabulary = minilm.tokenizer.get_vocab()
    teacher = sorted(vocabulary, key=lambda token: vocabulary[token])
    tokens = choose_vocabulary(teacher, words, min_count)
    vectors = reduce(embed_tokens(minilm, tokens[NUM_RESERVED:]), width, whitening)
    values, scale = quantise(vectors)
    reserved = torch.zeros(NUM_RESERVED, width, dtype=torch.int8)
    return StaticVectors(
        tokens=tokens,
        values=torch.cat([reserved, values]),
        scale=torch.cat([torch.zeros(NUM_RESERVED, dtype=torch.float16), scale]),
        importance=token_importance(tokens, words),
    )
