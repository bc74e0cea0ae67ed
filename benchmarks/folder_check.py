"""Time and peak memory of the check of a folder, part by part.

    python benchmarks/folder_check.py --folder glyphs

Wall-clock times and those of the processor: on a busy machine the latter are the ones to compare.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from imagespace.checkup.caption_findings import caption_findings
from imagespace.checkup.checkup import check_folder
from imagespace.checkup.page import checkup_page
from imagespace.checkup.recommendation import recommend
from imagespace.pictures.decoding import Rendering, drawn
from imagespace.pictures.inspection import inspect_all
from imagespace.pictures.layouts.recognise import find_pictures
from imagespace.pictures.near_duplicates import SIDE_PX, near_duplicates
from imagespace.text.vectors import load_text_encoder

Answer = TypeVar("Answer")


def timed(what: str, call: Callable[[], Answer]) -> Answer:
    """Runs `call` and prints what it took."""
    started, used = time.perf_counter(), time.process_time()
    answer = call()
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - used
    print(f"{what:24} {wall_s:7.1f} s  {cpu_s:7.1f} s of CPU", flush=True)
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--parts", action="store_true", help="also each part on its own")
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    encoder = load_text_encoder()
    checkup = timed("whole check", lambda: check_folder(args.folder, encoder))
    timed("page", lambda: checkup_page(checkup))
    print(f"{len(checkup.rows):,} pictures, {len(checkup.findings)} findings")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    if not args.parts:
        return
    found = timed("  the layout", lambda: find_pictures(args.folder))
    small = np.zeros((len(found.sources), SIDE_PX, SIDE_PX, 3), np.uint8)
    rendering = Rendering(SIDE_PX, 3)

    def look() -> None:
        inspect_all(
            found.sources,
            look=lambda number, image, profile: small.__setitem__(
                number, drawn(image, profile, rendering)
            ),
        )

    timed("  looking at pictures", look)
    timed("  near duplicates", lambda: near_duplicates(small))
    timed("  captions", lambda: caption_findings(found.rows, encoder, 16))
    timed("  recommendation", lambda: recommend(checkup.rows, checkup.looks))


if __name__ == "__main__":
    main()
