"""Draws from the weights that train.py left, with another sampler or more pictures.

Run: python benchmarks/peers/draw.py RUN --sampler NAME --num-samples 500
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from peer import build
from run_record import RUN_FILE, draw_to, write_json
from safetensors.torch import load_file
from train import SAMPLE_SEED, WEIGHTS_FILE

from imagespace.errors import UserError


def draw(args: argparse.Namespace) -> dict[str, Any]:
    """The record of the drawn pictures, which also joins `drawn` in the run's run.json."""
    if not (args.run / WEIGHTS_FILE).is_file():
        raise UserError(str(args.run), "holds no weights of train.py", "Name its --out folder")
    if args.threads:
        torch.set_num_threads(args.threads)
    run = json.loads((args.run / RUN_FILE).read_text(encoding="utf-8"))
    peer, record = build(run["peer"], run["setting"], args.sampler, run["seed"])
    peer.load(load_file(args.run / WEIGHTS_FILE))
    drawn = draw_to(
        args.run / f"drawn-{record['sampler']}.npy",
        lambda first, num: peer.sample(num, SAMPLE_SEED + first),
        args.num_samples,
        60 * args.sampling_minutes,
    )
    drawn["sampler"] = record["sampler"]
    run["drawn"] = [d for d in run.get("drawn", []) if d["samples"] != drawn["samples"]] + [drawn]
    write_json(args.run / RUN_FILE, run)
    print(
        f"{record['sampler']}: {drawn['num_samples']} of {args.num_samples} samples, "
        f"{drawn['seconds_per_picture']:.2f} s each"
    )
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="--out folder of train.py")
    parser.add_argument("--sampler", help="instead of the setting's own")
    parser.add_argument("--num-samples", type=int, default=500)
    parser.add_argument("--sampling-minutes", type=float, default=20)
    parser.add_argument("--threads", type=int, help="of torch; all processors unless given")
    try:
        draw(parser.parse_args())
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
