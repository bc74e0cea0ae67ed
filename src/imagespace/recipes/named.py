"""Recipes: named functions that return a whole run configuration."""

import math
from collections.abc import Callable

from imagespace.checkpoints import ModelConfig, SamplingConfig
from imagespace.diffusion.objective import ObjectiveConfig
from imagespace.errors import UserError
from imagespace.networks.build import NetworkConfig
from imagespace.networks.perceptron import PerceptronConfig
from imagespace.networks.transformer import TransformerConfig
from imagespace.training.config import RunConfig, TrainingConfig

Budget = dict[str, float | int | None]
NETWORK_SIZES = range(1, 25)
# Where few pictures can be shown, tried on glyphs (docs/experiments.md): small batches, steps so
# many times as large, and errors where the noise is less than this share count as if it were this.
SHORT_BATCH = 32
SHORT_STEPS = 2.0
SHORT_WEIGHTED_TIME = 0.2
LARGEST_DEPTH = 48

GLYPH_PROMPTS = [
    *("fish", "tree", "water", "fire", "metal", "bird", "horse", "insect", "hand", "heart"),
    *("mouth", "speech", "woman", "grass", "bamboo", "rain", "stone", "illness", "silk", "foot"),
    *("volcano", "mosquito", "penguin", "copper wire"),
]

EMOJI_PROMPTS = [
    f"{concept}, {style} style"
    for concept in ("avocado", "red panda", "banana", "cat", "house", "a blue car", "a green heart")
    for style in ("flat", "outline", "glossy")
]


def glyphs(budget: Budget, seed: int) -> RunConfig:
    """Chinese glyphs from English definitions, 128 px grey; about 7 M parameters."""
    return RunConfig(
        recipe="glyphs",
        model=ModelConfig(
            name="glyphs",
            network=TransformerConfig.sized(6),
            objective=ObjectiveConfig(logit_mean=0.6, logit_std=1.0),
            # Noise at every step mends what the step before got wrong. The shipped model is drawn
            # in 20 steps; after few minutes of training 28 are nearer (docs/experiments.md).
            sampling=SamplingConfig(sampler="ddpm", num_steps=28, guidance=3.0, time_shift=2.0),
        ),
        training=TrainingConfig(
            seed=seed,
            batch_size=64,
            # Found on short runs of glyphs (docs/experiments.md).
            matrix_learning_rate=4e-3,
            other_learning_rate=3e-3,
            sample_prompts=GLYPH_PROMPTS,
            samples_per_prompt=1,
            **budget,  # type: ignore[arg-type]
        ),
    )


def pictures(budget: Budget, seed: int) -> RunConfig:
    """Any folder of pictures; `folder.for_folder` fits it to what the folder holds."""
    return RunConfig(
        recipe="pictures",
        model=ModelConfig(
            name="pictures",
            network=TransformerConfig.sized(6, image_size_px=64, num_channels=3, patch_size_px=8),
            objective=ObjectiveConfig(logit_mean=0.4, logit_std=1.0),
            sampling=SamplingConfig(sampler="ddpm", num_steps=28, guidance=3.0, time_shift=2.0),
        ),
        training=TrainingConfig(
            seed=seed,
            batch_size=64,
            alternative_caption=0.4,
            samples_per_prompt=2,
            **budget,  # type: ignore[arg-type]
        ),
    )


def emoji(budget: Budget, seed: int) -> RunConfig:
    """Emoji in several styles from names and keywords, 64 px in colour."""
    # Most are seen as they will be drawn; moved ones keep it from learning places by heart.
    base = varied(pictures(budget, seed), geometry=0.2)
    changes = {
        "sample_prompts": EMOJI_PROMPTS,
        "samples_per_prompt": 1,
        "matrix_learning_rate": 3e-3,
    }
    return base.model_copy(
        update={
            "recipe": "emoji",
            "model": base.model.model_copy(
                update={
                    "name": "emoji",
                    "network": sketched(base.model.network),
                    # More of the concept and the style than at 3 or at 10 (docs/experiments.md).
                    "sampling": base.model.sampling.model_copy(update={"guidance": 6.0}),
                }
            ),
            "training": base.training.model_copy(update=changes),
        }
    )


def sketched(network: NetworkConfig) -> TransformerConfig:
    """The network with sketches of four values a side of each patch; of two or one if it must be.

    A caption's things and style are seen in its sketch long before they are learnt from noise
    (docs/experiments.md).
    """
    assert isinstance(network, TransformerConfig)
    num_values = math.gcd(4, network.patch_size_px)
    side = num_values * network.image_size_px // network.patch_size_px
    return network.model_copy(update={"sketch_side_px": side, "sketch_width": 768})


def varied(config: RunConfig, **chances: float | bool) -> RunConfig:
    """The run with these changes of its training pictures besides, which its network is told of."""
    augmentation = config.training.augmentation.model_copy(update=chances)
    labels = {"num_augmentation_labels": augmentation.num_labels}
    network = config.model.network.model_copy(update=labels)
    return RunConfig(
        recipe=config.recipe,
        model=config.model.model_copy(update={"network": network}),
        training=config.training.model_copy(update={"augmentation": augmentation}),
    )


