"""The command line as a person runs it: a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def run(
    *words: object, cwd: Path, env: dict[str, str] = ENVIRONMENT, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`imagespace WORDS` in the folder `cwd`, with what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "imagespace", *map(str, words)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=500,
        **options,
    )
