"""Does the model point to the closest cluster?

Unprompted deterministic walks; the class of a picture is the radical that the judge reads in its
end. At several times t: how often is that class the one nearest to where the walk stands, by the
distance to the class means, by the nearest training picture, and by the exact posterior over all
training pictures,

    p(picture i | x_t) ~ exp(-|x_t - alpha_t picture_i|^2 / (2 sigma_t^2)),

against the agreement of independent draws from the two marginals. Further: how far down the list
of training pictures, ordered by their distance from x_t, stands the one that the end most
resembles; and what x0_hat is near to. The clean case is a mixture in the plane with its exact
denoiser.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imagespace.diffusion.exact import ExactMixture
from imagespace.diffusion.samplers import DDIM, Heun, Step
from imagespace.diffusion.schedule import RectifiedFlow, Schedule
from imagespace.diffusion.spacing import step_times
from imagespace.lab.agreement import agreement_by_chance
from imagespace.lab.figures import BLUE, COLOURS, GREEN, GREY, ORANGE, new_figure
from imagespace.lab.finding import Finding, Verdict
from imagespace.lab.laboratory import Laboratory
from imagespace.lab.standard_errors import share_and_error
from imagespace.lab.walks import all_steps, end_of_walk, rms, start_noise
from imagespace.pictures.split import TRAIN
from imagespace.pipeline import LARGEST_BATCH, from_pixels, to_pixels
from imagespace.points import GAUSSIANS_STD, gaussian_centres

TIMES = (1.0, 0.9, 0.7, 0.5, 0.3)
# Shorter steps near noise, as the model itself draws.
WALK = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)
SMALLEST_CLASS = 50  # training pictures
MOST = 0.5  # "points to the closest" means at least this share of agreement
CLEARLY = 2.0  # standard errors above chance
NEAR = 0.05  # the end counts as near x_1 when it is in this share of the list, for half the walks

DISTANCES = {
    "unscaled": "nearest class mean, as it is",
    "scaled": "nearest class mean, times alpha_t",
    "picture": "nearest training picture, times alpha_t",
    "posterior": "most probable class given x_t",
}


@dataclass(frozen=True)
class Comparison:
    """Points [Q, D] against pictures [M, D]: inner products [Q, M], squared norms [M]; and the
    same with the means of the pictures' classes: [Q, K], [K]; `mean` [D] is that of all."""

    products: Tensor
    norms: Tensor
    class_products: Tensor
    class_norms: Tensor
    mean: Tensor


def compare(points: Tensor, pixels: NDArray[np.uint8], classes: Tensor, num: int) -> Comparison:
    """Compares points [Q, D] with pictures uint8 [M, H, W, C] of classes [M], -1 for none."""
    products, norms = [], []
    sums = torch.zeros(num + 1, points.shape[1])  # the last row is for those of no class
    for start in range(0, len(pixels), 1024):
        part = from_pixels(np.ascontiguousarray(pixels[start : start + 1024])).flatten(1)
        products.append(points @ part.T)
        norms.append(part.square().sum(dim=1))
        sums.index_add_(0, classes[start : start + 1024] % (num + 1), part)
    counts = torch.bincount(classes % (num + 1), minlength=num + 1)
    means = sums[:num] / counts[:num, None]
    return Comparison(
        torch.cat(products, dim=1),
        torch.cat(norms),
        points @ means.T,
        means.square().sum(dim=1),
        sums.sum(dim=0) / len(pixels),
    )


def nearness(products: Tensor, norms: Tensor, scale: float) -> Tensor:
    """What orders points x by |x - scale p|, nearest largest: x.p - scale |p|^2 / 2.

    At scale 0, where every p is equally far, this is the order that holds as scale tends to 0.
    """
    return products - scale * norms / 2


def class_posterior(logits: Tensor, classes: Tensor, num: int) -> Tensor:
    """The probability of each class [Q, num] from unnormalised log-probabilities [Q, M]."""
    probabilities = logits.softmax(dim=1)
    of_class = torch.zeros(len(logits), num + 1)
    return of_class.index_add_(1, classes % (num + 1), probabilities)[:, :num]


def nearest_is_end(schedule: Schedule, centres: Tensor, x_1: Tensor) -> NDArray[np.bool_]:
    """Whether the exact flow from each x_1 [N, 2] ends in the component nearest to x_1."""
    stds = torch.full((len(centres),), GAUSSIANS_STD, dtype=x_1.dtype)
    mixture = ExactMixture(schedule, centres, stds)
    end = end_of_walk(mixture, x_1, step_times(100, schedule), Heun())
    agrees: NDArray[np.bool_] = (
        torch.cdist(x_1, centres).argmin(1) == torch.cdist(end, centres).argmin(1)
    ).numpy()
    return agrees


