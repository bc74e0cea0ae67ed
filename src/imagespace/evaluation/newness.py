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
)
from imagespace.evaluation.measured import mean, median, share
from imagespace.evaluation.subject import Subject
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.contact_sheet import contact_sheet
from imagespace.pipeline import Model, from_pixels
from imagespace.pipeline.band_loss import ValidationSet
from imagespace.pipeline.drawn import pixels_to_image
from imagespace.precision import arithmetic

# About a minute for both groups at 128 px on two cores. Eight steps are 0.2 bits off, and one probe
# a picture adds far less to the error than the pictures' own differences.
NUM_LIKELIHOODS, NUM_LIKELIHOOD_STEPS = 50, 16
NUM_SHOWN = 12


def copies_in_pixels(
    subject: Subject, samples: NDArray[np.uint8]
) -> tuple[CopyReport, dict[str, Any]]:
    """The copies among samples, and the same rule applied to unseen real pictures."""
    training = subject.pixels(subject.pictures.indices("train"))
    report = copy_rate(samples, training)
    real = copy_rate(subject.pixels(subject.unseen), training) if subject.has_unseen else None
    return report, _beside(report, real)


def copies_in_features(
    samples: NDArray[np.float32], unseen: NDArray[np.float32] | None, training: NDArray[np.float32]
) -> dict[str, Any]:
    """The same in features [N, D]; `unseen` is None where there are no unseen pictures."""
    points = torch.from_numpy(training)
    report = copies_among_points(torch.from_numpy(samples), points)
    if unseen is None:
        return _beside(report, None)
    return _beside(report, copies_among_points(torch.from_numpy(unseen), points))


def _beside(samples: CopyReport, real: CopyReport | None) -> dict[str, Any]:
    groups = {"samples": samples} if real is None else {"samples": samples, "real": real}
    return {
        "copies": {name: share(found.is_copy) for name, found in groups.items()},
        "nearest_ratio": {name: median(found.ratio) for name, found in groups.items()},
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


def loss_space(model: Model) -> str:
    """Of what the errors of `losses` are: "pixels" in [-1, 1], or latents, named by their SHA-256.

    Latents are whitened, so that they vary by 1 whatever the pictures do: errors of theirs are no
    errors of pixels, nor of another autoencoder's latents.
    """
    sha256 = model.config.autoencoder_sha256
    return "pixels" if model.autoencoder is None else f"latents of autoencoder {sha256[:12]}"


def losses(subject: Subject) -> dict[str, Any]:
    """Squared error of x0_hat in each noise band, on training and on unseen pictures.

    Its unit is that of the model's samples: `loss_space`.
    """
    return {
        group: {
            band: mean(errors.numpy())
            for band, errors in _with_captions(subject, rows)
            .errors(subject.model.network, subject.model.config, subject.seed, subject.dtype)
            .items()
        }
        for group, rows in _groups(subject).items()
    }


def _groups(subject: Subject) -> dict[str, NDArray[np.int64]]:
    """Rows of training and of unseen pictures, as far as there are any."""
    groups = {"train": subject.training}
    return groups | {"unseen": subject.unseen} if subject.has_unseen else groups


def _with_captions(subject: Subject, rows: NDArray[np.int64]) -> ValidationSet:
    model = subject.model
    with torch.no_grad():
        x_0 = model.encode(from_pixels(subject.pixels(rows)))
    if model.encoder is None:
        return ValidationSet(x_0, torch.empty(len(rows), 0))
    network = model.config.network
    assert isinstance(network, TransformerConfig)
    captions = [subject.pictures.captions[row] for row in rows]
    token_ids = model.encoder.encode(captions, network.max_text_tokens).token_ids
    return ValidationSet(x_0, model.encoder.states(token_ids))


def likelihoods(subject: Subject) -> dict[str, Any]:
    """Bits per dimension of a few training and unseen pictures, without a prompt.

    UserError: a latent model, whose density is not of pixels.
    """
    subject.model.check_draws_pixels("bits per dimension")
    found = {}
    for group, rows in _groups(subject).items():
        x_0 = from_pixels(subject.pixels(rows[:NUM_LIKELIHOODS]))
        with arithmetic(subject.dtype):
            likelihood = subject.model.likelihood(
                x_0, seed=subject.seed, num_steps=NUM_LIKELIHOOD_STEPS, num_probes=1
            )
        bits, _ = likelihood.bits_per_dimension(BITS_OF_A_GREY_LEVEL)
        found[group] = mean(bits.numpy())
    return found
