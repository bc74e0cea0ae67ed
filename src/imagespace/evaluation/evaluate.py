"""Everything that is measured of one model, as the dictionary that a report is written from."""

import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagespace import __version__
from imagespace.errors import UserError
from imagespace.evaluation import newness, prompt_following
from imagespace.evaluation.curves import (
    FOLLOWED_BY,
    NUM_IN_CURVE,
    Said,
    curve,
    replay_sheet,
    what_is_followed,
)
from imagespace.evaluation.image_text_space import ImageTextSpace
from imagespace.evaluation.imagenet_features import ImageNetFeatures
from imagespace.evaluation.judges import (
    judges_at_hand,
    lacking_curves,
    lost_judges,
    outdated_judges,
)
from imagespace.evaluation.kept_arrays import kept
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
from imagespace.evaluation.report_file import REPORT_FILE, notes_of, section
from imagespace.evaluation.report_header import header
from imagespace.evaluation.subject import Progress, Subject
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pipeline import PictureSettings
from imagespace.pipeline.drawn import pixels_to_image

CACHE = Path.home() / ".cache" / "imagespace" / "features"
NUM_SHOWN = 32
SAMPLES_FILE = re.compile(r"samples-[0-9a-f]{16}\.npy")


class Evaluation:
    """Measures a subject part by part; what cannot be measured becomes a note.

    `space` is None where the pictures are too few to learn one; `notes` are what is known before;
    with `anew`, samples that are there already are drawn again.
    """

    def __init__(
        self,
        subject: Subject,
        space: ImageTextSpace | None,
        folder: Path,
        said: Said,
        progress: Progress | None = None,
        cache: Path = CACHE,
        notes: Sequence[str] = (),
        anew: bool = False,
    ) -> None:
        self.subject, self.space, self.folder = subject, space, folder
        self.said, self.progress, self.anew = said, progress, anew
        self.features = Features(subject, cache)
        self.notes = [*notes, *subject.notes]
        self.seconds: dict[str, float] = {}
        self.images: dict[str, Image.Image] = {}
        self.samples_file: Path | None = None

    @cached_property
    def judges(self) -> dict[str, str]:
        """The fingerprints, by name, of what measures."""
        return judges_at_hand(self.subject, self.space)

    def run(self, curves: list[str], earlier: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The whole report; pictures for it are in `images` afterwards.

        Curves of an `earlier` report of the same subject that are not among `curves` are kept.
        """
        report: dict[str, Any] = header(self.subject)
        if self.space is not None and self.space.num_steps is not None:
            report["image_text_steps"] = self.space.num_steps
        samples = self._samples()
        shown = [pixels_to_image(p) for p in samples[:NUM_SHOWN]]
        captions = [s.prompt for s in self.settings[:NUM_SHOWN]]
        self.images["samples"] = contact_sheet(shown, captions, 8)
        extractors, found = self._extractors(), {}
        report["quality"] = {}
        for extractor in extractors:
            with self._part(f"quality in {extractor.name} features"):
                found[extractor.name] = extractor.features(samples)
                measured, refused = quality(self.features, extractor, found[extractor.name])
                report["quality"][extractor.name] = measured
                self.notes += [f"quality in {extractor.name}: {note}" for note in refused]
        report["prompt_following"] = self._prompt_following(samples, found)
        if self.subject.is_glyphs:
            with self._part("legibility"):
                report["legibility"] = self._legibility(samples)
        report["newness"] = self._newness(samples, found)
        report |= self._with_curves(earlier or {}, curves, extractors[0])
        return report | self._known()

    def complete(self, report: Mapping[str, Any], asked: list[str]) -> dict[str, Any]:
        """An earlier report of the same subject with what it lacks.

        That is curves; or everything but its curves, where a judge was not to be had or was another
        one. UserError: a judge that it was measured with cannot be had, and others have changed.
        """
        changed = outdated_judges(report, self.judges)
        curves = lacking_curves(report, self.judges, asked)
        if not changed:
            return self.add_curves(report, curves)
        if lost := lost_judges(report, self.judges):
            raise UserError(
                str(self.folder / REPORT_FILE),
                f"was measured without {', '.join(changed)} as at hand here, and with "
                f"{', '.join(lost)}, which cannot be had here",
                "Install what is missing, choose another --out, or add --overwrite",
            )
        self.said(f"measuring anew: the report is without {', '.join(changed)} as at hand now")
        return self.run(curves, report)

    def add_curves(self, report: Mapping[str, Any], curves: list[str]) -> dict[str, Any]:
        """An earlier report of the same subject with further curves; nothing else is measured."""
        again = tuple(f"curve of {name}: " for name in curves)
        self.notes = [*(n for n in notes_of(report) if not n.startswith(again)), *self.notes]
        added = self._with_curves(report, curves, self._extractors()[0])
        seconds = section(report, "seconds") | self.seconds
        return {**report, **added, "notes": list(dict.fromkeys(self.notes)), "seconds": seconds}

    def _known(self) -> dict[str, Any]:
        notes = list(dict.fromkeys(self.notes))
        return {"judges": self.judges, "notes": notes, "seconds": self.seconds}

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
        self.settings: list[PictureSettings] = self.subject.settings()
        described = [settings.model_dump_json() for settings in self.settings]
        about = [__version__, str(self.subject.dtype), self.subject.pictures.key]
        digest = hashlib.sha256("\n".join([*described, *about]).encode()).hexdigest()[:16]
        file = self.folder / f"samples-{digest}.npy"

        def draw() -> NDArray[np.uint8]:
            with self._part(f"drawing {len(self.settings):,} samples"):
                return self.subject.draw(self.settings, self.progress)

        samples = kept(file, draw, self.anew)
        self.samples_file = file
        return samples

    def remove_other_samples(self) -> None:
        """Once the report of a `run` is written: removes the samples of an earlier one."""
        if self.samples_file is not None:
            for path in self.folder.iterdir():
                if SAMPLES_FILE.fullmatch(path.name) and path.name != self.samples_file.name:
                    path.unlink()

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
        report["prompts"] = prompt_following.prompts(subject)
        if subject.is_glyphs:
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
            add("pixels", measured)
            self.images["nearest"] = newness.nearest_sheet(subject, samples, copies)
        if space is not None:
            with self._part(f"copies in {space.name} features"):
                extractor = Extractor(space.name, space.fingerprint, space)
                training = self.features.training(extractor)
                unseen = self.features.real(extractor, "unseen") if subject.has_unseen else None
                measured = newness.copies_in_features(found[space.name], unseen, training)
                add(space.name, measured)
        with self._part("held-out loss"):
            report["loss"] = newness.losses(subject)
            report["loss_space"] = newness.loss_space(subject.model)
        with self._part("likelihood"):
            report["bits_per_dimension"] = newness.likelihoods(subject)
        return report

    def _with_curves(
        self, earlier: Mapping[str, Any], names: list[str], extractor: Extractor
    ) -> dict[str, Any]:
        """The curves of an earlier report but for `names`, and these, measured now.

        `curve_judges` says of each figure along each of them what it is and who measured it.
        """
        curves = section(earlier, "curves")
        judges = section(earlier, "curve_judges")
        for name in names:
            curves.pop(name, None)
            judges.pop(name, None)
        of_kept = tuple(f"curve of {name}: " for name in curves)
        self.notes += [note for note in notes_of(earlier) if note.startswith(of_kept)]
        if names:
            measured, by = self._curves(names, extractor)
            curves |= measured
            judges |= dict.fromkeys(measured, by)
        return {"curves": curves, "curve_judges": judges}

    def _curves(
        self, names: list[str], extractor: Extractor
    ) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
        """The curves, and by figure what it is and who measures it."""
        smaller = replace(self.subject, num=min(NUM_IN_CURVE, self.subject.num))
        features = Features(smaller, self.features.cache)
        followed, follows = what_is_followed(smaller, self.space)
        judge = FOLLOWED_BY[followed]
        found: dict[str, Any] = {}
        for name in names:
            with self._part(f"curve of {name}"):
                points, notes = curve(name, smaller, features, extractor, follows, self.said)
                found[name] = points
                self.notes += notes
        if "training" in found:
            self.images["replay"] = replay_sheet(self.subject)
        return found, {
            "kernel_distance": {"judge": extractor.name, "fingerprint": extractor.fingerprint},
            "follows": {"figure": followed, "judge": judge, "fingerprint": self.judges[judge]},
        }
