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
    arguments = parser.parse_args()
    tensors, config = load_model_file(arguments.run / "model.safetensors")
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "model.safetensors"
    save_model(path, {name: t.to(torch.float16) for name, t in tensors.items()}, config)
    lines = (arguments.run / "metrics.jsonl").read_text().splitlines()
    last = next(one for one in map(json.loads, reversed(lines)) if "t=0.5" in one)
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