def _walks(laboratory: Laboratory, num: int) -> tuple[dict[float, tuple[Tensor, Tensor]], Tensor]:
    """(x_t, x0_hat) at TIMES, and the ends, of unprompted walks."""
    steps: dict[float, list[Step]] = {t: [] for t in TIMES}
    ends = []
    for first in range(0, num, LARGEST_BATCH):
        numbers = range(first, min(num, first + LARGEST_BATCH))
        x_1 = start_noise(laboratory, "closest_cluster", numbers)
        denoiser = laboratory.model.denoiser([""] * len(numbers))
        walked = all_steps(denoiser, x_1, list(WALK), DDIM())
        for step in walked:
            if step.t in steps:
                steps[step.t].append(step)
        ends.append(walked[-1].x_next)
    stood = {
        t: (torch.cat([s.x_t for s in part]), torch.cat([s.x0_hat for s in part]))
        for t, part in steps.items()
    }
    return stood, torch.cat(ends)


def run(laboratory: Laboratory) -> Finding:
    """Agreement of the end's class with the class nearest to x_t, from noise on."""
    num = laboratory.num(48, 256)
    steps, ends = _walks(laboratory, num)
    rows = laboratory.pictures.indices(TRAIN)
    radicals = laboratory.radicals(rows)
    kept = np.flatnonzero(np.bincount(radicals, minlength=215) >= SMALLEST_CLASS)
    number_of = np.full(215, -1)
    number_of[kept] = np.arange(len(kept))
    classes = torch.from_numpy(number_of[radicals])
    end_class = number_of[laboratory.judge.predict(to_pixels(ends))]
    used = np.flatnonzero(end_class >= 0)
    end_class = end_class[used]

    points = torch.cat([*(steps[t][0] for t in TIMES), ends]).flatten(1)
    pixels = laboratory.pictures.pixels[rows]
    compared = compare(points, pixels, classes, len(kept))
    parts = compared.products.split(num)
    class_parts = compared.class_products.split(num)
    end_picture = nearness(parts[-1], compared.norms, 1.0).argmax(dim=1)

    numbers: dict[str, object] = {
        "num_walks": num,
        "num_used": len(used),
        "num_classes": len(kept),
        "num_training": len(rows),
        "times": list(TIMES),
    }
    agreement: dict[str, list[float]] = {name: [] for name in DISTANCES}
    errors: dict[str, list[float]] = {name: [] for name in DISTANCES}
    chances: dict[str, list[float]] = {name: [] for name in DISTANCES}
    class_rank, picture_rank, another_rank, spread = [], [], [], []
    to_mean, to_nearest, to_end = [], [], []
    schedule = laboratory.model.schedule
    for number, t in enumerate(TIMES):
        time = torch.tensor(t)
        alpha, sigma = float(schedule.alpha(time)), float(schedule.sigma(time))
        near = nearness(parts[number], compared.norms, alpha)
        scaled = nearness(class_parts[number], compared.class_norms, alpha)
        nearest = near.argmax(dim=1)
        # log p(i | x_t) = (alpha x.p - alpha^2 |p|^2 / 2) / sigma^2 + constant
        probability = class_posterior(near * (alpha / sigma**2), classes, len(kept))
        in_a_class = near.masked_fill(classes < 0, -torch.inf).argmax(dim=1)
        guesses = {
            "unscaled": nearness(class_parts[number], compared.class_norms, 1.0).argmax(dim=1),
            "scaled": scaled.argmax(dim=1),
            "picture": classes[in_a_class],
            "posterior": probability.argmax(dim=1),
        }
        for name, guess in guesses.items():
            of_used = guess.numpy()[used]
            share, error = share_and_error(of_used == end_class)
            agreement[name].append(share)
            errors[name].append(error)
            chances[name].append(agreement_by_chance(of_used, end_class, len(kept)))
        own = scaled[used, end_class][:, None]
        class_rank.append(float((scaled[used] > own).float().mean()))
        of_end = near.gather(1, end_picture[:, None])
        picture_rank.append(float((near > of_end).float().mean(dim=1).median()))
        of_another = near.gather(1, end_picture.roll(1)[:, None])
        another_rank.append(float((near > of_another).float().mean(dim=1).median()))
        x_t, x0_hat = (part.flatten(1) for part in steps[t])
        squares = x_t.square().sum(dim=1, keepdim=True)
        distance = (squares - 2 * nearness(parts[number], compared.norms, 1.0)).sqrt()
        spread.append(float((distance.std(dim=1) / distance.mean(dim=1)).mean()))
        nearest_pictures = from_pixels(np.ascontiguousarray(pixels[nearest.numpy()])).flatten(1)
        to_mean.append(float(rms(x0_hat - compared.mean).mean()))
        to_nearest.append(float(rms(x0_hat - nearest_pictures).mean()))
        to_end.append(float(rms(x0_hat - ends.flatten(1)).mean()))

    of_class = nearness(parts[-1], compared.norms, 1.0).masked_fill(classes < 0, -torch.inf)
    ceiling = float((classes[of_class.argmax(dim=1)].numpy()[used] == end_class).mean())
    flow = RectifiedFlow()
    plane = torch.randn(
        laboratory.num(2000, 20000), 2, generator=laboratory.random("closest_cluster/plane")
    )
    circle, circle_error = share_and_error(nearest_is_end(flow, gaussian_centres(8), plane))
    grid, grid_error = share_and_error(nearest_is_end(flow, gaussian_centres(25), plane))

    start, start_error, chance = agreement["scaled"][0], errors["scaled"][0], chances["scaled"][0]
    above = start > chance + CLEARLY * start_error
    late = agreement["posterior"][TIMES.index(0.5)]
    posterior = agreement["posterior"]
    places = [1 + round(rank * len(rows)) for rank in (*picture_rank, another_rank[0])]
    verdict: Verdict = "does not hold"
    if start >= MOST:
        verdict = "holds"
    elif above or late >= MOST or picture_rank[0] <= NEAR:
        verdict = "holds partly"
    numbers |= {
        "agreement": agreement,
        "agreement_standard_error": errors,
        "agreement_by_chance": chances,
        "mean_rank_of_the_end_class": class_rank,
        "median_rank_of_the_picture_most_like_the_end": picture_rank,
        "the_same_for_the_end_of_another_walk": another_rank,
        "agreement_of_the_picture_nearest_to_the_end": ceiling,
        "relative_spread_of_distances_to_training_pictures": spread,
        "rms_x0_hat_to_mean_of_all": to_mean,
        "rms_x0_hat_to_nearest_picture": to_nearest,
        "rms_x0_hat_to_end": to_end,
        "plane_circle_of_8": [circle, circle_error],
        "plane_grid_of_25": [grid, grid_error],
    }
    summary = (
        f"{num} unprompted deterministic walks, of which {len(used)} end in one of the {len(kept)} "
        f"radicals with at least {SMALLEST_CLASS} training pictures. From pure noise, "
        f"{start:.1%} (binomial error {start_error:.1%}) end in the radical whose mean is nearest, "
        f"against {chance:.1%} by chance. At t = 1 there is hardly a closest cluster: a noise "
        f"point's distances to the training pictures spread by {spread[0]:.2%} of their mean, and "
        f"the model's answer there is {to_mean[0]:.2f} (root mean square, pixels from -1 to 1) "
        f"from the mean of all training pictures but {to_nearest[0]:.2f} from the nearest one. "
        f"Still the noise counts: of all {len(rows)} training pictures in the order of their "
        f"distance from the noise, the one most like the end stands at place {places[0]} in "
        f"the median (the end of another walk: {places[-1]}), and at t = 0.5 at {places[3]}. "
        f"The most probable radical given x_t is that of the end in {posterior[1]:.0%} at t = 0.9, "
        f"{posterior[2]:.0%} at 0.7 and {posterior[4]:.0%} at 0.3, where the limit is not the walk "
        f"but the classes: even the training picture nearest to the end itself has the radical "
        f"that the judge reads there in {ceiling:.0%}. In the plane with the exact field, "
        f"{circle:.1%} of points end in the nearest of eight equal clusters on a circle, where "
        f"symmetry forces it, but {grid:.1%} on a grid of 25: the flow hands every cluster its "
        f"share of the noise, whichever is nearest. The field points to an average of all that "
        f"may still come, weighed by nearness, and not to the nearest."
    )
    figure, (left, right) = new_figure(
        f"Left: {len(used)} unprompted walks; how often the radical of the end is the one nearest "
        f"to x_t, by four distances (bars: one binomial standard error; chance is that for "
        f"scaled means). Right: what the model's answer x0_hat is near to.",
        2,
    )
    for colour, (name, label) in zip(COLOURS, DISTANCES.items(), strict=False):
        left.errorbar(TIMES, agreement[name], errors[name], color=colour, label=label, capsize=2)
    left.plot(TIMES, chances["scaled"], color=GREY, linestyle=":", label="chance")
    left.axhline(ceiling, color=GREY, linestyle="--", label="picture nearest to the end itself")
    left.set(xlabel="time t (1 = noise)", ylabel="share that ends in the nearest class")
    left.set_ylim(-0.03, 1.03)
    left.legend(fontsize=7)
    for colour, values, label in (
        (BLUE, to_mean, "mean of all training pictures"),
        (ORANGE, to_nearest, "training picture nearest to x_t"),
        (GREEN, to_end, "end of the walk"),
    ):
        right.plot(TIMES, values, color=colour, marker="o", label=label)
    right.set(xlabel="time t (1 = noise)", ylabel="rms distance of x0_hat (pixels -1 to 1)")
    right.legend(fontsize=7)
    for axis in (left, right):
        axis.invert_xaxis()
    return Finding(
        verdict=verdict,
        quantity="walks from noise that end in the class nearest to it",
        value=100 * start,
        uncertainty=100 * start_error,
        unit="%",
        summary=summary,
        figure=figure,
        numbers=numbers,
    )