def check_network(size: int) -> None:
    """Errors: UserError unless the dial can be set to `size`."""
    if size not in NETWORK_SIZES:
        raise UserError(
            f"--network {size}",
            f"must be from {NETWORK_SIZES[0]} to {NETWORK_SIZES[-1]}",
            "Use 6 (384 wide, 3 deep), less for less time or fewer pictures",
        )


def network_sized(config: RunConfig, size: int) -> RunConfig:
    """The run with a patch transformer of another size on its one dial (`sized`)."""
    shape = TransformerConfig.sized(size)
    changes = {"width": shape.width, "depth": shape.depth, "num_heads": shape.num_heads}
    network = config.model.network.model_copy(update=changes)
    return config.model_copy(update={"model": config.model.model_copy(update={"network": network})})


def for_few_pictures(config: RunConfig, size: int) -> RunConfig:
    """The run with a network of that size, made to learn from some tens of thousands of pictures.

    Its batches are small and its steps large, and little noise counts for less: what is drawn is
    decided at more.
    """
    smaller, training = network_sized(config, size), config.training
    objective = config.model.objective.model_copy(
        update={"smallest_weighted_time": SHORT_WEIGHTED_TIME}
    )
    changes = {
        "batch_size": min(SHORT_BATCH, training.batch_size),
        "matrix_learning_rate": SHORT_STEPS * training.matrix_learning_rate,
        "other_learning_rate": SHORT_STEPS * training.other_learning_rate,
    }
    return smaller.model_copy(
        update={
            "model": smaller.model.model_copy(update={"objective": objective}),
            "training": training.model_copy(update=changes),
        }
    )


def as_begun(config: RunConfig, begun: RunConfig) -> RunConfig:
    """The run with all that `for_few_pictures` may have changed as it is in one already begun."""
    network = begun.model.network
    assert isinstance(network, TransformerConfig)
    sized = network_sized(config, max(1, network.width // 64))
    kept = ("batch_size", "matrix_learning_rate", "other_learning_rate")
    changes = {name: getattr(begun.training, name) for name in kept}
    return sized.model_copy(
        update={
            "model": sized.model.model_copy(update={"objective": begun.model.objective}),
            "training": config.training.model_copy(update=changes),
        }
    )


def check_depth(depth: int | None, least: int) -> None:
    """Errors: UserError unless a network can have `depth` blocks, of which it has `least`."""
    if depth is not None and not least <= depth <= LARGEST_DEPTH:
        raise UserError(
            f"--depth {depth}",
            f"must be from {least} to {LARGEST_DEPTH}"
            + (": no block of a trained model is left out" if least > 1 else ""),
            f"Use {max(least, min(depth, LARGEST_DEPTH))}",
        )


def with_depth(config: RunConfig, depth: int) -> RunConfig:
    """The run with another number of blocks."""
    network = config.model.network.model_copy(update={"depth": depth})
    return config.model_copy(update={"model": config.model.model_copy(update={"network": network})})


def points(budget: Budget, seed: int) -> RunConfig:
    """Points in the plane (or, with another num_dimensions, on a line); seconds on a laptop."""
    return RunConfig(
        recipe="points",
        model=ModelConfig(
            name="points",
            network=PerceptronConfig(),
            objective=ObjectiveConfig(time_distribution="uniform"),
            sampling=SamplingConfig(sampler="heun", num_steps=40, guidance=1.0),
        ),
        training=TrainingConfig(
            seed=seed,
            batch_size=1024,
            warmup_steps=50,
            evaluations=4,
            num_validation=2000,
            precision="float32",
            compile=False,
            **budget,  # type: ignore[arg-type]
        ),
    )


RECIPES: dict[str, Callable[[Budget, int], RunConfig]] = {
    "glyphs": glyphs,
    "emoji": emoji,
    "pictures": pictures,
    "points": points,
}
DEFAULT_BUDGETS: dict[str, Budget] = {
    "glyphs": {"budget_minutes": 30.0},
    "emoji": {"budget_minutes": 60.0},
    "pictures": {"budget_minutes": 30.0},
    "points": {"budget_images": 800_000},
}


def recipe(name: str, budget: Budget, seed: int = 0) -> RunConfig:
    """The configuration of a named recipe under a budget, or its own; UserError if unknown."""
    if name not in RECIPES:
        raise UserError(
            f"recipe {name!r}",
            "there is no such recipe",
            f"Use one of {', '.join([*RECIPES, 'autoencoder'])}",
        )
    if all(value is None for value in budget.values()):
        budget = DEFAULT_BUDGETS[name]
    return RECIPES[name](budget, seed)


def for_points(config: RunConfig, num_dimensions: int) -> RunConfig:
    """The points recipe for points of another dimension."""
    network = PerceptronConfig(num_dimensions=num_dimensions)
    return config.model_copy(update={"model": config.model.model_copy(update={"network": network})})
