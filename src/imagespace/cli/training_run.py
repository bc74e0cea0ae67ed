"""A training run as the terminal shows it: under a bar, interrupted, or tried for three steps."""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from imagespace.training.config import AutoencoderRun, RunConfig
    from imagespace.training.task import Task


def try_three_steps(
    config: "RunConfig | AutoencoderRun", data: "Task", device: "torch.device"
) -> None:
    """The resolved configuration, and what three real steps say of time and memory."""
    from imagespace.training.adversarial import without_discriminator
    from imagespace.training.loop import prepare

    print(config.model_dump_json(indent=2))
    state = prepare(config, device=device)
    seconds = []
    for _ in range(4):  # the first compiles
        started = time.perf_counter()
        state.update(*data.batch(state.step), 0.0)
        seconds.append(time.perf_counter() - started)
    step_s = min(seconds[1:])
    training = config.training
    rate = training.batch_size / step_s
    weights = without_discriminator(dict(state.network.named_parameters()))
    if state.note:
        print(f"note: {state.note}", file=sys.stderr)
    print(f"parameters      {sum(weight.numel() for weight in weights.values()):,}")
    print(f"arithmetic      {str(state.dtype).removeprefix('torch.')}")
    if (memory_gb := _peak_memory_gb(device)) is not None:
        print(f"peak memory     {memory_gb:.2f} GB")
    noun = _noun(config)
    print(f"first step      {seconds[0]:.0f} s")
    print(f"speed           {rate:.0f} {noun}/s")
    if training.budget_images is not None:
        print(f"expected time   {training.budget_images / rate / 60:.1f} minutes")
    else:
        assert training.budget_minutes is not None
        print(f"expected {noun:8}{training.budget_minutes * 60 * rate:,.0f}")


def _peak_memory_gb(device: "torch.device") -> float | None:
    """The most that this process has held there; None on Windows, which does not say."""
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device) / 1e9
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9


def _noun(config: "RunConfig | AutoencoderRun") -> str:
    return "points" if config.recipe == "points" else "pictures"


def train_under_a_bar(
    config: "RunConfig | AutoencoderRun", data: "Task", out: Path, device: "torch.device"
) -> None:
    """Runs the loop under a bar on a terminal, and one line an evaluation elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn

    from imagespace.training.loop import train as run

    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), TaskProgressColumn())
    events = run(config, data, out, device)
    noun = _noun(config)
    interrupted = _note_interrupts()
    begun = "as begun" if getattr(config, "initial_sha256", "") else "untrained"
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=1.0)
        for progress in events:
            left_s = progress.elapsed_s * (1 / max(progress.fraction, 1e-9) - 1)
            eta = f"{left_s / 60:.0f} min left" if progress.fraction > 0.005 else "..."
            loss = f"loss {progress.loss:.3f}" if progress.step else begun
            text = f"step {progress.step:,}  {progress.num_images:,} {noun}  {loss}  {eta}"
            bar.update(task, completed=progress.fraction, description=text)
            if progress.note:
                bar.console.print(
                    f"note: {progress.note}", soft_wrap=True, highlight=False, markup=False
                )
            # Once the budget is spent, only the model is left to be written.
            if interrupted and progress.fraction < 1:
                break
            if progress.evaluation:
                bands = "  ".join(f"{k} {v:.4f}" for k, v in progress.evaluation.items())
                bar.console.print(f"{text}  held-out {bands}", soft_wrap=True, highlight=False)
        else:
            return  # complete, also where a signal came while the last evaluation was made
    events.close()  # saves a checkpoint
    print(f"imagespace: interrupted; the same command continues {out}", file=sys.stderr)
    raise KeyboardInterrupt


def _note_interrupts() -> list[int]:
    """Receives the first interrupt or termination, so that the step under way is finished.

    A second one is not caught: it ends the process at once, with the last checkpoint kept.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, note)
    return received
