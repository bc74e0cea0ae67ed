"""A caption's sketch is the mean picture under it, and stays while the network learns."""

import numpy as np
import pytest
import torch

import imagespace
from imagespace.networks.autoencoder import AutoencoderConfig
from imagespace.networks.sketch import Sketch, patches_of, pooled_text
from imagespace.networks.transformer import PatchTransformer, TransformerConfig
from imagespace.pictures.folder import read_folder
from imagespace.recipes import in_latents, network_sized, recipe
from imagespace.training.config import RunConfig, TrainingConfig
from imagespace.training.loop import TrainingState, train
from imagespace.training.picture_data import PictureData
from imagespace.training.sketch_fit import fit_sketch


@pytest.fixture(scope="module")
def shapes(shapes_folder):
    return read_folder(shapes_folder, 16, 1)


@pytest.fixture
def sketched_run(tiny_run) -> RunConfig:
    network = tiny_run.model.network.model_copy(update={"sketch_side_px": 8, "sketch_width": 32})
    model = tiny_run.model.model_copy(update={"network": network})
    return tiny_run.model_copy(update={"model": model})


def test_padding_counts_for_nothing():
    text = torch.randn(2, 5, 8)
    text[0, 3:] = 0
    text[1] = 0
    pooled = pooled_text(text)
    torch.testing.assert_close(pooled[0], text[0, :3].sum(0) / 3**0.5)
    assert torch.equal(pooled[1], torch.zeros(8))


def test_patches_are_cut_row_by_row():
    pictures = torch.arange(2 * 3 * 6 * 6.0).view(2, 3, 6, 6)
    patches = patches_of(pictures, 2)
    assert torch.equal(patches[1, 1], pictures[1, :, :3, 3:].flatten())
    assert torch.equal(patches[0, 2], pictures[0, :, 3:, :3].flatten())


