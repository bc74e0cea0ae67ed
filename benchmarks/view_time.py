"""How long basins and forks take, and how often a short walk ends in the kind of a long one.

Seconds are of the processor (one core where OMP_NUM_THREADS=1), so that a busy machine counts
alike. `alike` is the share of the same noises whose short walk ends in the radical of the long
one, with its 95 % interval; `walks_4096` is what 4,096 noises would need, each one walked.

Run: OMP_NUM_THREADS=1 python benchmarks/view_time.py [--noises 64] [--prompt fish]
"""

import argparse
import json
import platform
import time

import torch
from torch import Tensor

import imagespace
from imagespace.atlas.commitment import fork
from imagespace.atlas.ends import course_of, ends
from imagespace.atlas.reading import RadicalReading
from imagespace.evaluation import wilson_interval
from imagespace.pipeline import Model, SamplingOptions
from imagespace.randomness import picture_noise


def walked(
    model: Model, prompt: str, noises: Tensor, options: SamplingOptions
) -> tuple[Tensor, float]:
    """The radicals that the walks end in, and the seconds that walking and reading took."""
    reading, denoiser = RadicalReading(), model.prompted(prompt, **options)
    course = course_of(model, options)
    started = time.process_time()
    kinds = reading(ends(denoiser, noises, course))
    return kinds, time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--noises", type=int, default=64)
    parser.add_argument("--prompt", default="fish")
    parser.add_argument("--long", type=int, default=16, help="Steps of the walks to agree with.")
    asked = parser.parse_args()
    model = imagespace.load("glyphs")
    shape = model.config.network.sample_shape
    noises = picture_noise(shape, 0, "view time", range(asked.noises))
    report: dict[str, object] = {
        "machine": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "noises": asked.noises,
        "prompt": asked.prompt,
    }
    for guidance in (1.0, 3.0):
        truth = None
        for steps in (asked.long, 8, 4, 3):
            options: SamplingOptions = {
                "sampler": "dpmpp_2m",
                "num_steps": steps,
                "guidance": guidance,
            }
            kinds, seconds = walked(model, asked.prompt, noises, options)
            truth = kinds if truth is None else truth
            alike = int((kinds == truth).sum())
            per_thousand = 1000 * seconds / asked.noises
            line = {
                "seconds_per_1000": round(per_thousand, 1),
                "walks_4096": round(4.096 * per_thousand),
                "alike": alike / asked.noises,
                "interval": [round(end, 3) for end in wilson_interval(alike, asked.noises)],
            }
            report[f"guidance {guidance:g}, {steps} steps"] = line
            print(f"guidance {guidance:g}, {steps} steps: {line}", flush=True)
    options = {"sampler": "ddim", "num_steps": 8, "guidance": 1.0}
    stochastic: SamplingOptions = {"sampler": "ddpm", "num_steps": 8, "guidance": 1.0}
    started = time.process_time()
    fork(
        model.prompted(asked.prompt, **options),
        noises[0],
        course_of(model, options),
        course_of(model, stochastic),
    )
    report["commitment, 8 steps, 16 forks"] = round(time.process_time() - started, 1)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
