"""What a report is of: the model, the pictures, and all that its figures depend on."""

import platform
from collections.abc import Mapping
from datetime import date
from typing import Any

import torch

from imagespace import __version__
from imagespace.evaluation.report_file import REPORT_FORMAT, section
from imagespace.evaluation.subject import Subject

# Two reports that agree in these measured the same.
DECIDING = ("imagespace", "arithmetic", "sampling", "num_samples", "num_real", "seed")


def header(subject: Subject) -> dict[str, Any]:
    """The first entries of a subject's report."""
    model, pictures = subject.model, subject.pictures
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
        "data": {
            "key": pictures.key,
            "num_train": len(pictures.indices("train")),
            "num_unseen": num_unseen,
        },
        "sampling": model.config.sampling.model_dump(mode="json"),
        "num_samples": subject.num_samples,
        "num_real": num_unseen,
        "seed": subject.seed,
    }


def is_of(report: Mapping[str, Any], subject: Subject) -> bool:
    """Whether a report that was read holds what would be measured of the subject now."""
    own = header(subject)
    return (
        section(report, "model").get("sha256") == subject.model.sha256
        and section(report, "data").get("key") == subject.pictures.key
        and all(report.get(name) == own[name] for name in DECIDING)
    )
