"""Training is compiled where that can be done and pays, and goes on where it cannot."""

import json
import shutil
import subprocess
import sys
import sysconfig

import pytest
import torch
from command import ENVIRONMENT
from safetensors.torch import load_file

from imagespace.pictures.folder import read_folder
from imagespace.precision import has_compiler
from imagespace.recipes import recipe
from imagespace.training import loop
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData

FAILS_TO_COMPILE = """
import sys, torch
from imagespace.training.config import RunConfig
from imagespace.training.loop import TrainingState
config = RunConfig.model_validate_json(sys.argv[1])
random = torch.Generator().manual_seed(0)
network = config.model.network
x_0 = torch.randn(4, *network.sample_shape, generator=random)
text = torch.randn(4, network.max_text_tokens, network.text_width, generator=random)
states = [TrainingState(config, torch.float32, compiled) for compiled in (True, False)]
losses = [[state.update(x_0, (text,), 1.0) for _ in range(2)] for state in states]
assert losses[0] == losses[1], losses
for broken, plain in zip(states[0].network.parameters(), states[1].network.parameters()):
    assert torch.equal(broken, plain)
assert not states[0].compiled
print(states[0].note)
"""


@pytest.fixture(scope="module")
def pictures(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


@pytest.fixture
def compiled_run(tiny_run, monkeypatch):
    """A run that is compiled by a compiler that hands the network back, `compilations` counts."""
    compilations = []

    def compiler(network):
        compilations.append(network)
        return network.forward

    monkeypatch.setattr(loop, "has_compiler", lambda device: True)
    monkeypatch.setattr(loop, "COMPILED_FROM_MINUTES", dict.fromkeys(loop.ASSUMED_RATE, 0.0))
    monkeypatch.setattr(torch, "compile", compiler)
    training = tiny_run.training.model_copy(update={"compile": True, "precision": "float32"})
    config = tiny_run.model_copy(update={"training": training})
    return config, compilations


def test_a_compiler_without_pythons_headers_is_none(tmp_path, monkeypatch):
    """As on Debian with build-essential and without python3-dev."""
    places = dict.fromkeys(("include", "stdlib"), str(tmp_path / "usr" / "lib" / "python3"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: places[name])
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert not has_compiler()
    (tmp_path / "usr" / "lib" / "python3").mkdir(parents=True)
    (tmp_path / "usr" / "lib" / "python3" / "Python.h").touch()
    assert has_compiler()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not has_compiler()


@pytest.mark.slow
def test_a_step_that_cannot_be_compiled_is_taken_uncompiled(tiny_run, tmp_path):
    """Torch itself with a compiler that says its version and then finds no header."""
    broken = tmp_path / "broken-g++"
    broken.write_text(
        '#!/bin/sh\n[ "$*" = --version ] && exec g++ --version\n'
        'echo "main.cpp:1:10: fatal error: Python.h: No such file" >&2\nexit 1\n'
    )
    broken.chmod(0o755)
    changes = {"CXX": str(broken), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", FAILS_TO_COMPILE, tiny_run.model_dump_json()],
        env=ENVIRONMENT | changes | {"TORCHINDUCTOR_COMPILE_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "the network cannot be compiled here and trains uncompiled "
        "(main.cpp:1:10: fatal error: Python.h: No such file)\n"
    )


def failing(network):
    """What torch.compile returns, of a network whose compilation fails in the first step."""

    def forward(*inputs, **named):
        network(*inputs, **named)  # part of the way
        raise RuntimeError("no Python.h\nand much more")

    return forward


def test_a_run_that_cannot_be_compiled_is_the_uncompiled_one(
    compiled_run, pictures, encoder, tmp_path, monkeypatch
):
    config, _ = compiled_run
    monkeypatch.setattr(torch, "compile", failing)
    notes = []
    for progress in (events := train(config, PictureData(config, pictures, encoder), tmp_path)):
        notes.append(progress.note)
        if progress.step == 3:
            events.close()
            break
    assert "no Python.h" in notes[1]
    assert [bool(note) for note in notes] == [False, True, False, False]
    for progress in train(config, PictureData(config, pictures, encoder), tmp_path):
        assert not progress.note  # it is known not to be compiled
    uncompiled = config.training.model_copy(update={"compile": False})
    plain_run = config.model_copy(update={"training": uncompiled})
    for _ in train(plain_run, PictureData(plain_run, pictures, encoder), tmp_path / "plain"):
        pass
    broken, plain = (load_file(run / "model.safetensors") for run in (tmp_path, tmp_path / "plain"))
    assert all(torch.equal(broken[name], plain[name]) for name in plain)


def test_an_error_that_is_not_the_compilers_comes_through(
    compiled_run, pictures, encoder, tmp_path
):
    config, _ = compiled_run
    data = PictureData(config, pictures, encoder)
    data.batch = lambda step: (torch.zeros(16, 1, 16, 16), (torch.zeros(16, 6, 7),))
    with pytest.raises(RuntimeError, match="7"):
        list(train(config, data, tmp_path / "run"))


def test_the_command_tells_of_it_in_a_line(shapes_folder, compiled_run, printed, monkeypatch):
    monkeypatch.setattr(torch, "compile", failing)
    said = printed(
        *("train", shapes_folder, "--unconditional", "--network", 1, "--images", 128),
        *("--out", "run"),
    )
    lines = [line for line in said.err.splitlines() if line.startswith("note: ")]
    assert len(lines) == 1
    assert "cannot be compiled here" in lines[0]


@pytest.mark.parametrize("begun_compiled", [True, False])
def test_a_continued_run_stays_compiled_or_not(
    begun_compiled, compiled_run, pictures, encoder, tmp_path, monkeypatch
):
    config, compilations = compiled_run
    data = PictureData(config, pictures, encoder)
    for minutes, stop_at in ((0.0, 2), (1e9, 4)) if begun_compiled else ((1e9, 2), (0.0, 4)):
        thresholds = dict.fromkeys(loop.ASSUMED_RATE, minutes)
        monkeypatch.setattr(loop, "COMPILED_FROM_MINUTES", thresholds)
        for progress in (events := train(config, data, tmp_path)):
            if progress.step == stop_at:
                events.close()
                break
    assert len(compilations) == (2 if begun_compiled else 0)
    newest = max((tmp_path / "checkpoints").iterdir()) / "manifest.json"
    assert json.loads(newest.read_text())["state"]["compiled"] == begun_compiled
    if begun_compiled:
        monkeypatch.setattr(loop, "has_compiler", lambda device: False)
        notes = [progress.note for progress in train(config, data, tmp_path)]
        assert notes[0].startswith("there is no compiler any more")
        assert not any(notes[1:])


@pytest.mark.parametrize(
    ("precision", "budget", "compiled"),
    [
        ("bfloat16", {"budget_minutes": 2.0}, False),
        ("bfloat16", {"budget_minutes": 3.0}, True),
        ("float32", {"budget_minutes": 9.0}, False),
        ("float32", {"budget_minutes": 10.0}, True),
        # 2.56 GFLOP a picture: 51 s and 13 minutes at 0.1 TFLOP/s; 2.6 minutes at 0.5.
        ("float32", {"budget_images": 2_000}, False),
        ("float32", {"budget_images": 30_000}, True),
        ("bfloat16", {"budget_images": 30_000}, False),
        ("bfloat16", {"budget_images": 40_000}, True),
    ],
)
def test_short_budgets_are_not_spent_on_compiling(precision, budget, compiled, monkeypatch):
    monkeypatch.setattr(loop, "has_compiler", lambda device: True)
    monkeypatch.setattr(torch, "compile", lambda network: network.forward)
    config = recipe("glyphs", {"budget_images": None, "budget_minutes": None} | budget)
    training = config.training.model_copy(update={"precision": precision})
    state = loop.prepare(config.model_copy(update={"training": training}))
    assert (state.forward is not state.network) == compiled
