"""Does a picture drawn for a noun carry the radical that means it?

Draws pictures for twenty plain nouns, asks the radical judge which radical each shows, and prints
the hit rates beside the judge's accuracy on real glyphs that it never saw (where each radical that
Unihan lists for a character is right) and the chance rates.
With --held-out, also for definitions that the model never trained on.

Run: python benchmarks/radical_accuracy.py --model glyphs --num-per-prompt 32 --out report.json
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from imagespace.errors import UserError
from imagespace.evaluation import wilson_interval
from imagespace.evaluation.held_out import unread_rows
from imagespace.evaluation.nouns import NOUNS
from imagespace.evaluation.radical_judge import (
    NUM_RADICALS,
    RadicalJudge,
    load_radical_judge,
    real_glyphs,
)
from imagespace.pictures.folder import read_folder
from imagespace.pictures.glyphs import GLYPH_BLOCKS, unihan_folder
from imagespace.pictures.radicals import radical_name
from imagespace.pictures.unihan import read_unihan
from imagespace.pipeline import Model, load


def rate(hits: np.ndarray) -> dict[str, Any]:
    """The share of hits with its count and 95 % interval."""
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return {"rate": float(hits.mean()), "num": len(hits), "interval": [low, high]}


def percent(measured: dict[str, Any]) -> str:
    """A rate as people read it."""
    low, high = measured["interval"]
    return f"{measured['rate']:6.1%}  ({low:.1%} to {high:.1%}, n = {measured['num']})"


def chance_rates() -> dict[str, float]:
    """What a model that ignores the prompt would reach on the nouns.

    `uniform` draws any radical alike; `any_character` draws real characters at random.
    """
    entries = read_unihan(unihan_folder())
    counts = Counter(
        entries[code_point].radical
        for block in GLYPH_BLOCKS
        for code_point in block
        if code_point in entries
    )
    share = np.mean([counts[noun.radical] / counts.total() for noun in NOUNS])
    return {"uniform": 1 / NUM_RADICALS, "any_character": float(share)}


def judge_nouns(model: Model, judge: RadicalJudge, num: int, seed: int) -> dict[str, Any]:
    """Hit rates of the nouns: strict (one radical each) and with the accepted alternatives."""
    strict: list[np.ndarray] = []
    lenient: list[np.ndarray] = []
    nouns: dict[str, Any] = {}
    for noun in NOUNS:
        predicted = judge.predict(model.generate(noun.prompt, num=num, seed=seed).pixels)
        strict.append(predicted == noun.radical)
        lenient.append(np.isin(predicted, noun.accepted))
        seen = Counter(predicted.tolist()).most_common(3)
        row = rate(strict[-1]) | {"radical": noun.radical, "seen": seen}
        if noun.also_accepted:
            row["with_alternatives"] = rate(lenient[-1])
        nouns[noun.prompt] = row
        shown = ", ".join(f"{radical_name(radical)} {count}" for radical, count in seen)
        print(f"{noun.prompt:10} {strict[-1].mean():6.1%}   drawn: {shown}", flush=True)
        if noun.also_accepted:
            also = ", ".join(radical_name(radical) for radical in noun.also_accepted)
            print(f"{'':10} {lenient[-1].mean():6.1%}   if {also} counts too", flush=True)
    return {
        "overall": rate(np.concatenate(strict)),
        "overall_with_alternatives": rate(np.concatenate(lenient)),
        "nouns": nouns,
    }


def judge_definitions(
    model: Model, judge: RadicalJudge, data: Path, num: int, seed: int
) -> dict[str, Any]:
    """One picture for each of `num` held-out definitions, against that character's radical."""
    pictures = read_folder(data, 64, 1)
    rows = unread_rows(pictures)
    rows = np.random.default_rng(seed).permutation(rows)[:num]
    if not len(rows):
        raise UserError(str(data), "it has no held-out picture", "Build the glyph folder anew.")
    captions = [pictures.captions[row] for row in rows]
    radicals = np.array([pictures.metadata[row]["radical"] for row in rows])
    settings = [
        model.settings(text, seed=seed + i, truncate=True)[0] for i, text in enumerate(captions)
    ]
    predicted = judge.predict(model.draw(settings).pixels)
    commonest = Counter(row["radical"] for row in pictures.metadata).most_common(1)[0][0]
    return rate(predicted == radicals) | {
        "real_pictures": rate(judge.predict(pictures.pixels[rows]) == radicals),
        "always_commonest_radical": float(np.mean(radicals == commonest)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="glyphs", help="shipped name, run folder or file")
    parser.add_argument("--num-per-prompt", type=int, default=32)
    parser.add_argument("--held-out", type=Path, metavar="DATA", help="glyph data folder")
    parser.add_argument("--num-held-out", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON report")
    args = parser.parse_args()
    judge = load_radical_judge()
    model = load(args.model)
    glyphs, radicals, listed = real_glyphs(held_out=True)
    report: dict[str, Any] = {"model": args.model, "model_sha256": model.sha256}
    report |= {"num_per_prompt": args.num_per_prompt, "seed": args.seed}
    predicted = judge.predict(glyphs)
    hits = listed[np.arange(len(listed)), predicted - 1]
    first = report["judge_first_listed_only"] = rate(predicted == radicals)
    own = report["judge_on_unseen_real_glyphs"] = rate(hits)
    plain = hits[np.isin(radicals, [noun.radical for noun in NOUNS])]
    own_nouns = report["judge_on_the_nouns_radicals"] = rate(plain)
    chance = report["chance"] = chance_rates()
    nouns = report["nouns"] = judge_nouns(model, judge, args.num_per_prompt, args.seed)
    print(f"all nouns, strict         {percent(nouns['overall'])}")
    print(f"judge, unseen real glyphs {percent(own)}")
    print(f"  first listed only       {percent(first)}")
    print(f"  of the nouns' radicals  {percent(own_nouns)}")
    print(f"chance: {chance['uniform']:.1%} uniform, {chance['any_character']:.1%} any character")
    if args.held_out is not None:
        unseen = judge_definitions(model, judge, args.held_out, args.num_held_out, args.seed)
        report["held_out_definitions"] = unseen
        print(f"held-out definitions      {percent(unseen)}")
        print(f"  real pictures of these  {percent(unseen['real_pictures'])}")
        print(f"  always the commonest    {unseen['always_commonest_radical']:6.1%}")
    if args.out is not None:
        args.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
