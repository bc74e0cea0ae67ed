"""Turning axes while a batch is drawn: by its bottleneck, and beside the walk without them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from imagespace.diffusion.denoiser import Denoiser
from imagespace.diffusion.steering import Measure, Steering, interpolated
from imagespace.errors import UserError
from imagespace.networks.bottleneck import shifted
from imagespace.networks.transformer import PatchTransformer
from imagespace.pictures.attributes import measure
from imagespace.pipeline.axis import Axis, AxisUse, axes_folder, check_value, load_axis
from imagespace.pipeline.settings import PictureSettings
from imagespace.pipeline.start import Start

if TYPE_CHECKING:
    from imagespace.pipeline.model import Model

# Of each unit that an axis is turned, the share of their own units that others may drift. Held
# rigidly, attributes that go together in the pictures tear them (docs/experiments.md).
SLACK = 0.15


class BottleneckShift(Denoiser):
    """The answer of a denoiser while the bottleneck of its network is moved.

    `shifts` [T, P, W] belong to the falling noise `shares` [T]; between them they are interpolated.
    Guidance inside `denoiser` has both of its answers from the moved network.
    """

    def __init__(
        self, denoiser: Denoiser, network: PatchTransformer, shares: Sequence[float], shifts: Tensor
    ) -> None:
        self.schedule = denoiser.schedule
        self.denoiser, self.network = denoiser, network
        self.shares, self.shifts = torch.tensor(shares), shifts

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        share = float(self.schedule.noise_share(t.flatten()[0]))
        with shifted(self.network, interpolated(self.shares, self.shifts, share)):
            return self.denoiser(x_t, t)


def axis_uses(
    model: "Model", values: Mapping[str, float], start: Start | None
) -> tuple[AxisUse, ...]:
    """The axes of these names, those at 0 left out.

    UserError: an axis that is unknown, damaged or of other weights, a value beyond +-6, a mask, or
    axes in units of different pictures.
    """
    for name, value in values.items():
        check_value(name, value)
    if values and start is not None and start.mask:
        raise UserError("axes", "are of whole pictures", "Leave out the mask or the axes")
    uses: list[AxisUse] = []
    steering: list[Axis] = []
    for name, value in values.items():
        axis = _loaded(model, name)
        if value:
            uses.append(AxisUse(name=name, value=value, sha256=axis.sha256))
            if axis.place != "bottleneck":
                steering.append(axis)
    for axis in steering:
        # All attributes are held together, each in the one unit that it has.
        if axis.units != steering[0].units:
            raise UserError(
                f"axes {steering[0].name} and {axis.name}",
                "were found on different pictures",
                "Find both on the same --data, with --overwrite",
            )
    return tuple(uses)


def turned(model: "Model", settings: Sequence[PictureSettings], denoiser: Denoiser) -> Denoiser:
    """The denoiser of these pictures with their axes turned, beside the walk without them.

    UserError: an axis was found anew since the pictures were asked for.
    """
    axes = []
    for use in settings[0].axes:
        axis = _loaded(model, use.name)
        if axis.sha256 != use.sha256:
            raise UserError(
                f"axis {use.name!r}",
                f"is now {axis.sha256}; the picture was drawn with {use.sha256}",
                "Find it again on the pictures that it was found on",
            )
        axes.append((axis, use.value))
    for axis, value in axes:
        if axis.place == "bottleneck":
            assert isinstance(model.network, PatchTransformer)
            assert axis.direction is not None
            shifts = value * axis.direction
            denoiser = BottleneckShift(denoiser, model.network, axis.shares, shifts)
    steering = [(axis, value) for axis, value in axes if axis.place != "bottleneck"]
    if not steering:
        return denoiser
    # Attributes and projections are held beside the walk with the bottleneck already moved.
    measured = _measure_of([axis for axis, _ in steering], model.decode)
    steered_by = {axis.name for axis, _ in steering}
    shifts_only = tuple(use for use in settings[0].axes if use.name not in steered_by)
    plain = [one.model_copy(update={"axes": shifts_only}) for one in settings]
    walked = [(step.t, measured(step.x0_hat)) for step in model.steps(plain)]
    times = [t for t, _ in walked]
    reference = torch.stack([found for _, found in walked])
    return _steered(denoiser, steering, times, reference, measured, model.autoencoder is None)


def _loaded(model: "Model", name: str) -> Axis:
    return load_axis(axes_folder(model.source, model.sha256), name, model.source, model.sha256)


def _measure_of(axes: Sequence[Axis], decode: Callable[[Tensor], Tensor]) -> Measure:
    """Takes samples [B, ...] to all attributes of their pictures and to their projections [B, K].

    Without an attribute among the axes there are only projections, of those in sample space, in
    their order; <x, d> / <d, d> is in units of direction d.
    """
    names = axes[0].attributes if any(axis.place == "attribute" for axis in axes) else ()
    ways = [axis.direction.flatten() for axis in axes if axis.direction is not None]

    def measured(samples: Tensor) -> Tensor:
        parts = [measure(decode(samples), names)] if names else []
        parts += [(samples.flatten(1) @ way / way.square().sum())[:, None] for way in ways]
        return torch.cat(parts, dim=1)

    return measured


def _steered(
    denoiser: Denoiser,
    axes: Sequence[tuple[Axis, float]],
    times: Sequence[float],
    reference: Tensor,
    measured: Measure,
    are_pixels: bool,
) -> Denoiser:
    """The denoiser whose walk keeps beside the walk `reference` [T, B, K], but for the axes turned.

    `reference` is what `measured`, that of `_measure_of`, found on x0_hat at each of `times` when
    nothing was turned. The axes are attributes or lie in sample space.
    """
    first = axes[0][0]
    attributes = first.attributes if any(one.place == "attribute" for one, _ in axes) else ()
    units = torch.ones(reference.shape[-1])
    units[: len(attributes)] = torch.tensor(first.units[: len(attributes)])
    slack = SLACK * max(abs(value) for _, value in axes) * units
    turns, turned = torch.zeros(len(units)), torch.zeros(len(units), dtype=torch.bool)
    projections = iter(range(len(attributes), len(units)))
    for axis, value in axes:
        is_attribute = axis.place == "attribute"
        k = attributes.index(axis.name) if is_attribute else next(projections)
        turns[k], turned[k] = value * units[k], True
    slack = torch.where(turned, 0.0, slack)
    goal = reference + turns
    assert all(axis.units == first.units for axis, _ in axes)
    return Steering(denoiser, measured, times, (goal - slack, goal + slack), units, are_pixels)
