"""Trains another project's model on the glyphs for a fixed time and keeps samples on the way.

Run: python benchmarks/peers/train.py --data DATA --peer NAME --setting NAME --out FOLDER

Only training counts as time; drawing and saving stop the clock. An interruption keeps what is
there: samples drawn so far, the averaged weights of the last checkpoint and the loss so far.
"""

import argparse
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from glyph_rows import batches, captioned_only
from peer import DEFAULT, IMAGE_SIZE_PX, PEERS, Peer, build
from run_record import FINISHED, INTERRUPTED, RUN_FILE, RUNNING, draw_to, surroundings, write_json
from safetensors.torch import save_file
from torch import Tensor

from imagespace.errors import UserError
from imagespace.pictures.folder import read_folder
from imagespace.training.allocator import keep_freed_memory

WEIGHTS_FILE = "weights.safetensors"
NUM_LOSSES = 200  # points of the loss curve
SAMPLE_SEED = 1_000_000


def train(
    peer: Peer, pictures: Iterator[Tensor], budget_s: float, marks_s: list[float]
) -> Iterator[tuple[float, int, float, float | None]]:
    """Trains for `budget_s`; yields (seconds, pictures seen, loss, the mark just passed or None).

    The clock stops while the caller holds the generator. The step under way at the end is
    finished. Several marks within one step count as the last of them.
    """
    seconds, seen = 0.0, 0
    while seconds < budget_s:
        started = time.perf_counter()
        batch = next(pictures)
        loss = peer.train_step(batch, seconds / budget_s)
        before, seconds = seconds, seconds + time.perf_counter() - started
        seen += len(batch)
        if not math.isfinite(loss):
            raise UserError(f"loss after {seen} pictures", "is not finite", "Try another setting")
        passed = [mark for mark in marks_s if before < mark <= seconds]
        yield seconds, seen, loss, max(passed, default=None)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """One run from step 0; its record, which also stands in `args.out`."""
    if (args.out / RUN_FILE).exists():
        raise UserError(str(args.out), "holds a run already", "Choose another --out")
    if not args.minutes > 0 or not args.at or not all(0 < share <= 1 for share in args.at):
        raise UserError(
            f"--minutes {args.minutes:g} --at {args.at}",
            "the time is positive, and checkpoints are shares of it, above 0 up to 1",
            "Use --minutes 20 --at 0.125 0.25 0.5 1",
        )
    if args.threads:
        torch.set_num_threads(args.threads)
    keep_freed_memory()  # as in our own training: equal terms
    pictures = captioned_only(read_folder(args.data, IMAGE_SIZE_PX, 1))
    peer, record = build(args.peer, args.setting, args.sampler, args.seed)
    budget_s = 60 * args.minutes
    losses: list[tuple[float, int, float]] = []
    checkpoints: list[dict[str, Any]] = []
    record |= surroundings(record.pop("packages")) | {
        "state": RUNNING,
        "seed": args.seed,
        "data": pictures.key,
        "num_training_pictures": len(pictures.indices("train")),
        "budget_seconds": budget_s,
        "seconds": 0.0,
        "num_steps": 0,
        "pictures_seen": 0,
        "checkpoints": checkpoints,
        "loss": losses,  # (seconds, pictures seen, mean since the line before)
    }
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / RUN_FILE, record)
    print(f"{args.peer} {args.setting}: {peer.num_parameters:,} parameters", flush=True)
    data = batches(pictures, peer.batch_size, peer.lowest, args.seed)
    marks_s = [share * budget_s for share in args.at]
    recent: list[float] = []
    try:
        for seconds, seen, loss, mark in train(peer, data, budget_s, marks_s):
            recent.append(loss)
            record |= {"seconds": seconds, "pictures_seen": seen}
            record["num_steps"] += 1
            if seconds >= (len(losses) + 1) * budget_s / NUM_LOSSES or mark is not None:
                losses.append((round(seconds, 2), seen, sum(recent) / len(recent)))
                recent.clear()
            if mark is None:
                continue
            write_json(args.out / RUN_FILE, record)
            save_file(peer.weights(), args.out / WEIGHTS_FILE)
            drawn = draw_to(
                args.out / f"samples-{round(mark)}.npy",
                lambda first, num: peer.sample(num, SAMPLE_SEED + first),
                args.num_samples,
                60 * args.sampling_minutes,
            )
            checkpoints.append({"seconds": seconds, "pictures_seen": seen, **drawn})
            write_json(args.out / RUN_FILE, record)
            print(
                f"{seconds:7.1f} s  {seen:,} pictures  loss {losses[-1][2]:.4f}  "
                f"{drawn['num_samples']} of {args.num_samples} samples, "
                f"{drawn['seconds_per_picture']:.2f} s each",
                flush=True,
            )
        record["state"] = FINISHED
    except KeyboardInterrupt:
        record["state"] = INTERRUPTED
        raise
    finally:
        write_json(args.out / RUN_FILE, record)
    return record


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="glyph data folder")
    parser.add_argument("--peer", choices=PEERS, required=True)
    parser.add_argument("--setting", default=DEFAULT)
    parser.add_argument("--sampler", help="instead of the setting's own")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument(
        "--at", type=float, nargs="+", default=[1 / 8, 1 / 4, 1 / 2, 1], help="shares of the time"
    )
    parser.add_argument("--num-samples", type=int, default=500)
    parser.add_argument("--sampling-minutes", type=float, default=4, help="at most, a checkpoint")
    parser.add_argument("--threads", type=int, help="of torch; all processors unless given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    return parser


def main() -> None:
    # A termination keeps what is there, as an interrupt from the keyboard does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(arguments().parse_args())
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; what was drawn is kept") from None


if __name__ == "__main__":
    main()
