"""Are the samples new, or copies of training pictures?

Copies by the third-of-the-second-nearest rule (copies.py), in pixels and in features; and whether
the model knows its training pictures better than unseen ones: held-out loss and likelihood.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from imagespace.diffusion.likelihood import BITS_OF_A_GREY_LEVEL
from imagespace.evaluation.copies import (
    CopyReport,
    copies_among_points,
    copy_rate,
    nearest_distances,
)
from imagespace.evaluation.measured import mean, median, share
from imagespace.evaluation.subject import Subject
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pipeline import from_pixels
from imagespace.pipeline.band_loss import ValidationSet
from imagespace.pipeline.drawn import pixels_to_image

NUM_LIKELIHOODS = 24
NUM_SHOWN = 12


def copies_in_pixels(
    subject: Subject, samples: NDArray[np.uint8]
) -> tuple[CopyReport, dict[str, Any]]:
    """The copies among samples, and the same rule applied to unseen real pictures."""
    training = subject.pixels(subject.pictures.indices("train"))
    report = copy_rate(samples, training)
    return report, _beside(report, copy_rate(subject.pixels(subject.unseen), training))


def copies_in_features(
    samples: NDArray[np.float32], unseen: NDArray[np.float32], training: NDArray[np.float32]
) -> dict[str, Any]:
    """The same in features [N, D].

    Training pictures nearer to each other than a third of an unseen picture's median distance to
    its nearest count as one, as in pixels.
    """
    points, others = torch.from_numpy(training), torch.from_numpy(unseen)
    same = float(nearest_distances(others, points).median()) / 3
    report = copies_among_points(torch.from_numpy(samples), points, same)
    return _beside(report, copies_among_points(others, points, same))


def _beside(samples: CopyReport, real: CopyReport) -> dict[str, Any]:
    return {
        "copies": {"samples": share(samples.is_copy), "real": share(real.is_copy)},
        "nearest_ratio": {"samples": median(samples.ratio), "real": median(real.ratio)},
    }


def nearest_sheet(subject: Subject, samples: NDArray[np.uint8], report: CopyReport) -> Image.Image:
    """The samples nearest to copies, each with its nearest training picture on its right."""
    rows = subject.pictures.indices("train")
    shown, captions = [], []
    for index in np.argsort(report.ratio)[:NUM_SHOWN]:
        row = int(rows[report.nearest[index]])
        pair = np.concatenate([samples[index], subject.pictures.pixels[row]], axis=1)
        shown.append(pixels_to_image(pair))
        captions.append(f"{report.ratio[index]:.2f}")
    return contact_sheet(shown, captions, 4)


def losses(subject: Subject) -> dict[str, Any]:
    """Squared error of x0_hat in each noise band, on training and on unseen pictures."""
    return {
        group: {
            band: mean(errors.numpy())
            for band, errors in _with_captions(subject, rows)
            .errors(subject.model.network, subject.model.config, subject.seed, subject.dtype)
            .items()
        }
        for group, rows in (("train", subject.training), ("unseen", subject.unseen))
    }


def _with_captions(subject: Subject, rows: NDArray[np.int64]) -> ValidationSet:
    model = subject.model
    x_0 = from_pixels(subject.pixels(rows))
    if model.encoder is None:
        return ValidationSet(x_0, torch.empty(len(rows), 0))
    network = model.config.network
    assert isinstance(network, TransformerConfig)
    captions = [subject.pictures.captions[row] for row in rows]
    token_ids = model.encoder.encode(captions, network.max_text_tokens).token_ids
    return ValidationSet(x_0, model.encoder.states(token_ids))


def likelihoods(subject: Subject) -> dict[str, Any]:
    """Bits per dimension of a few training and unseen pictures, without a prompt."""
    found = {}
    for group, rows in (("train", subject.training), ("unseen", subject.unseen)):
        x_0 = from_pixels(subject.pixels(rows[:NUM_LIKELIHOODS]))
        bits, _ = subject.model.likelihood(
            x_0, seed=subject.seed, num_steps=8, num_probes=2
        ).bits_per_dimension(BITS_OF_A_GREY_LEVEL)
        found[group] = mean(bits.numpy())
    return found
