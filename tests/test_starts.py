"""Walks that start elsewhere: inversion, inpainting, image-to-image."""

import math

import pytest
import torch
from PIL import Image

from imagespace.diffusion.exact import ExactMixture, ExactPictures
from imagespace.diffusion.inpainting import Inpainting
from imagespace.diffusion.inversion import InverseDDIM, inversion_times
from imagespace.diffusion.samplers import DDIM, SAMPLERS, walk
from imagespace.diffusion.schedule import SCHEDULES, RectifiedFlow
from imagespace.diffusion.spacing import step_times, times_from
from imagespace.pipeline.start import start_from, start_tensors
from imagespace.randomness import generator


def draw(*shape, name="x"):
    return torch.randn(shape, generator=generator(7, name), dtype=torch.float64)


def blobs(schedule):
    """A mixture of pictures [1, 4, 4], each with some spread."""
    means = draw(5, 1, 4, 4, name="means")
    return ExactMixture(schedule, means, torch.full((5,), 0.3, dtype=torch.float64))


@pytest.mark.parametrize(("fit", "upper", "drawn"), [("pad", 1, 0), ("crop", -1, 1)])
def test_a_start_is_made_square_as_the_training_pictures_were(tmp_path, fit, upper, drawn):
    Image.new("L", (32, 16), 0).save(tmp_path / "wide.png")
    Image.new("L", (32, 16), 255).save(tmp_path / "mask.png")
    start = start_from(tmp_path / "wide.png", mask=tmp_path / "mask.png")
    picture, mask = start_tensors(start, (1, 16, 16), fit)
    assert picture[0, 8].eq(-1).all()
    assert picture[0, 0].eq(upper).all()
    assert mask[0, 8].eq(1).all()
    assert mask[0, 0].eq(drawn).all()  # what pads it is kept


@pytest.mark.parametrize("schedule_name", SCHEDULES)
def test_inversion_then_sampling_returns_the_picture(schedule_name):
    denoiser = blobs(SCHEDULES[schedule_name]())
    pictures = denoiser.sample(6, generator(1, "pictures"))
    eps = draw(*pictures.shape, name="eps")
    times = inversion_times(50, denoiser.schedule)
    entry = torch.tensor(times[-1], dtype=torch.float64)
    x = denoiser.schedule.add_noise(pictures, eps, entry)
    *_, there = walk(denoiser, x, times[::-1], InverseDDIM(1e-7), None)
    *_, back = walk(denoiser, there.x_next, times, DDIM(), None)
    error = (back.x_next - x).square().mean().sqrt()
    # Peak to peak 2 in pixels of [-1, 1]; a bar of 35 dB is left far behind.
    assert 20 * math.log10(2 / float(error)) > 60


def test_one_inverse_step_undoes_one_step():
    schedule = RectifiedFlow()
    denoiser = blobs(schedule)
    y = draw(3, 1, 4, 4)
    t, t_next = torch.tensor(0.52, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
    x, _ = DDIM().step(denoiser, y, t, t_next, 0, None)
    undone, _ = InverseDDIM(1e-9).step(denoiser, x, t_next, t, 0, None)
    explicit, _ = DDIM().step(denoiser, x, t_next, t, 0, None)
    assert float((undone - y).abs().max()) < 1e-7
    assert float((explicit - y).abs().max()) > 1e-4  # what the explicit step leaves


def test_inverted_noise_of_the_distribution_is_noise():
    """The flow carries the clean distribution to N(0, 1): the noise found is Gaussian."""
    schedule = RectifiedFlow()
    means = torch.tensor([[-0.8], [0.5]], dtype=torch.float64)
    denoiser = ExactMixture(schedule, means, torch.tensor([0.2, 0.3], dtype=torch.float64))
    num = 4000
    times = inversion_times(100, schedule)
    x_0 = denoiser.sample(num, generator(3, "x_0"))
    entry = torch.tensor(times[-1], dtype=torch.float64)
    x = schedule.add_noise(x_0, draw(num, 1, name="eps"), entry)
    *_, there = walk(denoiser, x, times[::-1], InverseDDIM(), None)
    ordered = there.x_next[:, 0].sort().values
    normal = torch.special.ndtri((torch.arange(num, dtype=torch.float64) + 0.5) / num)
    assert float((ordered - normal)[40:-40].abs().max()) < 0.15


@pytest.mark.parametrize("name", SAMPLERS)
def test_inpainting_ends_exactly_on_what_is_kept(name):
    schedule = RectifiedFlow()
    pictures = torch.sign(draw(2, 1, 4, 4, name="pictures"))
    # The right half decides which of the two pictures the left half must be.
    mask = torch.zeros(1, 4, 4, dtype=torch.float64)
    mask[:, :, :2] = 1
    denoiser = Inpainting(ExactPictures(schedule, pictures), pictures[1], mask)
    x_1 = draw(8, 1, 4, 4, name="start")

    def noise(index):
        return draw(8, 1, 4, 4, name=f"step {index}")

    *_, last = walk(denoiser, x_1, step_times(40, schedule), SAMPLERS[name](), noise)
    kept = (1 - mask) * (last.x_next - pictures[1])
    assert float(kept.abs().max()) < 1e-6
    # Left alone, half of the walks would end at either picture.
    fits = (last.x_next - pictures[1]).abs().amax(dim=(1, 2, 3)) < 0.01
    assert float(fits.double().mean()) >= 0.75


def test_image_to_image_keeps_more_at_less_strength():
    schedule = RectifiedFlow()
    denoiser = blobs(schedule)
    picture = denoiser.means[2:3]
    eps = draw(64, 1, 4, 4, name="eps")
    kept = []
    for strength in (0.1, 0.5, 0.95):
        times = times_from(step_times(20, schedule), schedule, strength)
        assert times[0] == pytest.approx(strength)
        assert times[-1] == 0
        start = torch.full((64,), strength, dtype=torch.float64)
        x_t = schedule.add_noise(picture.expand(64, 1, 4, 4), eps, start)
        *_, last = walk(denoiser, x_t, times, DDIM(), None)
        ends = denoiser.component(last.x_next, torch.tensor(0.0))
        kept.append(float((ends == 2).double().mean()))
    assert kept[0] == 1
    assert kept[0] >= kept[1] > kept[2]
    assert kept[2] < 0.6
