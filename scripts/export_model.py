"""Turns a finished run into a shipped model or autoencoder: small weights, and the card's facts.

python scripts/export_model.py RUN src/imagespace/models/NAME [--num-steps 20]

Weights are halved to float16. If the file would be larger than may ship, its largest matrices are
written in eight bits, one after the other, until it is not.
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor

from imagespace.checkpoints import (
    ModelConfig,
    load_autoencoder,
    load_model_file,
    save_autoencoder,
    save_model,
    split_tensors,
    tensors_sha256,
)
from imagespace.eight_bits import in_eight_bits, restored

MODEL, AUTOENCODER = "model.safetensors", "autoencoder.safetensors"


LARGEST_BYTES = 16_000_000


def shrunk(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as float16, and as many matrices in eight bits as they must be."""
    small = {name: tensor.to(torch.float16) for name, tensor in tensors.items()}
    by_size = sorted((t.numel(), name) for name, t in tensors.items() if t.dim() == 2)
    while by_size and sum(tensor.nbytes for tensor in small.values()) > 0.995 * LARGEST_BYTES:
        _, name = by_size.pop()
        small = in_eight_bits(small | {name: tensors[name]}, name)
    return small


def described(tensors: dict[str, Tensor], config: ModelConfig) -> ModelConfig:
    """The configuration of shrunk tensors: an autoencoder inside is now one of other weights."""
    if config.autoencoder is None:
        return config
    _, inside = split_tensors(restored(tensors))
    return config.model_copy(update={"autoencoder_sha256": tensors_sha256(inside)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--num-steps", type=int, help="of drawing, if not the run's own")
    arguments = parser.parse_args()
    lines = (arguments.run / "metrics.jsonl").read_text().splitlines()
    run_config = json.loads((arguments.run / "config.json").read_text())
    arguments.out.mkdir(parents=True, exist_ok=True)
    if (arguments.run / AUTOENCODER).is_file():
        path, figure = arguments.out / AUTOENCODER, "psnr"
        autoencoder, _ = load_autoencoder(arguments.run / AUTOENCODER)
        save_autoencoder(path, shrunk(autoencoder.state_dict()), autoencoder.config)
    else:
        path, figure = arguments.out / MODEL, "t=0.5"
        tensors, config = load_model_file(arguments.run / MODEL)
        if arguments.num_steps is not None:
            sampling = config.sampling.model_copy(update={"num_steps": arguments.num_steps})
            config = config.model_copy(update={"sampling": sampling})
        small = shrunk(tensors)
        save_model(path, small, described(small, config))
    last = next(one for one in map(json.loads, reversed(lines)) if figure in one)
    if path.stat().st_size > LARGEST_BYTES:
        path.unlink()
        raise SystemExit(
            f"{path} would be larger than {LARGEST_BYTES:,} bytes: train a smaller one"
        )
    facts = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "data_key": run_config["data"],
        "last_metrics": last,
        "config": run_config["config"],
    }
    (arguments.out / "training.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps({k: v for k, v in facts.items() if k != "config"}, indent=1))


if __name__ == "__main__":
    main()
