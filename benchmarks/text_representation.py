"""Which text representation carries meaning to words never seen in training?

A small attention-pooling classifier learns caption -> radical on the glyph captions, once from
each representation, and is judged on captions and on words that it never saw:

  held-out captions   the data folder's own held_out split
  unseen words        captions of 300 content words, all of whose captions left the training set
  unseen word alone   each of those words by itself, against its captions' commonest radical
  probe               everyday words with hand-written expected radicals (salmon -> fish), top-5;
                      captions that hold a probe word left the training set too

The static vocabulary holds every caption word whole, "unseen" ones too: for words outside it judge
a build with --min-count 1000000000, which holds the teacher's own vocabulary alone.

Run: python benchmarks/text_representation.py DATA [--out FILE] [--vectors FOLDER] [--seeds N]
"""

import argparse
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor, nn

from imagespace.text import TextEncoder, load_text_encoder
from imagespace.text.minilm import MiniLM
from imagespace.text.vectors import VECTORS_NAME

MAX_NUM_TOKENS, NUM_RADICALS, NUM_UNSEEN_WORDS = 16, 214, 300
NUM_EPOCHS, BATCH_SIZE, LEARNING_RATE, HIDDEN = 5, 128, 1e-3, 256
LEARNED_WIDTH = 48

# Radical numbers as in Unihan's kRSUnicode (1..214); several where several would do.
PROBE = {
    "salmon": [195], "trout": [195], "sardine": [195], "lobster": [195, 142],
    "lava": [86, 112, 85, 32], "volcano": [86, 46], "flame": [86], "granite": [112],
    "mosquito": [142], "spider": [142], "wasp": [142], "penguin": [196], "parrot": [196],
    "copper": [167], "titanium": [167], "screwdriver": [167, 64], "oak": [75],
    "wardrobe": [75, 145], "diarrhea": [104], "asthma": [104], "cough": [30, 104, 76],
    "pony": [187], "gallop": [187, 157],
    "shout": [30, 149], "gossip": [149, 30], "necklace": [96, 120, 167, 154], "ruby": [96],
    "rage": [61], "jealousy": [61, 38], "stab": [18], "jacket": [145], "canoe": [137],
    "taxi": [159], "bread": [184, 119, 199], "whisky": [164], "thunderstorm": [173],
    "wolf": [94], "puppy": [94], "goat": [123], "buffalo": [93], "kick": [157], "bride": [38],
    "flute": [118], "daffodil": [140], "kidney": [130], "mug": [108, 98, 121, 75], "punch": [64],
    "glacier": [15, 85], "cliff": [46, 112], "thread": [120],
}  # fmt: skip


@dataclass(frozen=True)
class Features:
    """States [N, L, D] with their mask [N, L]; or token ids [N, L] to learn vectors for."""

    states: Tensor
    mask: Tensor


Reader = Callable[[Sequence[str]], Features]


class AttentionPool(nn.Module):
    """One learned query over the tokens, a hidden layer, 214 logits."""

    def __init__(self, width: int, vocabulary_size: int = 0) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary_size, width) if vocabulary_size else None
        self.score = nn.Linear(width, 4)
        self.value = nn.Linear(width, HIDDEN)
        self.head = nn.Sequential(nn.GELU(), nn.Dropout(0.2), nn.Linear(HIDDEN, NUM_RADICALS + 1))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        x = self.table(states) if self.table is not None else states.float()
        score = self.score(x).masked_fill(~mask[..., None], -1e4).softmax(1)
        # Four heads share the value's channels.
        value = self.value(x).unflatten(-1, (4, -1))
        logits: Tensor = self.head((score[..., None] * value).sum(1).flatten(1))
        return logits


