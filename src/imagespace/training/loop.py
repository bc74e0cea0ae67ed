"""The training loop: a generator, so that progress bars and films live with the caller."""

import math
import time
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imagespace.errors import UserError
from imagespace.networks.transformer import TransformerConfig, training_flops_per_picture
from imagespace.precision import CPU, fastest_dtype, has_compiler
from imagespace.training.allocator import keep_freed_memory
from imagespace.training.budget import fraction_done, learning_rate_factor
from imagespace.training.config import AutoencoderRun, RunConfig
from imagespace.training.ema import PowerEMA
from imagespace.training.loss import DiffusionLoss, TrainingLoss
from imagespace.training.muon import Muon
from imagespace.training.reconstruction import ReconstructionLoss
from imagespace.training.run_folder import RunFolder
from imagespace.training.task import Task

# When the weights are kept that autoguidance later guides away from.
EARLY_FRACTION = 0.15
# Of a budget in minutes, what evaluations may take before the next is put off: large pictures are
# slow to judge, and twelve times would leave a short run no time to learn.
EVALUATION_SHARE = 0.1
# Shorter budgets end before the compiler's minute is won back by its code, which doubles the speed
# in bfloat16 and adds at most a third in float32 (benchmarks/training_rate.py).
COMPILED_FROM_MINUTES = {torch.bfloat16: 3.0, torch.float32: 10.0}
# What turns a budget of pictures into minutes: FLOP/s of whole steps of 384 x 3, rounded, on the
# slower and the faster processor that benchmarks/training_rate.py was run on. Assumed, not timed,
# so that the same command compiles on every day or on none.
ASSUMED_RATE = {torch.bfloat16: 5e11, torch.float32: 1e11}


AnyRun = RunConfig | AutoencoderRun


def loss_of(config: AnyRun) -> TrainingLoss:
    """What a run of this configuration makes small."""
    if isinstance(config, AutoencoderRun):
        return ReconstructionLoss(config)
    return DiffusionLoss(config)


@dataclass(frozen=True)
class Progress:
    """What the caller learns after each step; `evaluation` is there when one was made.

    `note` is a remark for the user, mostly empty.
    """

    step: int
    num_images: int
    loss: float
    fraction: float
    elapsed_s: float
    evaluation: dict[str, float] = field(default_factory=dict)
    note: str = ""


