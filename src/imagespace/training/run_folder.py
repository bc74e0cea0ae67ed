"""The run folder: resolved config, metrics, checkpoints, samples over time and the model."""

import json
import os
import re
import shutil
import weakref
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from imagespace.checkpoints import SamplingConfig, load_checkpoint, save_checkpoint
from imagespace.errors import UserError
from imagespace.training.config import AutoencoderRun, RunConfig

CONFIG_FILE, METRICS_FILE = "config.json", "metrics.jsonl"
EARLY_MODEL_FILE = "early.safetensors"
LOCK_FILE = ".lock"


def begun_run(path: Path) -> RunConfig | None:
    """The run that the folder holds; None if it holds none that can be read."""
    try:
        stored = json.loads((path / CONFIG_FILE).read_text(encoding="utf-8"))
        return RunConfig.model_validate(stored["config"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class RunFolder:
    """One training run on disk."""

    def __init__(self, path: Path, weights_file: str = RunConfig.weights_file) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.samples = path / "samples"
        self.metrics = path / METRICS_FILE
        self.model = path / weights_file
        self.early = path / EARLY_MODEL_FILE
        self.history = path / "history"

    def open(self, config: RunConfig | AutoencoderRun, data_key: str) -> None:
        """Creates the folder, or checks that it holds an interrupted run of the same command.

        Errors: UserError if it holds something else, another configuration or other data.
        """
        record = {"config": config.model_dump(mode="json"), "data": data_key}
        stored = self.path / CONFIG_FILE
        if stored.is_file():
            try:
                before = json.loads(stored.read_text())
                earlier, earlier_key = type(config).model_validate(before["config"]), before["data"]
            except (ValueError, KeyError, TypeError):  # also pydantic's, which is a ValueError
                raise UserError(
                    str(self.path),
                    f"holds another kind of run, or a {CONFIG_FILE} that cannot be read",
                    "Choose another --out",
                ) from None
            self._check_begun_from(earlier, config)
            if not _trained_alike(earlier, config):
                raise UserError(
                    str(self.path),
                    "holds a run with other settings",
                    "Repeat its own command to continue it, or choose another --out",
                )
            if earlier_key != data_key:
                raise UserError(
                    str(self.path),
                    "its pictures or captions have changed since it began",
                    "Bring the old data back, or choose another --out",
                )
            self._make_folders()
            return
        if self.path.exists() and (not self.path.is_dir() or self._foreign_files()):
            raise UserError(
                str(self.path),
                "exists and is not a run folder",
                "Choose a new or empty folder for --out",
            )
        try:
            self._make_folders()
            partial = stored.with_suffix(".partial")
            partial.write_text(json.dumps(record, indent=1) + "\n")
            os.replace(partial, stored)
        except OSError as error:
            raise UserError(
                str(self.path), f"cannot be written ({error.strerror})", "Choose another --out"
            ) from None

    def _check_begun_from(
        self, earlier: RunConfig | AutoencoderRun, config: RunConfig | AutoencoderRun
    ) -> None:
        """UserError if another autoencoder or initial model is named than the run began with."""
        if not (isinstance(earlier, RunConfig) and isinstance(config, RunConfig)):
            return
        own, sha256 = earlier.model.autoencoder_sha256, config.model.autoencoder_sha256
        if own and sha256 not in ("", own):
            raise UserError(
                str(self.path),
                f"was begun with another autoencoder ({own[:12]}, not {sha256[:12]})",
                "Name that one with --autoencoder, or choose another --out",
            )
        if earlier.initial_sha256 != config.initial_sha256:
            initials = (earlier.initial_sha256, config.initial_sha256)
            names = [initial or "random weights" for initial in initials]
            raise UserError(
                str(self.path),
                f"was begun from {names[0]}, not {names[1]}",
                "Name that very model with --from, or choose another --out",
            )

    def _make_folders(self) -> None:
        for folder in (self.samples, self.checkpoints, self.history):
            folder.mkdir(parents=True, exist_ok=True)
        self._lock()
        self._remove_parts()

    def _remove_parts(self) -> None:
        """Removes what processes that were killed had written half; the lock must be held."""
        for path in self.checkpoints.glob(".step-*.partial"):
            shutil.rmtree(path)
        for weights in (self.model.name, self.early.name):
            for path in self.path.glob(f".{weights}.*.partial"):
                path.unlink()
        for path in self.history.glob(".*.partial"):
            path.unlink()

    def _foreign_files(self) -> set[str]:
        """What a run that was killed in its first moment cannot have left."""
        folders = {self.samples.name, self.checkpoints.name, self.history.name}
        left = folders | {LOCK_FILE, "config.partial"}
        return {path.name for path in self.path.iterdir()} - left

    def _lock(self) -> None:
        """Keeps a second process out, until this object is gone; UserError if one is in."""
        lock = FileLock(self.path / LOCK_FILE, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                str(self.path), "is being trained by another process", "Wait for it, or stop it"
            ) from None
        weakref.finalize(self, lock.release)

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

    def forget_after(self, step: int, num_images: int) -> None:
        """Drops metrics, samples and weights of steps that an interrupted run will take again."""
        for folder, last in ((self.samples, step), (self.history, num_images)):
            for path in folder.iterdir():
                if (number := re.search(r"-(\d+)\.", path.name)) and int(number[1]) > last:
                    path.unlink()
        if not self.metrics.is_file():
            return
        lines = self.metrics.read_text().splitlines()
        kept = [line for line in lines if _step_of(line) <= step]
        partial = self.metrics.with_suffix(".partial")
        partial.write_text("".join(line + "\n" for line in kept))
        os.replace(partial, self.metrics)


def _trained_alike(one: RunConfig | AutoencoderRun, other: RunConfig | AutoencoderRun) -> bool:
    """Equal but for what training does not depend on.

    That is how the model is sampled, and whether its autoencoder's file says what size it learnt.
    """
    return _as_trained(one) == _as_trained(other)


def _as_trained(config: RunConfig | AutoencoderRun) -> RunConfig | AutoencoderRun:
    if isinstance(config, AutoencoderRun):
        return config
    changes: dict[str, Any] = {"sampling": SamplingConfig()}
    if config.model.autoencoder is not None:
        shape = config.model.autoencoder.model_copy(update={"trained_size_px": None})
        changes["autoencoder"] = shape
    return config.model_copy(update={"model": config.model.model_copy(update=changes)})


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError):
        # A line cut short by a kill belongs to steps after the checkpoint.
        return 2**62
