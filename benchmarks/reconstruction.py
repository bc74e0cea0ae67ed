"""What an autoencoder keeps of held-out pictures: PSNR, SSIM and, of glyphs, the radical.

    python benchmarks/reconstruction.py AUTOENCODER FOLDER [--num 1000] [--judge]

Prints the means over as many pictures of every split but `train`, the worst twentieth, and with
--judge the share of glyphs whose radical is judged the same on the copy as on the original.
"""

import argparse
from pathlib import Path

import numpy as np

from imagespace.pictures.folder import read_folder
from imagespace.pipeline import load_autoencoder_by_name
from imagespace.pipeline.autoencoding import reconstruction


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("autoencoder")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=128, help="side in pixels")
    parser.add_argument("--num", type=int, default=1000, help="pictures a split")
    parser.add_argument("--judge", action="store_true")
    arguments = parser.parse_args()
    autoencoder, sha256 = load_autoencoder_by_name(arguments.autoencoder)
    pictures = read_folder(arguments.folder, arguments.size, autoencoder.config.num_channels)
    print(f"{sha256[:16]}  latents {autoencoder.config.latent_shape(arguments.size)}")
    for split in sorted(set(pictures.splits) - {"train"}):
        rows = pictures.indices(split)
        rows = rows[:: max(1, len(rows) // arguments.num)][: arguments.num]
        found = reconstruction(autoencoder, pictures.pixels, rows)
        mean, worst = found.psnr_db.mean(), np.quantile(found.psnr_db, 0.05)
        line = f"{split}: {len(rows)} pictures  PSNR {mean:.2f} dB (a twentieth under {worst:.2f})"
        line += f"  SSIM {found.ssim.mean():.4f}"
        if arguments.judge:
            from imagespace.evaluation.radical_judge import load_radical_judge

            judge = load_radical_judge(quick=True)
            kinds = [judge.predict(pixels) for pixels in (found.originals, found.copies)]
            line += f"  same radical {(kinds[0] == kinds[1]).mean():.2%}"
        print(line)


if __name__ == "__main__":
    main()
