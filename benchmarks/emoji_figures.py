"""What the emoji model knows, how it carries it into other styles, and how much of it is copied.

Concepts are judged in the features of an ImageNet network that knows none of the captions, styles
by how colours and edges are distributed (what a style is, and more telling than objects' features).

* Concepts: a picture is drawn for a training caption. One hundred concepts, its own among them, are
  each as near as the nearest of their real training pictures, in whatever style; is its own among
  the nearest five? Beside it: the same for that caption's real picture, which is taken out.
* Styles: for each (concept, style) pair that was held out, does a linear probe, fitted on the
  training pictures, read the style that was asked for? The probe also learns them softened and with
  a grain that nobody sees: one that knew only the flat areas of clean drawings called every picture
  with a grain "3d". Beside it: the same for the real pictures, clean and so degraded.
* Copies: the share of samples whose nearest training picture is nearer than a third of the second
  nearest, for training captions and for held-out pairs; with --replay at each kept stage of the
  training run, beside the concept figure: where to stop.

Run: python benchmarks/emoji_figures.py --model emoji --data DATA [--replay RUN] --out report.json
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imagespace.evaluation import wilson_interval
from imagespace.evaluation.copies import copy_rate
from imagespace.evaluation.curves import replay
from imagespace.evaluation.imagenet_features import ImageNetFeatures
from imagespace.evaluation.label_probe import LabelProbe
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pictures.folder import PictureSet, read_folder
from imagespace.pictures.split import TRAIN
from imagespace.pipeline import Model, load, pixels_to_image
from imagespace.recipes.named import EMOJI_PROMPTS

NUM_CANDIDATES = 100
# Edges of the histogram of differences between neighbouring pixels (0 to 1), about logarithmic.
DIFFERENCES = (0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.01)
MOST_BLUR_PX, MOST_GRAIN = 1.2, 8.0  # standard deviations, the grain's in levels of 255


def rate(hits: NDArray[np.bool_]) -> dict[str, Any]:
    """The share of hits with its count and 95 % interval."""
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return {"rate": float(hits.mean()), "num": len(hits), "interval": [low, high]}


def style_features(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Random features, and roots of the shares of colours and edges: uint8 [N, H, W, 3] -> [N, D].

    Colours are counted in 8 x 8 x 8 cells; edges are differences of pixels one and two apart.
    """
    cells = (pixels // 32).astype(np.int64) @ np.array([64, 8, 1])
    parts = [np.stack([np.bincount(one.ravel(), minlength=512) for one in cells])]
    values = pixels.astype(np.float32) / 255
    for apart in (1, 2):
        for axis in (1, 2):
            ahead = np.roll(values, -apart, axis)
            inside = np.arange(pixels.shape[axis] - apart)
            steps = np.abs(ahead - values).mean(axis=3).take(inside, axis)
            parts.append(np.stack([np.histogram(one, DIFFERENCES)[0] for one in steps]))
    shares = [np.sqrt(part / part.sum(axis=1, keepdims=True)) for part in parts]
    return np.hstack([RandomFeatures(3)(pixels), *shares]).astype(np.float32)


def degraded(pixels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """The pictures [N, H, W, 3], each a little softened and grained by amounts of its own."""
    random = np.random.default_rng(seed)
    out = np.empty_like(pixels)
    for i, picture in enumerate(pixels):
        blur = ImageFilter.GaussianBlur(random.uniform(0, MOST_BLUR_PX))
        soft = np.asarray(Image.fromarray(picture).filter(blur), np.float32)
        grain = random.normal(0, random.uniform(0, MOST_GRAIN), soft.shape)
        out[i] = np.clip(np.rint(soft + grain), 0, 255)
    return out


class Emoji:
    """The set as the judge sees it, and the rows that are asked for."""

    def __init__(self, pictures: PictureSet, num: int, seed: int) -> None:
        self.pictures, self.seed = pictures, seed
        self.imagenet = ImageNetFeatures()
        self.train = pictures.indices(TRAIN)
        self.features = self.imagenet(pictures.pixels[self.train])
        self.centre, self.spread = self.features.mean(0), self.features.std(0) + 1e-6
        self.known_directions = self._directions(self.features)
        concepts = self._labels(self.train, "concept")
        self.concepts, self.concept_of = np.unique(concepts, return_inverse=True)
        random = np.random.default_rng(seed)
        self.known = random.permutation(self.train)[:num]
        pairs = [i for i, row in enumerate(pictures.metadata) if row.get("held_out") == "pair"]
        self.pairs = random.permutation(np.array(pairs))[:num]
        clean = pictures.pixels[self.train]
        known = np.vstack([style_features(clean), style_features(degraded(clean, seed))])
        self.styles = LabelProbe.fit(known, 2 * list(self._labels(self.train, "style")))

    def _labels(self, rows: NDArray[np.int64], name: str) -> NDArray[np.str_]:
        return np.array([self.pictures.metadata[row][name] for row in rows])

    def _directions(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        standard = (features - self.centre) / self.spread
        directions: NDArray[np.float32] = standard / np.linalg.norm(standard, axis=1, keepdims=True)
        return directions

    def draw(
        self, model: Model, rows: NDArray[np.int64], sampling: dict[str, Any]
    ) -> NDArray[np.uint8]:
        """One picture for the caption of each row; the picture of row i has seed + i."""
        settings = []
        for number, row in enumerate(rows):
            caption = self.pictures.captions[row]
            settings += model.settings(caption, seed=self.seed + number, truncate=True, **sampling)
        return model.draw(settings).pixels

    def ranks(
        self, rows: NDArray[np.int64], pixels: NDArray[np.uint8], is_real: bool = False
    ) -> NDArray[np.int64]:
        """The rank (0 = nearest) of each row's concept among 100; -1 where no picture is left.

        A real training picture (`is_real`) is not compared with itself.
        """
        similarity = self._directions(self.imagenet(pixels)) @ self.known_directions.T
        ranks = np.full(len(rows), -1)
        for i, (row, near) in enumerate(zip(rows, similarity, strict=True)):
            if is_real:
                near[self.train == row] = -np.inf
            nearest = np.full(len(self.concepts), -np.inf)
            np.maximum.at(nearest, self.concept_of, near)
            own = int(np.searchsorted(self.concepts, self.pictures.metadata[row]["concept"]))
            if nearest[own] == -np.inf:
                continue
            random = np.random.default_rng([self.seed, row])
            others = random.permutation(np.delete(np.arange(len(self.concepts)), own))
            ranks[i] = (nearest[others[: NUM_CANDIDATES - 1]] >= nearest[own]).sum()
        return ranks

    def reads_style(self, rows: NDArray[np.int64], pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Whether the probe reads the style of each row in its picture."""
        hits: NDArray[np.bool_] = self.styles.predict(style_features(pixels)) == self._labels(
            rows, "style"
        )
        return hits


def figures(emoji: Emoji, model: Model, sampling: dict[str, Any]) -> dict[str, Any]:
    """Every figure of one model, drawn and real."""
    training = emoji.pictures.pixels[emoji.train]
    found: dict[str, Any] = {}
    for group, rows in (("training captions", emoji.known), ("held-out pairs", emoji.pairs)):
        drawn, real = emoji.draw(model, rows, sampling), emoji.pictures.pixels[rows]
        worn = degraded(real, emoji.seed + 1)
        for name, pixels in (("drawn", drawn), ("real", real), ("real, degraded", worn)):
            ranks = emoji.ranks(rows, pixels, is_real=name != "drawn")
            ranks = ranks[ranks >= 0]
            for cut in (1, 5):
                found[f"{group}: concept R@{cut}, {name}"] = rate(ranks < cut)
            if group == "held-out pairs":
                found[f"{group}: style, {name}"] = rate(emoji.reads_style(rows, pixels))
        found[f"{group}: copies"] = rate(copy_rate(drawn, training).is_copy)
    return found


def along(
    run: Model, emoji: Emoji, sampling: dict[str, Any], num: int, every: int
) -> Iterator[dict[str, Any]]:
    """Concepts and copies of `num` samples of each kind at every so-manieth stage of a training."""
    training = emoji.pictures.pixels[emoji.train]
    known, pairs = emoji.known[:num], emoji.pairs[:num]
    for num_images, model in list(replay(run))[::-every][::-1]:
        of_known, of_pairs = (emoji.draw(model, rows, sampling) for rows in (known, pairs))
        yield {
            "num_images": num_images,
            "concept R@5": rate(emoji.ranks(known, of_known) < 5),
            "style": rate(emoji.reads_style(pairs, of_pairs)),
            "copies, training captions": rate(copy_rate(of_known, training).is_copy),
            "copies, held-out pairs": rate(copy_rate(of_pairs, training).is_copy),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="emoji", help="shipped name, run folder or file")
    parser.add_argument("--data", type=Path, required=True, help="the set in all styles, 64 px")
    parser.add_argument("--replay", help="a run folder: concepts and copies along its training")
    parser.add_argument("--num-along", type=int, default=200, help="of each kind at each stage")
    parser.add_argument("--every", type=int, default=1, help="of the stages that were kept")
    parser.add_argument("--num", type=int, default=441, help="of each kind; 441 are all pairs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guidance", type=float, help="instead of the model's own")
    parser.add_argument("--sheet", type=Path, default=Path("emoji.png"))
    parser.add_argument("--out", type=Path, help="JSON report")
    args = parser.parse_args()
    model = load(args.model)
    sampling = {} if args.guidance is None else {"guidance": args.guidance}
    named = model.generate(EMOJI_PROMPTS, num=1, seed=args.seed, **sampling)
    shown = [pixels_to_image(pixels) for pixels in named.pixels]
    contact_sheet(shown, EMOJI_PROMPTS, 6).save(args.sheet)
    emoji = Emoji(read_folder(args.data, 64, 3), args.num, args.seed)
    report: dict[str, Any] = figures(emoji, model, sampling)
    for name, found in report.items():
        low, high = found["interval"]
        print(f"{name:44} {found['rate']:6.1%} of {found['num']} ({low:.1%} to {high:.1%})")
    print(f"by chance: concept R@5 {5 / NUM_CANDIDATES:.0%}")
    if args.replay:
        report["replay"] = []
        for point in along(load(args.replay), emoji, sampling, args.num_along, args.every):
            report["replay"].append(point)
            rates = "  ".join(f"{k} {v['rate']:.1%}" for k, v in point.items() if k != "num_images")
            print(f"{point['num_images']:9,} pictures  {rates}", flush=True)
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
