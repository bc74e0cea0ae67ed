"""Is image space nearly empty, so that almost every point of it is noise?

Four kinds of points are compared: uniform pixel noise (a random point of the space), real glyphs
with their pixels shuffled (the same grey levels), blurred noise (smooth blobs with the contrast of
a glyph), and held-out glyphs. (a) Bits per dimension under the model, without a prompt: the code
length of the point with the noise of ratio 0.02, where 8 is what any picture of 256 levels costs
without a model. (b) The root mean square distance to the nearest training picture at 64 px.

The volume follows without sampling. A density p is at least 2^-L on a set of volume at most 2^L,
for it sums to one; so at most a share 2^-(8 - b) d of the 2^8d pictures of d pixels can be coded in
b bits per dimension or less, whatever the model.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.diffusion.likelihood import BITS_OF_A_GREY_LEVEL
from imagespace.evaluation.copies import copy_rate
from imagespace.lab.blur import gaussian_blur
from imagespace.lab.figures import BLUE, GREEN, GREY, ORANGE, new_figure, show_pictures
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.standard_errors import mean_and_error
from imagespace.pictures.split import HELD_OUT, TRAIN
from imagespace.pipeline import to_pixels

UNIFORM, SHUFFLED, BLURRED, REAL = "uniform noise", "shuffled glyphs", "blurred noise", "glyphs"
START_RATIO = 0.02
BLUR_STD_PX = 6.0
BITS_OF_A_PIXEL = 8.0
# The order of real and unreal points must be right at least this often, and less than this power
# of ten of the space may be as probable as the middle one of the glyphs.
RIGHT_ORDER, SMALL_SHARE_EXPONENT = 0.95, -100


def exponent_of_share(bits_per_dimension: float, num_dimensions: int) -> float:
    """log10 of the largest share of the space that can be coded in so many bits: (b - 8) d log10 2.

    Above 8 bits the bound says nothing: 0.
    """
    return min(0.0, (bits_per_dimension - BITS_OF_A_PIXEL) * num_dimensions * math.log10(2))


def right_order(real: NDArray[np.float64], unreal: NDArray[np.float64]) -> float:
    """The share of pairs in which the real point costs fewer bits than the unreal one."""
    return float((real[:, None] < unreal[None, :]).mean())


def shuffled(x: Tensor, random: torch.Generator) -> Tensor:
    """Each picture of x [B, C, H, W] with its pixels in random places: the same histogram."""
    rows = []
    for picture in x.flatten(2):
        rows.append(picture[:, torch.randperm(picture.shape[1], generator=random)])
    return torch.stack(rows).reshape(x.shape)


def _points(laboratory: Laboratory, num: int) -> dict[str, Tensor]:
    real = laboratory.real(laboratory.rows(HELD_OUT, num))
    uniform = torch.rand(real.shape, generator=laboratory.random("emptiness/uniform")) * 2 - 1
    smooth = gaussian_blur(laboratory.noise("emptiness/blurred", tuple(real.shape)), BLUR_STD_PX)
    contrast = real.std() / smooth.std()
    return {
        UNIFORM: uniform,
        SHUFFLED: shuffled(real, laboratory.random("emptiness/shuffled")),
        BLURRED: (smooth * contrast).clamp(-1, 1),
        REAL: real,
    }


def run(laboratory: Laboratory) -> Finding:
    """Measures four kinds of points."""
    num, num_near = laboratory.num(4, 12), laboratory.num(64, 256)
    num_steps, num_probes = laboratory.num(12, 16), 2
    points = _points(laboratory, num_near)
    training = laboratory.pictures.pixels[laboratory.rows(TRAIN, laboratory.num(8_000, 10**6))]
    num_dimensions = points[REAL][0].numel()
    bits: dict[str, NDArray[np.float64]] = {}
    numbers: dict[str, Any] = {}
    nearest: dict[str, NDArray[np.float64]] = {}
    for name, x in points.items():
        found = laboratory.model.likelihood(
            x[:num],
            seed=laboratory.seed,
            start_ratio=START_RATIO,
            num_steps=num_steps,
            num_probes=num_probes,
        )
        each, trace_error = found.bits_per_dimension(BITS_OF_A_GREY_LEVEL)
        bits[name] = each.double().numpy()
        nearest[name] = copy_rate(to_pixels(x), training).distance
        numbers[name] = {
            "bits_per_dimension": bits[name].tolist(),
            "trace_error": trace_error.tolist(),
            "nearest_rms": mean_and_error(nearest[name])[0],
            "nearest_rms_error": mean_and_error(nearest[name])[1],
        }
    sheet = torch.ones_like(points[REAL][:1])
    white = laboratory.model.likelihood(
        sheet, "", laboratory.seed, START_RATIO, num_steps, num_probes
    )
    white_bits = float(white.bits_per_dimension(BITS_OF_A_GREY_LEVEL)[0])
    order = {name: right_order(bits[REAL], bits[name]) for name in points if name != REAL}
    unreal = np.concatenate([bits[name] for name in order])
    all_right = right_order(bits[REAL], unreal)
    middle = float(np.median(bits[REAL]))
    share_exponent = exponent_of_share(middle, num_dimensions)
    value, real_error = mean_and_error(bits[REAL])
    noise_bits, noise_error = mean_and_error(bits[UNIFORM])
    gap = noise_bits - value
    gap_exponent = gap * num_dimensions * math.log10(2)
    own_noise = BITS_OF_A_GREY_LEVEL + math.log2(
        START_RATIO / (1 + START_RATIO) * math.sqrt(2 * math.pi * math.e)
    )
    verdict: Verdict
    if order[UNIFORM] >= RIGHT_ORDER and share_exponent <= SMALL_SHARE_EXPONENT:
        verdict, words = "holds", "The model tells them apart, and glyphs fill next to nothing"
    elif order[UNIFORM] >= RIGHT_ORDER or share_exponent <= SMALL_SHARE_EXPONENT:
        verdict, words = "holds partly", "Only one of the two tests is passed: order and volume"
    else:
        verdict, words = "does not hold", "This model shows neither the order nor a small volume"

    figure, (left, middle_axis, right) = new_figure(
        f"Left: two points of each kind. Middle: bits per dimension under the model ({num} points "
        f"of each kind, noise ratio {START_RATIO}, no prompt); 8 is the cost without a model.\n"
        f"Right: distance to the nearest of {len(training):,} training glyphs at 64 px "
        f"({num_near} points of each kind), as a root mean square of values in [0, 1].",
        num_panels=3,
    )
    shown = to_pixels(torch.cat([x[:2] for x in points.values()]))
    show_pictures(left, shown, 2, list(points))
    colours = dict(zip(points, (GREY, ORANGE, BLUE, GREEN), strict=True))
    for position, (name, colour) in enumerate(colours.items()):
        middle_axis.plot([position] * num, bits[name], "o", color=colour, alpha=0.7)
        parts = right.violinplot(nearest[name], [position], showmedians=True)
        for body in parts.pop("bodies"):  # type: ignore[attr-defined]
            body.set_color(colour)
        for line in parts.values():
            line.set_color(colour)
    middle_axis.axhline(BITS_OF_A_PIXEL, color="black", ls="--", label="without a model")
    middle_axis.set_yscale("log")
    middle_axis.set_ylabel("bits per dimension")
    middle_axis.legend(fontsize=8)
    right.set_ylabel("root mean square distance")
    right.set_ylim(0, 0.7)
    for axis in (middle_axis, right):
        axis.set_xticks(range(len(points)), [name.replace(" ", "\n") for name in points])

    summary = (
        f"Under the model {num} held-out glyphs cost {value:.2f} ± {real_error:.2f} bits per "
        f"dimension (standard error over pictures) and {num} random points {noise_bits:.1f} ± "
        f"{noise_error:.1f}; the glyph is the cheaper one in {100 * order[UNIFORM]:.0f} % of the "
        f"pairs, in {100 * order[SHUFFLED]:.0f} % against shuffled glyphs and in "
        f"{100 * order[BLURRED]:.0f} % against smooth blobs. Over {num_dimensions:,} dimensions "
        f"the gap of {gap:.1f} bits makes a glyph 10^{gap_exponent:,.0f} times as probable as a "
        f"random point. Whatever the model, at most a share of 10^{share_exponent:,.0f} of the "
        f"space can be coded in {middle:.2f} bits per dimension or less, the cost of the "
        f"middle glyph. "
        f"{words}. The nearest training glyph is {np.mean(nearest[REAL]):.2f} away from a held-out "
        f"glyph, {np.mean(nearest[UNIFORM]):.2f} from a random point and "
        f"{np.mean(nearest[BLURRED]):.2f} from a smooth blob (root mean square). The limits: the "
        f"likelihood is that of a point with a pinch of noise (ratio {START_RATIO}), which itself "
        f"costs {own_noise:.2f} bits; a blank white sheet costs {white_bits:.2f}, so that few bits "
        "do not mean a good picture; the network is small and never trained on points far from "
        "glyphs, so their bits are an extrapolation that grows as that noise shrinks, and what is "
        "called empty is empty of glyphs: photographs would count as noise here."
    )
    return Finding(
        verdict=verdict,
        quantity="bits per dimension that a random point costs more than a held-out glyph",
        value=gap,
        uncertainty=math.hypot(real_error, noise_error),
        unit="bits per dimension",
        summary=summary,
        figure=figure,
        numbers=numbers
        | {
            "right_order": order,
            "right_order_of_all": all_right,
            "median_bits_of_glyphs": middle,
            "bits_of_a_white_sheet": white_bits,
            "exponent_of_share": share_exponent,
            "exponent_of_probability_ratio": gap_exponent,
            "bits_of_the_noise_itself": own_noise,
            "num_dimensions": num_dimensions,
            "num_points_of_likelihood": num,
            "num_points_of_distance": num_near,
            "num_training_pictures": len(training),
            "start_ratio": START_RATIO,
            "num_steps": num_steps,
            "num_probes": num_probes,
        },
    )
