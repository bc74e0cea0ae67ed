"""What a report is of: the model, the pictures, and all that its figures depend on."""

import platform
from collections.abc import Mapping
from datetime import date
from typing import Any

import torch

from imagespace import __version__
from imagespace.evaluation.label_probe import readable_labels
from imagespace.evaluation.report_file import REPORT_FORMAT, section
from imagespace.evaluation.subject import Subject
from imagespace.pictures.folder import PictureSet
from imagespace.pictures.packing import fingerprint

# Two reports that agree in these measured the same.
DECIDING = ("imagespace", "arithmetic", "data", "sampling", "num_samples", "num_real", "seed")
GLYPH_LABELS = ("character", "radical", "other_radicals")


def header(subject: Subject) -> dict[str, Any]:
    """The first entries of a subject's report."""
    model = subject.model
    num_unseen = len(subject.unseen) if subject.has_unseen else 0
    return {
        "format": REPORT_FORMAT,
        "imagespace": __version__,
        "torch": torch.__version__,
        "date": date.today().isoformat(),
        "machine": platform.machine(),
        "num_threads": torch.get_num_threads(),
        "arithmetic": str(subject.dtype).removeprefix("torch."),
        "model": {"source": model.source, "name": model.config.name, "sha256": model.sha256},
        "data": _data(subject),
        "sampling": model.config.sampling.model_dump(mode="json"),
        "num_samples": subject.num_samples,
        "num_real": num_unseen,
        "seed": subject.seed,
    }


def _data(subject: Subject) -> dict[str, Any]:
    """The pictures that a subject is measured with.

    `key` is of their pixels, captions and splits; `listing` of all but the pixels, so that it is
    the same at every size; `labels` of what prompt following is judged by; `unseen` of which
    unseen pictures are compared with, in whatever order.
    """
    pictures = subject.pictures
    _, side, _, num_channels = pictures.pixels.shape
    names = [row.get("file_name") for row in pictures.metadata]
    splits = pictures.splits.tolist()
    rows = sorted(subject.unseen.tolist()) if subject.has_unseen else []
    return {
        "key": pictures.key,
        "size_px": side,
        "num_channels": num_channels,
        "fit": subject.model.config.fit,
        "listing": fingerprint([names, pictures.captions, pictures.alternatives, splits]),
        "labels": _labels_key(pictures),
        "num_train": len(pictures.indices("train")),
        "num_unseen": len(rows),
        "unseen": fingerprint(rows),
    }


def _labels_key(pictures: PictureSet) -> str:
    metadata = pictures.metadata
    names = [*GLYPH_LABELS, *readable_labels(metadata)]
    return fingerprint([names, [[str(row.get(name)) for name in names] for row in metadata]])


def is_of(report: Mapping[str, Any], subject: Subject) -> bool:
    """Whether a report that was read holds what would be measured of the subject now."""
    own = header(subject)
    return section(report, "model").get("sha256") == subject.model.sha256 and all(
        report.get(name) == own[name] for name in DECIDING
    )
