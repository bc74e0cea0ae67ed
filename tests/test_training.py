"""Training on real files: it learns, resumes exactly, and stops safely."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import imagespace
from imagespace.checkpoints import ModelConfig, SamplingConfig
from imagespace.errors import UserError
from imagespace.evaluation.curves import replay
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.folder import read_folder
from imagespace.precision import fastest_dtype, matrix_product_rate
from imagespace.text.vectors import load_text_encoder
from imagespace.training import loop
from imagespace.training.captions import build_caption_table
from imagespace.training.config import RunConfig, TrainingConfig
from imagespace.training.loop import TrainingState, train
from imagespace.training.order import evenly
from imagespace.training.picture_data import PictureData


@pytest.fixture(scope="module")
def pictures(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


def metrics(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) | {"elapsed_s": 0} for line in lines]


def test_interrupted_run_continues_exactly(tiny_run, pictures, encoder, tmp_path):
    for _ in train(tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / "whole"):
        pass
    for stop_at in (3, 7):
        for progress in (
            events := train(tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / "parts")
        ):
            if progress.step == stop_at:
                events.close()
                break
    for _ in train(tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / "parts"):
        pass
    assert metrics(tmp_path / "parts") == metrics(tmp_path / "whole")
    whole = load_file(tmp_path / "whole" / "model.safetensors")
    parts = load_file(tmp_path / "parts" / "model.safetensors")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_weights_are_kept_at_every_evaluation(tiny_run, pictures, encoder, tmp_path):
    run = tmp_path / "run"
    seen = [
        progress.num_images
        for progress in train(tiny_run, PictureData(tiny_run, pictures, encoder), run)
        if progress.evaluation
    ]
    kept = list(replay(imagespace.load(run)))
    assert [num_images for num_images, _ in kept] == seen == [0, 80, 160]
    last, final = kept[-1][1].network.state_dict(), imagespace.load(run).network.state_dict()
    for name, weight in final.items():
        torch.testing.assert_close(last[name], weight, rtol=1e-3, atol=1e-6)
    first = kept[0][1].network.state_dict()
    assert not all(torch.equal(first[name], final[name]) for name in final)


@pytest.fixture
def clocked_run(tiny_run, pictures, encoder, monkeypatch):
    """A run of four minutes by a clock of its own: 2 s a step, `evaluation_s` an evaluation."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock.now))

    class Clocked(PictureData):
        evaluation_s = 0.2

        def batch(self, step):
            clock.now += 2.0
            return super().batch(step)

        def evaluate(self, *arguments):
            clock.now += self.evaluation_s
            return {"t=0.5": 1.0}

    budget = {"budget_images": None, "budget_minutes": 4.0, "evaluations": 12}
    config = tiny_run.model_copy(update={"training": tiny_run.training.model_copy(update=budget)})
    return Clocked(config, pictures, encoder)


@pytest.mark.parametrize(("evaluation_s", "expected"), [(0.2, 13), (20.0, 3)])
def test_slow_evaluations_leave_the_clock_to_learning(
    evaluation_s, expected, clocked_run, tmp_path
):
    clocked_run.evaluation_s = evaluation_s
    done = [p.step for p in train(clocked_run.config, clocked_run, tmp_path)]
    judged = [row["step"] for row in metrics(tmp_path) if "t=0.5" in row]
    assert len(judged) == expected
    assert (judged[0], judged[-1]) == (0, done[-1])
    # 240 seconds of steps of 2: a tenth may be lost, and the evaluation that begins within it.
    assert done[-1] >= (240 * 0.9 - evaluation_s) / 2 - 1


def test_interruptions_give_evaluations_no_more_of_the_clock(clocked_run, tmp_path):
    clocked_run.evaluation_s = 20.0
    for _ in range(6):
        events = train(clocked_run.config, clocked_run, tmp_path)
        for number, _ in enumerate(events):
            if number == 15:
                events.close()
                break
    for _ in train(clocked_run.config, clocked_run, tmp_path):
        pass
    assert len([row for row in metrics(tmp_path) if "t=0.5" in row]) == 3


def test_early_weights_are_early_though_evaluations_are_put_off(clocked_run, tmp_path):
    clocked_run.evaluation_s = 30.0
    seen = {}
    for progress in train(clocked_run.config, clocked_run, tmp_path):
        seen.setdefault((tmp_path / "early.safetensors").is_file(), progress.fraction)
    assert 0.15 <= seen[True] < 0.2
    early, model = (imagespace.load(tmp_path / n) for n in ("early.safetensors", "."))
    assert early.sha256 != model.sha256


