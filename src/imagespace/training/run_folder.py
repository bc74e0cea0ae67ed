"""The run folder: resolved config, metrics, checkpoints, samples over time and the model."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from imagespace.checkpoints import load_checkpoint, save_checkpoint
from imagespace.errors import UserError
from imagespace.training.config import RunConfig

CONFIG_FILE, METRICS_FILE, MODEL_FILE = "config.json", "metrics.jsonl", "model.safetensors"


class RunFolder:
    """One training run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.samples = path / "samples"
        self.metrics = path / METRICS_FILE
        self.model = path / MODEL_FILE

    def open(self, config: RunConfig, data_key: str) -> None:
        """Creates the folder, or checks that it holds an interrupted run of the same command.

        Errors: UserError if it holds something else, another configuration or other data.
        """
        record = {"config": config.model_dump(mode="json"), "data": data_key}
        stored = self.path / CONFIG_FILE
        if stored.is_file():
            try:
                before = json.loads(stored.read_text())
                same_config = RunConfig.model_validate(before["config"]) == config
            except (ValueError, KeyError, ValidationError):
                same_config, before = False, {}
            if not same_config:
                raise UserError(
                    str(self.path),
                    "holds a run with other settings",
                    "Repeat its own command to continue it, or choose another --out",
                )
            if before["data"] != data_key:
                raise UserError(
                    str(self.path),
                    "its pictures or captions have changed since it began",
                    "Bring the old data back, or choose another --out",
                )
            return
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UserError(
                str(self.path),
                "exists and is not a run folder",
                "Choose a new or empty folder for --out",
            )
        try:
            self.samples.mkdir(parents=True, exist_ok=True)
            self.checkpoints.mkdir(exist_ok=True)
            partial = stored.with_suffix(".partial")
            partial.write_text(json.dumps(record, indent=1) + "\n")
            os.replace(partial, stored)
        except OSError as error:
            raise UserError(
                str(self.path), f"cannot be written ({error.strerror})", "Choose another --out"
            ) from None

    def save(self, files: dict[str, Any], state: dict[str, Any], kept: int) -> None:
        """Writes checkpoint `state["step"]` and removes all but the newest `kept`."""
        save_checkpoint(self.checkpoints / f"step-{state['step']:08d}", files, state)
        for old in sorted(self.checkpoints.glob("step-*"))[:-kept]:
            shutil.rmtree(old)

    def newest(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Files and state of the newest checkpoint, or None at the start."""
        folders = sorted(self.checkpoints.glob("step-*"))
        return load_checkpoint(folders[-1]) if folders else None

    def log(self, record: dict[str, Any]) -> None:
        """Appends one line of JSON to the metrics."""
        with self.metrics.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def forget_after(self, step: int) -> None:
        """Drops metrics of steps that an interrupted run will take again."""
        if not self.metrics.is_file():
            return
        lines = self.metrics.read_text().splitlines()
        kept = [line for line in lines if _step_of(line) <= step]
        partial = self.metrics.with_suffix(".partial")
        partial.write_text("".join(line + "\n" for line in kept))
        os.replace(partial, self.metrics)


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError):
        # A line cut short by a kill belongs to steps after the checkpoint.
        return 2**62