class TrainingState:
    """Network, averages and optimisers at one global step; everything else is derived from it."""

    def __init__(
        self, config: AnyRun, dtype: torch.dtype, compiled: bool, device: torch.device = CPU
    ) -> None:
        training = config.training
        self.loss = loss_of(config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            self.network = self.loss.build_network().to(device)
        self.config, self.dtype, self.device = config, dtype, device
        self.forward: Callable[..., Any] = torch.compile(self.network) if compiled else self.network
        self.compiled, self.has_stepped = compiled, False
        self.note = ""  # a remark for the user, until the loop has passed it on
        self.ema = PowerEMA(self.network, training.ema_exponent)
        self.step = 0
        self.elapsed_s = 0.0
        self.num_evaluated, self.judging_s = 0, 0.0  # evaluations due so far, and what they took
        # Muon takes the blocks' matrices; AdamW embeddings, modulation and the output layer.
        matrices: list[Tensor] = []
        others: list[Tensor] = []
        for name, parameter in self.network.named_parameters():
            if not parameter.requires_grad:
                continue
            (matrices if self.loss.is_matrix(name, parameter) else others).append(parameter)
        of_matrices: torch.optim.Optimizer
        if training.matrix_optimizer == "muon":
            of_matrices = Muon(
                matrices, training.matrix_learning_rate, training.weight_decay, dtype
            )
        else:
            of_matrices = torch.optim.AdamW(
                matrices,
                training.matrix_learning_rate,
                (0.9, 0.95),
                weight_decay=training.weight_decay,
                foreach=True,
            )
        self.optimizers = [
            of_matrices,
            torch.optim.AdamW(
                others, training.other_learning_rate, (0.9, 0.95), weight_decay=0.0, foreach=True
            ),
        ]

    def update(
        self, x_0: Tensor, conditions: tuple[Tensor, ...], learning_rate_scale: float
    ) -> float:
        """One optimiser step on clean samples and their conditions, all [B, ...]; the loss.

        NaN if it or its gradient is not finite: no step is made then.
        """
        x_0, *told = (part.to(self.device) for part in (x_0, *conditions))
        loss = self._gradient(x_0, tuple(told))
        norm = torch.nn.utils.clip_grad_norm_(
            self.network.parameters(), self.config.training.gradient_clip_norm, foreach=True
        )
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            return math.nan
        training = self.config.training
        rates = (training.matrix_learning_rate, training.other_learning_rate)
        for optimizer, rate in zip(self.optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * learning_rate_scale
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        self.ema.update(self.network, self.step)
        return loss.item()

    def _gradient(self, x_0: Tensor, conditions: tuple[Tensor, ...]) -> Tensor:
        """The loss, whose gradient the weights then hold.

        A compiler may fail where `has_compiler` does not foresee it, in the first forward or
        backward pass. That step is then taken uncompiled; an error of another cause comes again.
        """
        try:
            return self._uncaught_gradient(x_0, conditions)
        except Exception as error:
            if not self.compiled or self.has_stepped:
                raise
            lines = [type(error).__name__, *filter(str.strip, str(error).splitlines())]
            # What the compiler itself said is deep in torch's message.
            reason = next((line for line in lines if "error: " in line), " ".join(lines[:2]))
            reason = reason.strip()[:200]
        self.compiled, self.forward = False, self.network
        for parameter in self.network.parameters():
            parameter.grad = None
        loss = self._uncaught_gradient(x_0, conditions)
        self.note = f"the network cannot be compiled here and trains uncompiled ({reason})"
        return loss

    def _uncaught_gradient(self, x_0: Tensor, conditions: tuple[Tensor, ...]) -> Tensor:
        loss = self.loss(self.forward, x_0, conditions, self.step, self.dtype)
        loss.backward()  # type: ignore[no-untyped-call]
        self.has_stepped = True
        return loss

    def is_finite(self) -> bool:
        """Whether all weights are."""
        return all(bool(weight.isfinite().all()) for weight in self.network.parameters())

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Everything that a checkpoint must hold."""
        names = {id(p): name for name, p in self.network.named_parameters()}
        moments: dict[str, Tensor] = {}
        for optimizer in self.optimizers:
            for parameter, state in optimizer.state.items():
                for key, value in state.items():
                    moments[f"{names[id(parameter)]}:{key}"] = value
        return {
            "network": dict(self.network.state_dict()),
            "ema": dict(self.ema.weights),
            "optimizer": moments,
        }

    def restore(self, files: dict[str, dict[str, Tensor]], state: dict[str, Any]) -> None:
        """Back to a checkpoint that `tensors` described."""
        self.network.load_state_dict(files["network"])
        for name, value in files["ema"].items():
            self.ema.weights[name].copy_(value)
        parameters = dict(self.network.named_parameters())
        owner = {id(p): o for o in self.optimizers for g in o.param_groups for p in g["params"]}
        for key, value in files["optimizer"].items():
            name, moment = key.rsplit(":", 1)
            parameter = parameters[name]
            # AdamW's count of its steps is a scalar that stays on the processor.
            moved = value.to(parameter.device) if value.dim() else value
            owner[id(parameter)].state[parameter][moment] = moved
        self.step, self.elapsed_s = int(state["step"]), float(state["elapsed_s"])
        training = self.config.training
        due = int(fraction_done(training, self.step, self.elapsed_s) * training.evaluations)
        # Checkpoints of older versions do not say; they made every evaluation that was due.
        self.num_evaluated = int(state.get("num_evaluated", due))
        self.judging_s = float(state.get("judging_s", 0.0))


def prepare(
    config: AnyRun,
    dtype: torch.dtype | None = None,
    device: torch.device = CPU,
    compiled: bool | None = None,
) -> TrainingState:
    """The state at step 0; `dtype` and `compiled` are those of a run to be continued.

    None: as the configuration has it, this machine and the budget.
    """
    # inductor and autocast warn about mixed types that are meant.
    warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")
    keep_freed_memory()
    if dtype is None:
        precision = config.training.precision
        dtype = fastest_dtype(device) if precision == "auto" else getattr(torch, precision)
    if compiled is None:
        has_time = expected_minutes(config, dtype) >= COMPILED_FROM_MINUTES[dtype]
        compiled = config.training.compile and has_time and has_compiler(device)
        return TrainingState(config, dtype, compiled, device)
    state = TrainingState(config, dtype, compiled and has_compiler(device), device)
    if compiled and not state.compiled:
        state.note = (
            "there is no compiler any more: the run goes on uncompiled, alike but for rounding"
        )
    return state


def expected_minutes(config: AnyRun, dtype: torch.dtype) -> float:
    """The budget in minutes; that of pictures at the rate that is assumed of whole steps."""
    if config.training.budget_minutes is not None:
        return config.training.budget_minutes
    assert config.training.budget_images is not None
    if isinstance(config, AutoencoderRun) or not isinstance(
        config.model.network, TransformerConfig
    ):
        return math.inf  # its recipe decides alone
    flops = config.training.budget_images * training_flops_per_picture(config.model.network)
    return flops / ASSUMED_RATE[dtype] / 60


def train(
    config: AnyRun, data: Task, out: Path, device: torch.device = CPU
) -> Generator[Progress, None, None]:
    """Trains to the end of the budget, continuing what `out` holds; yields after every step.

    Closing the generator saves a checkpoint first. Errors: UserError if `out` holds something
    else, or if the loss is not finite: the weights before it are saved.
    """
    run = RunFolder(out, config.weights_file)
    run.open(config, data.key)
    checkpoint = run.newest()
    if checkpoint is not None:
        # A continued run keeps its arithmetic: another would be another run. Checkpoints of older
        # versions do not say whether it is compiled.
        dtype, compiled = getattr(torch, checkpoint[1]["dtype"]), checkpoint[1].get("compiled")
        state = prepare(config, dtype, device, compiled)
        torch.set_num_threads(checkpoint[1]["num_threads"])
        state.restore(*checkpoint)
    else:
        state, fitted_from = prepare(config, device=device), time.monotonic()
        data.fit_first(state.network)
        state.elapsed_s = time.monotonic() - fitted_from
        state.ema = PowerEMA(state.network, config.training.ema_exponent)
    # The start is judged anew, as is what a killed process had done since its checkpoint.
    run.forget_after(state.step or -1, state.step * config.training.batch_size or -1)
    training = config.training
    started = time.monotonic() - state.elapsed_s
    saved_at = time.monotonic()
    if fraction_done(training, state.step, state.elapsed_s) < EARLY_FRACTION:
        run.early.unlink(missing_ok=True)
    try:
        if state.step == 0:
            evaluation = evaluate(state, data, run)
            run.log(
                {"step": 0, "num_images": 0, "elapsed_s": round(state.elapsed_s, 2), **evaluation}
            )
            yield Progress(0, 0, math.nan, 0.0, 0.0, evaluation)
        while True:
            state.elapsed_s = time.monotonic() - started
            fraction = fraction_done(training, state.step, state.elapsed_s)
            if fraction >= 1:
                break
            factor = learning_rate_factor(training, state.step, fraction)
            loss = state.update(*data.batch(state.step), factor)
            if math.isnan(loss):
                raise UserError(
                    f"loss at step {state.step + 1}",
                    f"is not finite; training stopped, {keep_good_weights(state, run)}",
                    "Lower the learning rates in the recipe, and train into another --out",
                )
            note, state.note = state.note, ""
            state.elapsed_s = time.monotonic() - started
            done = fraction_done(training, state.step, state.elapsed_s)
            images = state.step * training.batch_size
            if data.keeps_early and done >= EARLY_FRACTION and not run.early.is_file():
                data.save(run.early, state.ema.weights)
            evaluation = {}
            due = int(done * training.evaluations)
            in_time = state.judging_s <= EVALUATION_SHARE * state.elapsed_s
            is_put_off = training.budget_minutes is not None and done < 1 and not in_time
            if due > state.num_evaluated and not is_put_off:
                state.num_evaluated = due
                evaluation = evaluate(state, data, run)
            run.log(
                {
                    "step": state.step,
                    "num_images": images,
                    "loss": loss,
                    "elapsed_s": round(state.elapsed_s, 2),
                    **evaluation,
                }
            )
            if time.monotonic() - saved_at > 60 * training.save_every_minutes:
                save(state, run)
                saved_at = time.monotonic()
            yield Progress(state.step, images, loss, done, state.elapsed_s, evaluation, note)
    except GeneratorExit:
        save(state, run)
        raise
    if state.num_evaluated < training.evaluations:  # the clock ran out between two steps
        run.log({"step": state.step, **evaluate(state, data, run)})
    save(state, run)
    data.save(run.model, data.completed(state.ema.weights, in_passing=False))


def save(state: TrainingState, run: RunFolder) -> None:
    """Checkpoints the state."""
    record = {
        "step": state.step,
        "elapsed_s": state.elapsed_s,
        "num_evaluated": state.num_evaluated,
        "judging_s": state.judging_s,
        "dtype": str(state.dtype).removeprefix("torch."),
        "compiled": state.compiled,
        "num_threads": torch.get_num_threads(),
    }
    run.save(state.tensors(), record, state.config.training.kept_checkpoints)


def keep_good_weights(state: TrainingState, run: RunFolder) -> str:
    """Saves weights that are good, before a step that is not; says what there is to go back to."""
    if state.is_finite():
        save(state, run)
        return f"with the weights of step {state.step} kept"
    if run.newest() is not None:
        return "with the last good checkpoint kept"
    return "before there was a checkpoint to keep"


def evaluate(state: TrainingState, data: Task, run: RunFolder) -> dict[str, float]:
    """The task's held-out figures and samples with fixed seeds, of the averaged weights."""
    weights, images = state.ema.weights, state.step * state.config.training.batch_size
    started = time.monotonic()
    # The run can be drawn from while it goes on.
    completed = data.completed(weights, in_passing=True)
    data.save(run.model, completed)
    halved = {name: weight.half() for name, weight in completed.items()}
    data.save(run.history / f"images-{images:010d}.safetensors", halved)
    samples = run.samples / f"step-{state.step:08d}.png"
    figures = data.evaluate(weights, state.dtype, run.path, samples)
    state.judging_s += time.monotonic() - started
    return figures
