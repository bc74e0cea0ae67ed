"""Turns a finished run into the shipped model: half-precision weights and their model card's facts.

python scripts/export_model.py RUN src/imagespace/models/NAME
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch

from imagespace.checkpoints import load_model_file, save_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--num-steps", type=int)
    arguments = parser.parse_args()
    tensors, config = load_model_file(arguments.run / "model.safetensors")
    changes = {
        key: value
        for key, value in (("guidance", arguments.guidance), ("num_steps", arguments.num_steps))
        if value is not None
    }
    config = config.model_copy(update={"sampling": config.sampling.model_copy(update=changes)})
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "model.safetensors"
    save_model(path, {name: t.to(torch.float16) for name, t in tensors.items()}, config)
    last = json.loads((arguments.run / "metrics.jsonl").read_text().splitlines()[-1])
    run_config = json.loads((arguments.run / "config.json").read_text())
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