def test_early_weights_serve_autoguidance(tiny_run, pictures, encoder, tmp_path):
    run = tmp_path / "run"
    for _ in train(tiny_run, PictureData(tiny_run, pictures, encoder), run):
        pass
    model, early = imagespace.load(run), imagespace.load(run / "early.safetensors")
    assert model.sha256 != early.sha256
    drawn = model.generate("a square", num_steps=4, guidance=2.0, weaker=early)
    alone = model.generate("a square", num_steps=4, guidance=1.0)
    assert not np.array_equal(drawn.pixels, alone.pixels)
    again = model.draw(drawn.settings)  # the weaker model is found by what the settings say
    assert np.array_equal(again.pixels, drawn.pixels)


def test_killed_between_checkpoints_repeats_its_steps(tiny_run, pictures, encoder, tmp_path):
    for progress in (
        events := train(tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / "run")
    ):
        if progress.step == 4:
            events.close()
            break
    before = metrics(tmp_path / "run")
    # As after a kill: lines of steps that no checkpoint holds, the last one cut short.
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "loss": 9}\n{"step": 6, "lo')
    for _ in train(tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / "run"):
        pass
    after = metrics(tmp_path / "run")
    assert after[: len(before)] == before
    assert [line["step"] for line in after] == list(range(11))
    assert after[5]["loss"] != 9


def test_it_learns_the_shapes(tiny_run, pictures, encoder, tmp_path):
    training = tiny_run.training.model_copy(update={"budget_images": 6400, "evaluations": 4})
    config = tiny_run.model_copy(update={"training": training})
    for _ in train(config, PictureData(config, pictures, encoder), tmp_path / "run"):
        pass
    lines = metrics(tmp_path / "run")
    assert lines[-1]["t=0.3"] < 0.2 * lines[0]["t=0.3"]
    samples = sorted((tmp_path / "run" / "samples").glob("*.png"))
    assert samples[0].name == "step-00000000.png"
    model = imagespace.load(tmp_path / "run")
    ink = {p: (model.generate(p, 16).pixels < 128).mean() for p in ("a square", "a line")}
    assert ink["a square"] > 1.5 * ink["a line"]


def test_non_finite_loss_keeps_the_last_checkpoint(tiny_run, pictures, encoder, tmp_path):
    for progress in (
        events := train(tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / "run")
    ):
        if progress.step == 4:
            events.close()
            break
    before = sorted((tmp_path / "run" / "checkpoints").iterdir())
    poisoned = load_text_encoder()
    poisoned.vectors = poisoned.vectors * math.nan
    with pytest.raises(UserError, match=r"step 5: is not finite.*weights of step 4 kept"):
        list(train(tiny_run, PictureData(tiny_run, pictures, poisoned), tmp_path / "run"))
    assert sorted((tmp_path / "run" / "checkpoints").iterdir()) == before


class PoisonedAt3(PictureData):
    def batch(self, step):
        x_0, conditions = super().batch(step)
        return (x_0 * math.nan if step == 3 else x_0), conditions


def test_weights_before_a_non_finite_loss_are_saved(tiny_run, pictures, encoder, tmp_path):
    """In the first minutes, before any checkpoint is due; a run without the fault goes on."""
    with pytest.raises(UserError, match=r"step 4: is not finite.*weights of step 3 kept"):
        list(train(tiny_run, PoisonedAt3(tiny_run, pictures, encoder), tmp_path / "run"))
    for out in ("run", "whole"):
        steps = [
            progress.step
            for progress in train(
                tiny_run, PictureData(tiny_run, pictures, encoder), tmp_path / out
            )
        ]
        assert steps == list(range(4 if out == "run" else 0, 11))
    run, whole = (load_file(tmp_path / out / "model.safetensors") for out in ("run", "whole"))
    assert all(torch.equal(run[name], whole[name]) for name in whole)


@pytest.mark.parametrize(
    ("stop_at", "told"),
    [(2, "with the last good checkpoint kept"), (0, "before there was a checkpoint to keep")],
)
def test_weights_that_are_not_finite_are_not_saved(
    stop_at, told, tiny_run, pictures, encoder, tmp_path, monkeypatch
):
    run, data = tmp_path / "run", PictureData(tiny_run, pictures, encoder)
    if stop_at:
        for progress in (events := train(tiny_run, data, run)):
            if progress.step == stop_at:
                events.close()
                break

    def overflowing(self, *batch):
        next(self.network.parameters()).data.fill_(math.inf)
        return math.nan

    monkeypatch.setattr(TrainingState, "update", overflowing)
    with pytest.raises(UserError, match=told):
        list(train(tiny_run, data, run))
    kept = [path.name for path in (run / "checkpoints").iterdir()]
    assert kept == (["step-00000002"] if stop_at else [])


def test_every_picture_is_seen_once_an_epoch(tiny_run, pictures, encoder):
    batches = PictureData(tiny_run, pictures, encoder)
    size, num_train = tiny_run.training.batch_size, len(batches.rows)
    positions = range(2 * num_train)
    seen = [batches.order.row(position) for position in positions]
    assert sorted(seen[:num_train]) == sorted(batches.rows.tolist())
    assert sorted(seen[num_train:]) == sorted(batches.rows.tolist())
    assert seen[:num_train] != seen[num_train:]
    again = batches.batch(1)
    torch.testing.assert_close(again[0], batches.batch(1)[0])
    expected = torch.from_numpy(np.array(pictures.pixels[seen[size]])).permute(2, 0, 1) / 127.5 - 1
    torch.testing.assert_close(again[0][0], expected)


def test_a_part_of_the_rows_spans_them_all():
    rows = np.arange(100, 1100)
    assert evenly(rows, 5).tolist() == [100, 350, 600, 849, 1099]
    assert np.array_equal(evenly(rows, 5000), rows)
    assert evenly(rows, 1).tolist() == [100]


def test_captions_are_chosen_at_the_stated_rates(pictures, encoder):
    table = build_caption_table(pictures, encoder, 6)
    config = TrainingConfig(
        budget_images=1, caption_dropout=0.1, alternative_caption=0.25, single_sense=0.5
    )
    rows = torch.zeros(40_000, dtype=torch.long)  # picture 0: "a square; shape", also "drawing"
    chosen = table.choose(rows, config, torch.Generator().manual_seed(0))
    texts = ["", "a square; shape", "a square", "shape", "drawing"]
    expected = [0.1, 0.9 * 0.75 * 0.5, 0.9 * 0.75 * 0.25, 0.9 * 0.75 * 0.25, 0.9 * 0.25]
    ids = encoder.encode(texts, 6).token_ids
    rates = [(chosen == row).all(dim=1).float().mean().item() for row in ids]
    assert rates == pytest.approx(expected, abs=0.01)


def test_probe_chooses_the_faster_arithmetic():
    half, full = (matrix_product_rate(d) for d in (torch.bfloat16, torch.float32))
    if half > 2 * full or full > 2 * half:  # elsewhere either answer is right
        assert fastest_dtype() == (torch.bfloat16 if half > full else torch.float32)


def test_every_weight_has_one_optimiser(tiny_run):
    state = TrainingState(tiny_run, torch.float32, compiled=False)
    owned = [id(p) for o in state.optimizers for g in o.param_groups for p in g["params"]]
    assert sorted(owned) == sorted(id(p) for p in state.network.parameters())
    matrices = state.optimizers[0].param_groups[0]["params"]
    assert len(matrices) == 4 * tiny_run.model.network.depth


def test_colour_pictures_without_captions_are_learnt(tmp_path):
    """Plain red and plain green squares: what is drawn is one of the two, and never blue."""
    red, green = torch.tensor([0.9, -0.9, -0.9]), torch.tensor([-0.9, 0.9, -0.9])
    folder = tmp_path / "squares"
    folder.mkdir()
    for number, colour in enumerate([red, green] * 20):
        pixel = tuple(((colour + 1) * 127.5).round().int().tolist())
        Image.new("RGB", (8, 8), pixel).save(folder / f"{number}.png")
    pictures = read_folder(folder, 8, 3)
    network = TransformerConfig(
        image_size_px=8,
        patch_size_px=4,
        num_channels=3,
        width=64,
        depth=2,
        num_heads=2,
        max_text_tokens=0,
    )
    model = ModelConfig(
        network=network, sampling=SamplingConfig(sampler="ddpm", num_steps=20, guidance=1.0)
    )
    training = TrainingConfig(
        budget_images=24_000, batch_size=64, warmup_steps=20, evaluations=1, compile=False
    )
    config = RunConfig(recipe="colour", model=model, training=training)
    for _ in train(config, PictureData(config, pictures, None), tmp_path / "run"):
        pass
    drawn = imagespace.load(tmp_path / "run").generate(num=40)
    means = drawn.pixels.mean(axis=(1, 2)) / 127.5 - 1
    distance = np.stack([np.abs(means - colour.numpy()).max(axis=1) for colour in (red, green)])
    assert distance.min(axis=0).max() < 0.4
    assert set(distance.argmin(axis=0)) == {0, 1}
    assert drawn[0].mode == "RGB"
    assert next((tmp_path / "run" / "samples").glob("*.png")).stat().st_size > 100
