"""Makes a figure small enough to keep in the repository: fewer pixels, fewer colours.

python scripts/shrink_figure.py FIGURE.png docs/images/NAME.png [--width 1150] [--colours 128]
"""

import argparse
from pathlib import Path

from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1150)
    parser.add_argument("--colours", type=int, default=128)
    args = parser.parse_args()
    image = Image.open(args.figure).convert("RGB")
    width = min(args.width, image.width)
    size = (width, round(image.height * width / image.width))
    small = image.resize(size, Image.Resampling.LANCZOS)
    few = small.quantize(args.colours, kmeans=1, dither=Image.Dither.NONE)
    few.save(args.out, optimize=True)
    print(f"{args.out}: {size[0]} x {size[1]} px, {args.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
