"""A run that goes on from a trained model instead of from random weights: fine-tuning."""

from imagespace.errors import UserError
from imagespace.networks.transformer import TransformerConfig
from imagespace.pipeline import Model
from imagespace.recipes.named import SHORT_WEIGHTED_TIME
from imagespace.training.config import RunConfig


def check_initial(model: Model) -> TransformerConfig:
    """The network that a run from `model` goes on with. UserError: it is one of points."""
    network = model.config.network
    if not isinstance(network, TransformerConfig):
        raise UserError(f"--from {model.source}", "draws points, not pictures", "Name another")
    return network


def from_model(config: RunConfig, model: Model) -> RunConfig:
    """The run in pixels `config`, with the network, objective and space of `model` instead.

    The recipe's training stays, but for a rate that falls from the start and errors at little noise
    that count less, as where few pictures can be shown; so do the labels of its changes; grey
    pictures are read as colour where the model draws in colour. UserError: it draws pictures of
    another size, or in grey where there is colour, or reads prompts where there are none, or the
    other way round.
    """
    network, initial = config.model.network, check_initial(model)
    assert isinstance(network, TransformerConfig)
    ours, theirs = config.model.picture_shape, model.config.picture_shape
    if ours[-1] != theirs[-1]:
        raise UserError(
            f"--from {model.source}",
            f"draws {theirs[-1]} px, and this run {ours[-1]} px",
            "Leave --size out, and choose --recipe pictures",
        )
    if ours[0] > theirs[0]:
        raise UserError(
            f"--from {model.source}",
            "draws in grey, and these pictures have colour",
            "Name a model that draws in colour",
        )
    if bool(network.max_text_tokens) != bool(initial.max_text_tokens):
        rule, remedy = ("reads no prompts", "Add --unconditional, or name one that does")
        if initial.max_text_tokens:
            rule, remedy = ("reads prompts, and this run has none", "Name one that reads none")
        raise UserError(f"--from {model.source}", rule, remedy)
    labels = {"num_augmentation_labels": network.num_augmentation_labels}
    objective = model.config.objective.model_copy(
        update={"smallest_weighted_time": SHORT_WEIGHTED_TIME}
    )
    changes = {
        "network": initial.model_copy(update=labels),
        "objective": objective,
        "sampling": model.config.sampling,
        "autoencoder": model.config.autoencoder,
        "autoencoder_sha256": model.config.autoencoder_sha256,
    }
    # What is learnt already is not shaken for half of the time: the rate falls from the start.
    training = config.training.model_copy(update={"decay_fraction": 1.0})
    return RunConfig(
        recipe=config.recipe,
        model=config.model.model_copy(update=changes),
        training=training,
        initial_sha256=model.sha256,
    )
