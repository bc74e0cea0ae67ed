"""Does an independent reader take the drawn glyphs for writing?

PP-OCRv4's Chinese recognition model, from the package rapidocr-onnxruntime (Apache-2.0), reads one
character at a time. It answers with one of 6,623 characters whatever it sees, so that an invented
glyph cannot be read right; how sure the reader is can be compared with real glyphs of which it
knows the character and, the fair comparison, with real glyphs of which it does not.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from imagespace.errors import UserError
from imagespace.evaluation import wilson_interval
from imagespace.evaluation.measured import Leaf, leaf, share

MODULE, MODEL = "rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"
LINE_HEIGHT_PX, LINE_WIDTH_PX = 48, 64
# The middle part of the picture that fills the line: read best among those tried.
SHOWN_FRACTION = 116 / 128
BATCH_SIZE = 64
LEAST_SURE, FEWEST_KNOWN, NUM_RESAMPLES = 0.1, 40, 200


@dataclass(frozen=True)
class Reading:
    """What was read in N pictures: the most probable single character and its probability."""

    characters: NDArray[np.str_]
    probability: NDArray[np.float64]


class GlyphReader:
    """Reads pictures of one character. UserError: the package or onnxruntime is absent."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec(MODULE)
        has_runtime = importlib.util.find_spec("onnxruntime") is not None
        if spec is None or not spec.submodule_search_locations or not has_runtime:
            raise UserError(
                "packages onnxruntime and rapidocr-onnxruntime",
                "read the glyphs and are not both installed",
                'Run: pip install "imagespace[evaluation]" && '
                "pip install --no-deps rapidocr-onnxruntime==1.4.4",
            )
        self.path = Path(next(iter(spec.submodule_search_locations))) / MODEL

    @cached_property
    def session(self) -> Any:
        """The model in onnxruntime, on as many threads as torch uses."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        return onnxruntime.InferenceSession(
            str(self.path), options, providers=["CPUExecutionProvider"]
        )

    @cached_property
    def vocabulary(self) -> NDArray[np.str_]:
        """The characters that it knows; the blank that parts characters stands before them."""
        stored = self.session.get_modelmeta().custom_metadata_map["character"]
        return np.array([*stored.splitlines(), " "])

    def read(self, pixels: NDArray[np.uint8]) -> Reading:
        """Reads uint8 pictures [N, H, W, C], black on white."""
        names, probabilities = [], []
        for start in range(0, len(pixels), BATCH_SIZE):
            answers = self.session.run(None, {"x": _line(pixels[start : start + BATCH_SIZE])})[0]
            once = single_character_probability(answers.astype(np.float64))
            names.append(self.vocabulary[once.argmax(axis=1)])
            probabilities.append(once.max(axis=1))
        return Reading(np.concatenate(names), np.concatenate(probabilities))


def single_character_probability(answers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability [N, K] that a text is one character, from answers [N, T, 1 + K] with a blank.

    Connectionist temporal classification (Graves et al. 2006): the sum over all paths that are
    blanks, then the character once or more, then blanks.
    """
    blank, characters = answers[:, :, 0], answers[:, :, 1:]
    before = np.ones((len(answers), 1))
    inside = np.zeros_like(characters[:, 0])
    after = np.zeros_like(inside)
    for t in range(answers.shape[1]):
        inside, after, before = (
            (inside + before) * characters[:, t],
            (after + inside) * blank[:, t, None],
            before * blank[:, t, None],
        )
    total: NDArray[np.float64] = inside + after
    return total


def _line(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [N, H, W, C] -> [N, 3, 48, 64] in [-1, 1]: the glyph at the start of a short line."""
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()
    side = x.shape[2]
    margin = round(side * (1 - SHOWN_FRACTION) / 2)
    x = x.mean(dim=1, keepdim=True)[:, :, margin : side - margin, margin : side - margin]
    size = (LINE_HEIGHT_PX, LINE_HEIGHT_PX)
    x = F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 255)
    # The rest of the line is padded with zeros after scaling, as the model was trained.
    x = F.pad(x / 127.5 - 1, (0, LINE_WIDTH_PX - LINE_HEIGHT_PX))
    line: NDArray[np.float32] = x.expand(-1, 3, -1, -1).contiguous().numpy()
    return line


def legibility(
    reader: GlyphReader,
    real: NDArray[np.uint8],
    characters: Sequence[str],
    groups: dict[str, NDArray[np.uint8]],
) -> dict[str, Any]:
    """How legible `groups` of pictures are, measured on real unseen glyphs and their characters.

    read_right: the share of real glyphs with a known character that are read as it. glyph_like: the
    share of a group that is read more surely than the least sure tenth of such glyphs. The tenth is
    found on one half of them; "real_known" is the other half, "real_unknown" the glyphs with other
    characters, and "real" both in the shares in which samples are asked for. UserError: fewer than
    40 known ones.
    """
    truth = np.array(characters)
    known = np.isin(truth, reader.vocabulary)
    if known.sum() < FEWEST_KNOWN:
        raise UserError(
            f"{known.sum()} unseen glyphs that the reader knows",
            f"legibility is measured on at least {FEWEST_KNOWN}",
            "Evaluate with a larger --num",
        )
    reading = reader.read(real)
    sure, unsure = reading.probability[known], reading.probability[~known]
    judged, thresholds = sure[1::2], _thresholds(sure[::2])
    both = np.concatenate([judged, unsure])
    counts = np.where(np.arange(len(both)) < len(judged), len(sure) / len(judged), 1.0)
    read = {name: reader.read(pixels).probability for name, pixels in groups.items()}
    like = {name: surer_share(read.pop(name), thresholds) for name in ("samples",) if name in read}
    like["real"] = surer_share(both, thresholds, counts)
    like["real_known"] = surer_share(judged, thresholds)
    if len(unsure):
        like["real_unknown"] = surer_share(unsure, thresholds)
    like |= {name: surer_share(probability, thresholds) for name, probability in read.items()}
    return {
        "read_right": {"real": share(reading.characters[known] == truth[known])},
        "glyph_like": like,
    }


def _thresholds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the least sure tenth of N readings stays below; then the same of resampled readings."""
    rows = np.random.default_rng(0).integers(
        len(probability), size=(NUM_RESAMPLES, len(probability))
    )
    resampled = np.quantile(probability[rows], LEAST_SURE, axis=1)
    return np.concatenate([[np.quantile(probability, LEAST_SURE)], resampled])


def surer_share(
    probability: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    counts: NDArray[np.float64] | None = None,
) -> Leaf:
    """The share of N readings above the first of the thresholds [1 + K].

    Its error holds that of N readings and, by the K others, that of the threshold, which is itself
    measured. `counts` [N] is how many pictures each reading stands for.
    """
    counts = np.ones(len(probability)) if counts is None else counts
    weights = counts / counts.sum()
    values = np.array([(probability > threshold) @ weights for threshold in thresholds])
    value, moved = float(values[0]), float(values[1:].std(ddof=1))
    num = 1 / float((weights**2).sum())  # readings of one weight that would be as sure
    ends = wilson_interval(value * num, num)
    wider = [np.hypot(value - end, 1.959964 * moved) for end in ends]
    error = float(np.hypot((value * (1 - value) / num) ** 0.5, moved))
    interval = [max(0.0, float(value - wider[0])), min(1.0, float(value + wider[1]))]
    return leaf(value, error, len(probability)) | {"interval": interval}
