"""Turns a finished autoencoder's run into a shipped one: half-precision weights and their facts.

python scripts/export_autoencoder.py RUN src/imagespace/models/NAME
"""

import argparse
import hashlib
import json
from pathlib import Path

from imagespace.checkpoints import load_autoencoder, save_autoencoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    autoencoder, _ = load_autoencoder(arguments.run / "autoencoder.safetensors")
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "autoencoder.safetensors"
    halved = {name: tensor.half() for name, tensor in autoencoder.state_dict().items()}
    save_autoencoder(path, halved, autoencoder.config)
    lines = (arguments.run / "metrics.jsonl").read_text().splitlines()
    last = next(one for one in map(json.loads, reversed(lines)) if "psnr" in one)
    run_config = json.loads((arguments.run / "config.json").read_text())
    facts = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "parameters": sum(p.numel() for p in autoencoder.parameters()),
        "data_key": run_config["data"],
        "last_metrics": last,
        "config": run_config["config"],
    }
    (arguments.out / "training.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps({k: v for k, v in facts.items() if k != "config"}, indent=1))


if __name__ == "__main__":
    main()