def train(features: Features, labels: Tensor, vocabulary_size: int, seed: int) -> AttentionPool:
    torch.manual_seed(seed)
    width = LEARNED_WIDTH if vocabulary_size else features.states.shape[-1]
    model = AttentionPool(width, vocabulary_size)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.05)
    num_steps = NUM_EPOCHS * (len(labels) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3 * LEARNING_RATE, num_steps)
    for _ in range(NUM_EPOCHS):
        order = torch.randperm(len(labels))
        for batch in order.split(BATCH_SIZE)[: len(labels) // BATCH_SIZE]:
            logits = model(features.states[batch], features.mask[batch])
            loss = nn.functional.cross_entropy(logits, labels[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def best_five(model: AttentionPool, features: Features) -> Tensor:
    parts = zip(features.states.split(1024), features.mask.split(1024), strict=True)
    return torch.cat([model(s, m).topk(5).indices for s, m in parts])


def hits(five: Tensor, expected: Sequence[Sequence[int]]) -> dict[str, float]:
    rows = [
        [radical in good for radical in row]
        for row, good in zip(five.tolist(), expected, strict=True)
    ]
    return {f"top{k}": 100 * sum(any(r[:k]) for r in rows) / len(rows) for k in (1, 5)}


def token_importance(vectors: Path | None) -> Tensor:
    """How much each token weighs in a pooled mean, float32 [V]: what the vectors' file holds."""
    place = vectors or files("imagespace.text") / "data"
    return load((place / VECTORS_NAME).read_bytes())["importance"].float()


def pooled_states(encoder: TextEncoder, importance: Tensor, token_ids: Tensor) -> Tensor:
    """Importance-weighted mean [B, width] with root mean square 1; zero for no tokens."""
    weight = importance[token_ids.long()].unsqueeze(-1)
    mean = (encoder.states(token_ids) * weight).sum(1) / weight.sum(1).clamp(min=1e-12)
    rms = mean.square().mean(-1, keepdim=True).sqrt()
    return mean / rms.clamp(min=1e-12)


def static_readers(encoder: TextEncoder, importance: Tensor) -> dict[str, Reader]:
    def tokens(texts: Sequence[str]) -> Features:
        ids = encoder.encode(texts, MAX_NUM_TOKENS).token_ids
        return Features(encoder.states(ids).half(), ids > 0)

    def pooled(texts: Sequence[str]) -> Features:
        ids = encoder.encode(texts, MAX_NUM_TOKENS).token_ids
        states = pooled_states(encoder, importance, ids)[:, None]
        return Features(states, torch.ones(len(texts), 1, dtype=torch.bool))

    def token_ids(texts: Sequence[str]) -> Features:
        ids = encoder.encode(texts, MAX_NUM_TOKENS).token_ids
        return Features(ids, ids > 0)

    return {"static tokens": tokens, "static pooled": pooled, "learned bag of words": token_ids}


class MiniLMReader:
    """MiniLM states per distinct text, computed once, kept in DATA/.imagespace (float16)."""

    def __init__(self, cache: Path) -> None:
        self.cache, self.known = cache, torch.load(cache) if cache.is_file() else {}

    def add(self, texts: Sequence[str]) -> None:
        missing = sorted({t for t in texts if t not in self.known}, key=lambda t: (len(t), t))
        if not missing:
            return
        minilm = MiniLM()
        minilm.tokenizer.enable_truncation(MAX_NUM_TOKENS)
        for start in range(0, len(missing), 64):
            batch = missing[start : start + 64]
            ids, mask = minilm.tokenize(batch)
            states = minilm.states(ids, mask).half()
            # clone: a view would store the whole batch with every text.
            self.known |= {t: s[m].clone() for t, s, m in zip(batch, states, mask, strict=True)}
        self.cache.parent.mkdir(parents=True, exist_ok=True)
        torch.save(self.known, self.cache)

    def tokens(self, texts: Sequence[str]) -> Features:
        self.add(texts)
        states = torch.zeros(len(texts), MAX_NUM_TOKENS, 384, dtype=torch.float16)
        mask = torch.zeros(len(texts), MAX_NUM_TOKENS, dtype=torch.bool)
        for row, text in enumerate(texts):
            known = self.known[text]
            states[row, : len(known)], mask[row, : len(known)] = known, True
        return Features(states * (1 / 0.42), mask)  # 0.42: their root mean square

    def pooled(self, texts: Sequence[str]) -> Features:
        all_tokens = self.tokens(texts)
        total = (all_tokens.states.float() * all_tokens.mask[..., None]).sum(1, keepdim=True)
        mean = total / all_tokens.mask.sum(1)[:, None, None]
        mean = mean / mean.square().mean(-1, keepdim=True).sqrt()
        return Features(mean, torch.ones(len(texts), 1, dtype=torch.bool))


def words_of(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


def choose_unseen(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """300 content words, each with the radical of at least half of its 3..30 captions."""
    radicals: dict[str, Counter[int]] = defaultdict(Counter)
    for row in rows:
        for word in words_of(row["text"]):
            radicals[word][row["radical"]] += 1
    candidates = {}
    for word, counts in sorted(radicals.items()):
        (radical, most), total = counts.most_common(1)[0], counts.total()
        if len(word) >= 3 and 3 <= total <= 30 and most >= total / 2:
            candidates[word] = radical
    chosen = random.Random(0).sample(sorted(candidates), min(NUM_UNSEEN_WORDS, len(candidates)))
    return {word: candidates[word] for word in chosen}


def judge(
    reader: Reader, rows: Sequence[dict[str, Any]], vocabulary_size: int, seed: int
) -> dict[str, Any]:
    unseen = choose_unseen(rows)
    hidden = set(unseen) | set(PROBE)
    seen = [r for r in rows if r["split"] == "train" and not words_of(r["text"]) & hidden]
    groups = {
        "train": [r for r in rows if r["split"] == "train"],
        "held-out captions": [r for r in rows if r["split"] == "held_out"],
        "seen": seen,
        "unseen words": [r for r in rows if words_of(r["text"]) & set(unseen)],
    }
    read = {name: reader([r["text"] for r in group]) for name, group in groups.items()}
    label = {n: torch.tensor([r["radical"] for r in group]) for n, group in groups.items()}

    def score(model: AttentionPool, group: str) -> dict[str, float]:
        return hits(best_five(model, read[group]), label[group][:, None].tolist())

    model = train(read["train"], label["train"], vocabulary_size, seed)
    result: dict[str, Any] = {"held-out captions": score(model, "held-out captions")}
    model = train(read["seen"], label["seen"], vocabulary_size, seed)
    result["unseen words"] = score(model, "unseen words")
    alone = best_five(model, reader(list(unseen)))
    result["unseen word alone"] = hits(alone, [[r] for r in unseen.values()])
    five = best_five(model, reader(list(PROBE)))
    result["probe"] = hits(five, list(PROBE.values()))
    result["probe answers"] = dict(zip(PROBE, five.tolist(), strict=True))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--vectors", type=Path, help="folder of another build of the vectors")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="", help="only representations whose name holds this")
    arguments = parser.parse_args()

    torch.set_num_threads(1)  # These products are too small to share between threads.
    lines = (arguments.data / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["text"]]
    encoder = load_text_encoder(arguments.vectors)
    minilm = MiniLMReader(arguments.data / ".imagespace" / "minilm-states.pt")
    readers: dict[str, Reader] = {
        "MiniLM tokens": minilm.tokens,
        "MiniLM pooled": minilm.pooled,
        **static_readers(encoder, token_importance(arguments.vectors)),
    }
    tests = ("held-out captions", "unseen words", "unseen word alone", "probe")
    print(f"{len(rows)} captions; top-1 / top-5 in percent; vectors {encoder.fingerprint}")
    print(f"{'':22}" + "".join(f"{name:>20}" for name in tests) + f"{'seconds':>9}")
    results = {}
    for name, reader in readers.items():
        if arguments.only not in name:
            continue
        if name.startswith("MiniLM"):
            minilm.add([row["text"] for row in rows])
        started = time.perf_counter()
        vocabulary_size = len(encoder.vocabulary) if name.startswith("learned") else 0
        runs = [judge(reader, rows, vocabulary_size, seed) for seed in range(arguments.seeds)]
        mean = {
            t: {k: sum(r[t][k] for r in runs) / len(runs) for k in ("top1", "top5")} for t in tests
        }
        results[name] = mean | {"probe answers": runs[0]["probe answers"]}
        cells = [f"{mean[test]['top1']:.1f} / {mean[test]['top5']:.1f}" for test in tests]
        seconds = time.perf_counter() - started
        print(
            f"{name:22}" + "".join(f"{cell:>20}" for cell in cells) + f"{seconds:9.0f}", flush=True
        )
        missed = [
            w for w, five in results[name]["probe answers"].items() if not set(five) & set(PROBE[w])
        ]
        print(f"{'':4}probe misses: {' '.join(missed)}")
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
