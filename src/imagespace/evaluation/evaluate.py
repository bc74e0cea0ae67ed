"""Everything that is measured of one model, as the dictionary that a report is written from."""

import hashlib
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from imagespace import __version__
from imagespace.errors import UserError
from imagespace.evaluation import newness, prompt_following
from imagespace.evaluation.curves import Follows, curve, replay
from imagespace.evaluation.distances import manifold
from imagespace.evaluation.image_text_space import ImageTextSpace
from imagespace.evaluation.imagenet_features import ImageNetFeatures
from imagespace.evaluation.label_probe import readable_labels
from imagespace.evaluation.legibility import GlyphReader, legibility
from imagespace.evaluation.quality import (
    Extractor,
    Features,
    blurred,
    quality,
    uniform_noise,
)
from imagespace.evaluation.radical_judge import load_radical_judge
from imagespace.evaluation.random_features import RandomFeatures
from imagespace.evaluation.report_file import REPORT_FORMAT
from imagespace.evaluation.subject import Progress, Subject
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pipeline import PictureSettings
from imagespace.pipeline.drawn import pixels_to_image

CACHE = Path.home() / ".cache" / "imagespace" / "features"
NUM_SHOWN = 32
NUM_REPLAYED = 8
NUM_IN_CURVE = 400

Said = Callable[[str], None]