def test_a_sketch_is_the_mean_of_the_pictures_under_its_caption():
    """Two captions with two pictures each, and no caption: least squares has one answer."""
    random = torch.Generator().manual_seed(0)
    pictures = torch.rand(4, 3, 8, 8, generator=random) * 2 - 1
    words = torch.zeros(3, 2, 16)
    words[:2, 0] = torch.randn(2, 16, generator=random)
    told = []

    def batch(rows: np.ndarray, drawn: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        captions = torch.from_numpy(rows) // 2
        captions[torch.rand(len(rows), generator=drawn) < 0.2] = 2
        told.append(len(rows))
        return pictures[torch.from_numpy(rows)], words[captions]

    torch.manual_seed(0)
    sketch = Sketch(16, 64, 3, 2)
    rows = np.repeat(np.arange(4), 256)  # as long a fit as 1,024 pictures take
    fit_sketch(sketch, rows, batch, TrainingConfig(budget_images=10**6))
    small = torch.nn.functional.avg_pool2d(pictures, 4)
    means = torch.stack([small[:2].mean(0), small[2:].mean(0), small.mean(0)])
    with torch.no_grad():
        found = sketch(pooled_text(words))
    # A batch of 256 strays from the mean of two pictures by a sixteenth of half their difference.
    torch.testing.assert_close(found, means, rtol=0, atol=0.06)
    assert len(told) == 600
    assert not any(weight.requires_grad for weight in sketch.parameters())


def test_dropout_leaves_the_mean_of_the_last_layer_and_nothing_out_of_a_fitted_sketch():
    torch.manual_seed(0)
    sketch, text = Sketch(16, 64, 3, 2), torch.randn(1, 16)
    with torch.no_grad():
        assert torch.equal(sketch(text), sketch(text))
        torch.nn.init.zeros_(sketch.hidden.weight)  # so that only the second dropout acts
        torch.nn.init.ones_(sketch.hidden.bias)
        kept = sketch(text.expand(20_000, -1), 0.5)
        torch.testing.assert_close(kept.mean(dim=0), sketch(text)[0], atol=0.02, rtol=0)
        assert kept.std(dim=0).min() > 0.1


def test_a_fit_repeats_itself_and_leaves_the_global_generator_alone():
    def batch(rows: np.ndarray, drawn: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.rand(len(rows), 1, 4, 4, generator=drawn), torch.ones(len(rows), 1, 8)

    fitted = []
    for seed in (1, 2):
        torch.manual_seed(0)
        sketch = Sketch(8, 16, 1, 2)
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        fit_sketch(sketch, np.arange(9), batch, TrainingConfig(budget_images=1000))
        assert torch.equal(torch.random.get_rng_state(), before)
        fitted.append(sketch.picture.weight)
    assert torch.equal(*fitted)


def test_a_small_budget_has_a_short_fit():
    told = []

    def batch(rows: np.ndarray, drawn: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        told.append(len(rows))
        return torch.zeros(len(rows), 1, 4, 4), torch.ones(len(rows), 1, 8)

    rows = np.arange(100_000)
    fit_sketch(Sketch(8, 4, 1, 2), rows, batch, TrainingConfig(budget_images=1000))
    assert sum(told) == 1024


def test_the_network_reads_the_sketch_and_leaves_it_alone(sketched_run, shapes, encoder):
    state = TrainingState(sketched_run, torch.float32, compiled=False)
    data = PictureData(sketched_run, shapes, encoder)
    data.fit_first(state.network)
    before = {name: value.clone() for name, value in state.network.state_dict().items()}
    for step in range(2):
        state.update(*data.batch(step), 1.0)
    after = state.network.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert "sketch_in.weight" in moved
    assert not any(name.startswith("sketch.") for name in moved)
    x_0, conditions = data.batch(0)
    t = torch.full((len(x_0),), 0.5)
    with torch.no_grad():
        drawn = state.network(x_0, t, *conditions)
        state.network.sketch.picture.bias += 1
        assert not torch.allclose(state.network(x_0, t, *conditions), drawn)


def test_a_run_with_sketches_is_kept_and_continued(sketched_run, shapes, encoder, tmp_path):
    """The file holds the fitted sketch, and a second process does not fit another."""
    for _ in train(sketched_run, PictureData(sketched_run, shapes, encoder), tmp_path / "whole"):
        pass
    for progress in (
        events := train(sketched_run, PictureData(sketched_run, shapes, encoder), tmp_path / "cut")
    ):
        if progress.step == 4:
            events.close()
            break
    for _ in train(sketched_run, PictureData(sketched_run, shapes, encoder), tmp_path / "cut"):
        pass
    whole, cut = (
        imagespace.load(tmp_path / name).network.state_dict() for name in ("whole", "cut")
    )
    assert any(name.startswith("sketch.") for name in whole)
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_sketch_must_fit_the_patches():
    for changes in ({"sketch_side_px": 12}, {"sketch_side_px": 48}):
        with pytest.raises(ValueError, match="multiple of 8 patches"):
            TransformerConfig(image_size_px=64, patch_size_px=8, **changes)
    with pytest.raises(ValueError, match="no text is read"):
        TransformerConfig(image_size_px=64, patch_size_px=8, sketch_side_px=16, max_text_tokens=0)


def test_sketches_fit_every_size_of_the_network_and_of_latents():
    config = recipe("emoji", {"budget_images": 1, "budget_minutes": None})
    emoji_latents = AutoencoderConfig(num_channels=3, latent_channels=8)
    runs = {
        "256 wide": (network_sized(config, 4), 32),
        "384 wide": (network_sized(config, 6), 32),
        "8 x 8 latents, one a patch": (in_latents(config, emoji_latents, ""), 8),
    }
    for name, (run, side) in runs.items():
        RunConfig.model_validate_json(run.model_dump_json())
        network = run.model.network
        assert isinstance(network, TransformerConfig), name
        assert network.sketch_side_px == side, name
        assert PatchTransformer(network).sketch.shape == (network.num_channels, side, side)
