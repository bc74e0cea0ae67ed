"""How large is image space? The number of its dimensions, and of the pictures in it.

A picture of W x H pixels with C channels is a point with W H C coordinates. With L levels for each
there are L^(W H C) pictures. Both are counted exactly and compared with two numbers of physics.
"""

from decimal import Decimal

from imagespace.lab.figures import BLUE, GREY, new_figure
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.laboratory import Laboratory

# The usual estimate for the observable universe.
ATOMS_EXPONENT = 80
# Each of those atoms showing another picture every Planck time (5.4e-44 s) since the Big Bang
# (4.4e17 s): 10^80 x 8e60 pictures, rounded up.
SHOWN_EXPONENT = 141


def number_of_pictures(
    width: int, height: int, channels: int, levels: int = 256
) -> tuple[int, int]:
    """(dimensions, exponent of ten) of the space of pictures: levels^dimensions = 10^exponent.

    dimensions = width height channels; the exponent is floor(dimensions log10 levels), so the
    number has exponent + 1 digits.
    """
    dimensions = width * height * channels
    # Decimal's 28 digits: a float's 16 would leave the last digits of large exponents in doubt.
    return dimensions, int(dimensions * Decimal(levels).log10())


def run(laboratory: Laboratory) -> Finding:
    """Counts the pictures of six sizes, the model's own among them."""
    channels, height, width = laboratory.model.config.network.sample_shape
    spaces = {
        "28 x 28, black or white": number_of_pictures(28, 28, 1, levels=2),
        "28 x 28 grey": number_of_pictures(28, 28, 1),
        "64 x 64 grey": number_of_pictures(64, 64, 1),
        "emoji, 64 x 64 RGB": number_of_pictures(64, 64, 3),
        f"this model, {width} x {height}": number_of_pictures(width, height, channels),
        "1080p RGB": number_of_pictures(1920, 1080, 3),
    }
    smallest = min(exponent for _, exponent in spaces.values())
    dimensions, exponent = spaces["1080p RGB"]
    own_dimensions, own_exponent = spaces[f"this model, {width} x {height}"]

    bars = {"atoms in the universe": ATOMS_EXPONENT, "each atom, each instant": SHOWN_EXPONENT}
    bars |= {name: found for name, (_, found) in spaces.items()}
    figure, (axis,) = new_figure(
        "Number of different pictures of each size (256 levels a value unless said otherwise), as\n"
        "a power of ten on a logarithmic axis: the axis shows the logarithm of a logarithm.\n"
        "Grey: atoms, and pictures shown if each atom showed one every Planck time until now.",
        panel_px=700,
    )
    axis.barh(list(bars), list(bars.values()), color=[GREY] * 2 + [BLUE] * len(spaces))
    axis.set_xscale("log")
    axis.set_xlim(10, 40 * exponent)
    axis.set_xlabel("exponent n of $10^n$ pictures")
    axis.invert_yaxis()
    for row, found in enumerate(bars.values()):
        axis.text(1.15 * found, row, f"$10^{{{found:,}}}$".replace(",", "{,}"), va="center")

    verdict: Verdict
    if smallest > SHOWN_EXPONENT:
        verdict, words = "holds", "Even the smallest space here could not have been looked through"
    elif exponent > SHOWN_EXPONENT:
        verdict, words = "holds partly", "Only the larger spaces could not have been looked through"
    else:
        verdict, words = "does not hold", "Every space here could have been looked through"
    summary = (
        f"A 1080p colour picture has {dimensions:,} values of 256 levels each, so there are "
        f"256^{dimensions:,}, about 10^{exponent:,}, such pictures. This model's own pictures "
        f"({width} x {height}, {channels} channel) have {own_dimensions:,} values: "
        f"10^{own_exponent:,} pictures. The observable universe has about 10^{ATOMS_EXPONENT} "
        f"atoms; had each shown another picture at every Planck time since the Big Bang, "
        f"10^{SHOWN_EXPONENT} would have been seen. {words} that way: 28 x 28 pixels of pure "
        f"black or white already give 10^{smallest}. The counts are exact. They count as "
        "different any two pictures that differ in one level of one pixel, which no eye can tell "
        "apart, and they do not say how few of the pictures show anything."
    )
    return Finding(
        verdict=verdict,
        quantity="number of 1080p RGB pictures, as a power of ten",
        value=float(exponent),
        uncertainty=None,
        unit="powers of ten",
        summary=summary,
        figure=figure,
        numbers={
            name: {"dimensions": size, "exponent_of_ten": found}
            for name, (size, found) in spaces.items()
        }
        | {"atoms_exponent": ATOMS_EXPONENT, "shown_exponent": SHOWN_EXPONENT},
    )