class Evaluation:
    """Measures a subject part by part; what cannot be measured becomes a note."""

    def __init__(
        self,
        subject: Subject,
        space: ImageTextSpace | None,
        folder: Path,
        said: Said,
        progress: Progress | None = None,
        cache: Path = CACHE,
    ) -> None:
        self.subject, self.space, self.folder = subject, space, folder
        self.said, self.progress = said, progress
        self.features = Features(subject, cache)
        self.notes: list[str] = []
        self.seconds: dict[str, float] = {}
        self.images: dict[str, Image.Image] = {}
        self.is_glyphs = "radical" in subject.pictures.metadata[0]

    def run(self, curves: list[str]) -> dict[str, Any]:
        """The whole report; pictures for it are in `images` afterwards."""
        report: dict[str, Any] = self._header()
        samples = self._samples()
        shown = [pixels_to_image(p) for p in samples[:NUM_SHOWN]]
        captions = [s.prompt for s in self.settings[:NUM_SHOWN]]
        self.images["samples"] = contact_sheet(shown, captions, 8)
        extractors, found = self._extractors(), {}
        report["quality"] = {}
        for extractor in extractors:
            with self._part(f"quality in {extractor.name} features"):
                found[extractor.name] = extractor.features(samples)
                measured = quality(self.features, extractor, found[extractor.name])
                report["quality"][extractor.name] = measured
        report["prompt_following"] = self._prompt_following(samples, found)
        if self.is_glyphs:
            with self._part("legibility"):
                report["legibility"] = self._legibility(samples)
        report["newness"] = self._newness(samples, found)
        if curves and extractors:
            report |= self._curves(curves, extractors[0])
        report["notes"], report["seconds"] = self.notes, self.seconds
        return report

    def _header(self) -> dict[str, Any]:
        model, pictures = self.subject.model, self.subject.pictures
        try:
            num_unseen = len(self.subject.unseen)
        except UserError:
            num_unseen = 0
        return {
            "format": REPORT_FORMAT,
            "imagespace": __version__,
            "torch": torch.__version__,
            "date": date.today().isoformat(),
            "machine": platform.machine(),
            "num_threads": torch.get_num_threads(),
            "arithmetic": str(self.subject.dtype).removeprefix("torch."),
            "model": {"source": model.source, "name": model.config.name, "sha256": model.sha256},
            "data": {
                "key": pictures.key,
                "num_train": len(pictures.indices("train")),
                "num_unseen": num_unseen,
            },
            "sampling": model.config.sampling.model_dump(mode="json"),
            "num_samples": self.subject.num,
            "num_real": num_unseen,
            "seed": self.subject.seed,
        }

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """Times a part; a part that cannot be measured leaves a note instead."""
        self.said(name)
        started = time.perf_counter()
        try:
            yield
        except UserError as error:
            self.notes.append(f"{name}: {error}")
        self.seconds[name] = round(time.perf_counter() - started, 1)

    def _samples(self) -> NDArray[np.uint8]:
        """The samples, drawn once for these weights, prompts, seeds and sampling."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # captions may be longer than the model reads
            self.settings: list[PictureSettings] = self.subject.settings()
        described = [settings.model_dump_json() for settings in self.settings]
        named = "\n".join([*described, str(self.subject.dtype), self.subject.pictures.key])
        path = self.folder / f"samples-{hashlib.sha256(named.encode()).hexdigest()[:16]}.npy"
        if path.is_file():
            stored: NDArray[np.uint8] = np.load(path)
            return stored
        self.said(f"drawing {len(self.settings):,} samples")
        started = time.perf_counter()
        samples = self.subject.draw(self.settings, self.progress)
        self.seconds["drawing"] = round(time.perf_counter() - started, 1)
        np.save(path, samples)
        return samples

    def _extractors(self) -> list[Extractor]:
        found = []
        if self.space is not None:
            found.append(Extractor(self.space.name, self.space.fingerprint, self.space))
        with self._part("ImageNet features"):
            imagenet = ImageNetFeatures()
            found.append(Extractor("imagenet", imagenet.fingerprint, imagenet))
        plain = RandomFeatures(self.subject.pictures.pixels.shape[3])
        found.append(Extractor("random", plain.fingerprint, plain))
        return found

    def _prompt_following(
        self, samples: NDArray[np.uint8], found: dict[str, NDArray[np.float32]]
    ) -> dict[str, Any]:
        subject, space = self.subject, self.space
        report: dict[str, Any] = {}
        if not subject.is_captioned:
            self.notes.append("prompt following: the pictures have no captions, or the model none")
            return report
        if self.is_glyphs:
            with self._part("radicals"):
                judge = load_radical_judge()
                report["radical"] = prompt_following.radicals(subject, judge, samples)
                report["nouns"] = prompt_following.nouns(subject, judge)
        if space is None:
            return report
        with self._part("retrieval"):
            report["retrieval"] = prompt_following.retrieval(subject, space, samples, subject.seed)
        extractor = Extractor(space.name, space.fingerprint, space)
        for name in readable_labels(subject.pictures.metadata):
            with self._part(f"label {name}"):
                real = space(subject.pixels(subject.sample_rows))
                training = self.features.training(extractor)
                features = (training, found[space.name], real)
                report[name] = prompt_following.labels(subject, name, features)
        return report

    def _legibility(self, samples: NDArray[np.uint8]) -> dict[str, Any]:
        subject = self.subject
        real = subject.pixels(subject.unseen)
        characters = [subject.pictures.metadata[row]["character"] for row in subject.unseen]
        groups = {
            "samples": samples,
            "blurred": blurred(real),
            "noise": uniform_noise(real.shape, subject.seed),
        }
        return legibility(GlyphReader(), real, characters, groups)

    def _newness(
        self, samples: NDArray[np.uint8], found: dict[str, NDArray[np.float32]]
    ) -> dict[str, Any]:
        subject, space = self.subject, self.space
        report: dict[str, Any] = {"copies": {}, "nearest_ratio": {}}

        def add(name: str, measured: dict[str, Any]) -> None:
            for part, leaves in measured.items():
                report[part][name] = leaves

        with self._part("copies in pixels"):
            copies, measured = newness.copies_in_pixels(subject, samples)
            self.images["nearest"] = newness.nearest_sheet(subject, samples, copies)
            add("pixels", measured)
        if space is not None:
            with self._part(f"copies in {space.name} features"):
                extractor = Extractor(space.name, space.fingerprint, space)
                training = self.features.training(extractor)
                unseen = self.features.real(extractor, "unseen")
                measured = newness.copies_in_features(found[space.name], unseen, training)
                add(space.name, measured)
        with self._part("held-out loss"):
            report["loss"] = newness.losses(subject)
        with self._part("likelihood"):
            report["bits_per_dimension"] = newness.likelihoods(subject)
        return report

    def _curves(self, names: list[str], extractor: Extractor) -> dict[str, Any]:
        """The curves, and which figure it is that they follow."""
        subject = self.subject
        smaller = Subject(
            subject.model,
            subject.pictures,
            min(NUM_IN_CURVE, subject.num),
            subject.seed,
            subject.dtype,
        )
        features = Features(smaller, self.features.cache)
        report: dict[str, Any] = {"curves": {}}
        for name in names:
            with self._part(f"curve of {name}"):
                report["curves_follow"], follows = self._follows(smaller)
                points = curve(name, smaller, features, extractor, follows, self.said)
                report["curves"][name] = points
        if "training" in report["curves"]:
            self.images["replay"] = self._replay()
        return report

    def _follows(self, subject: Subject) -> tuple[str, Follows]:
        """What a curve calls following the prompt: the radical, a caption's rank, or coverage."""
        space = self.space
        if self.is_glyphs and subject.is_captioned:
            judge = load_radical_judge()
            return "radical", lambda samples: dict(
                prompt_following.radicals(subject, judge, samples)["samples"]
            )
        if space is not None and subject.is_captioned:
            return "retrieval R@5", lambda samples: dict(
                prompt_following.retrieval(subject, space, samples, subject.seed)["samples"]["R@5"]
            )
        plain = RandomFeatures(subject.pictures.pixels.shape[3])
        real = plain(subject.pixels(subject.unseen))
        return "coverage", lambda samples: dict(vars(manifold(plain(samples), real).coverage))

    def _replay(self) -> Image.Image:
        """The same seeds and prompts across the training, a row for each kept state."""
        subject = self.subject
        shown, captions = [], []
        for num_images, model in replay(subject.model):
            at = Subject(model, subject.pictures, NUM_REPLAYED, subject.seed, subject.dtype)
            for number, pixels in enumerate(at.draw(at.settings())):
                shown.append(pixels_to_image(pixels))
                captions.append(f"{num_images:,} pictures" if number == 0 else "")
        return contact_sheet(shown, captions, NUM_REPLAYED)
