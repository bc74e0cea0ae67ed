"""Learn the image-text space that ships with a model, so that its figures repeat anywhere.

Run: python scripts/learn_image_text_space.py DATA --out FOLDER/space.safetensors
"""

import argparse
import time
from pathlib import Path

import torch

from imagespace.evaluation.image_text_space import save_space
from imagespace.evaluation.space_training import learn_space
from imagespace.pictures.folder import read_folder
from imagespace.text.vectors import load_text_encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--image-size-px", type=int, default=128)
    parser.add_argument("--num-channels", type=int, default=1)
    parser.add_argument("--num-steps", type=int, default=1000)
    parser.add_argument("--max-minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num-threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.num_threads)
    pictures = read_folder(args.data, args.image_size_px, args.num_channels)
    steps, started = 0, time.monotonic()

    def said(fraction: float, loss: float) -> None:
        nonlocal steps
        steps += 1
        if steps % 20 == 0:
            minutes = (time.monotonic() - started) / 60
            print(f"step {steps}  {minutes:.1f} min  {fraction:.0%}  loss {loss:.3f}", flush=True)

    space = learn_space(
        pictures, load_text_encoder(), args.num_steps, args.max_minutes, args.seed, said
    )
    save_space(args.out, space)
    print(f"{steps} steps, {args.out}")


if __name__ == "__main__":
    main()
