"""The list of experiments, in the order in which the story is told."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.lab.finding import Finding
    from imagespace.lab.laboratory import Laboratory


@dataclass(frozen=True)
class Experiment:
    """A claim as people make it, and the module whose `run(laboratory)` tests it."""

    name: str
    claim: str

    @property
    def run(self) -> "Callable[[Laboratory], Finding]":
        """The experiment itself; imported when asked for, so that listing them is quick."""
        module = import_module(f"imagespace.lab.{self.name}")
        run: Callable[[Laboratory], Finding] = module.run
        return run


EXPERIMENTS = (
    Experiment("size", "Image space is unimaginably large."),
    Experiment("emptiness", "Image space is nearly empty: almost every point is noise."),
    Experiment("clusters", "Pictures of a kind lie together."),
    Experiment("gaussian", "A distribution can be learnt from samples alone."),
    Experiment("coin", "A coin flip is the same algorithm."),
    Experiment("destruction", "Adding noise step by step destroys the picture."),
    Experiment("closest_cluster", "The model points to the closest cluster."),
    Experiment("straightness", "The path is curved: one big step is not enough."),
    Experiment("climbing", "Following the field climbs log probability."),
    Experiment("pinch_of_noise", "A pinch of noise is needed at each step."),
    Experiment("newness", "Nothing like the drawn pictures exists."),
    Experiment("decision", "The picture is decided early in the walk."),
    Experiment("guidance", "Guidance trades diversity for fidelity."),
    Experiment("adversarial", "A GAN would do as well."),
)


def experiment_named(name: str) -> Experiment:
    """The experiment of that name; UserError if there is none."""
    for experiment in EXPERIMENTS:
        if experiment.name == name:
            return experiment
    names = ", ".join(experiment.name for experiment in EXPERIMENTS)
    raise UserError(f"experiment {name!r}", "there is no such experiment", f"Use one of {names}")
