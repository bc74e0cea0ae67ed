"""From a network's configuration to the network."""

from typing import Annotated

from pydantic import Field

from imagespace.networks.perceptron import Perceptron, PerceptronConfig
from imagespace.networks.transformer import PatchTransformer, TransformerConfig

NetworkConfig = Annotated[TransformerConfig | PerceptronConfig, Field(discriminator="kind")]
Network = PatchTransformer | Perceptron


def build_network(config: TransformerConfig | PerceptronConfig) -> Network:
    """A network with fresh weights from torch's global generator."""
    if isinstance(config, PerceptronConfig):
        return Perceptron(config)
    return PatchTransformer(config)
