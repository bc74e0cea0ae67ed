"""Latents in recipes and on the command line: their sizes, what is advised and what is refused."""

import numpy as np
import pytest
from command import run
from lossless import lossless_autoencoder
from PIL import Image

from imagespace.checkpoints import save_autoencoder
from imagespace.errors import UserError
from imagespace.networks.autoencoder import Autoencoder, AutoencoderConfig
from imagespace.recipes import (
    PictureOptions,
    in_latents,
    latent_advice,
    picture_config,
    recipe,
    scale_warning,
)


@pytest.fixture
def file(autoencoder, tmp_path):
    path = tmp_path / "ae.safetensors"
    save_autoencoder(path, autoencoder.state_dict(), autoencoder.config)
    return path


def test_impossible_spaces_are_refused_in_one_line(refusal, shapes_folder, file, tmp_path):
    def told(*words):
        return refusal("train", shapes_folder, "--recipe", "pictures", *words)

    assert "no such space" in told("--space", "waves")
    assert "--space latent" in told("--autoencoder", file)
    assert "--recipe autoencoder" in told("--space", "latent")
    assert "neither a shipped autoencoder" in told("--space", "latent", "--autoencoder", "none")
    latent = ("--space", "latent", "--autoencoder")
    colour = lossless_autoencoder(num_channels=3)
    save_autoencoder(tmp_path / "colour.safetensors", colour.state_dict(), colour.config)
    assert "colour pictures, and these are grey" in told(*latent, "colour.safetensors")
    coarse = AutoencoderConfig(downsampling=16, width=4, depth=1)
    weights = Autoencoder(coarse).state_dict()
    save_autoencoder(tmp_path / "coarse.safetensors", weights, coarse)
    assert "does not divide" in told(*latent, "coarse.safetensors", "--size", "24")
    assert "--space" in refusal("train", "spiral", "--space", "latent")


@pytest.mark.parametrize(
    ("size_px", "side", "patch"), [(16, 4, 1), (24, 6, 1), (32, 8, 1), (64, 16, 2), (96, 24, 3)]
)
def test_the_latent_grid_is_cut_evenly(tiny_run, autoencoder, size_px, side, patch):
    def sized(pixels):
        network = tiny_run.model.network.model_copy(
            update={"image_size_px": pixels, "patch_size_px": pixels // 8}
        )
        return tiny_run.model_copy(
            update={"model": tiny_run.model.model_copy(update={"network": network})}
        )

    network = in_latents(sized(size_px), autoencoder.config, "0").model.network
    assert (network.image_size_px, network.patch_size_px) == (side, patch)
    # 11 or 13 places a side could only be one patch, and 9 or 15 nine or twenty-five.
    for uneven, better in ((36, 32), (44, 32), (52, 32), (88, 64)):
        with pytest.raises(UserError, match=f"--size {uneven}: its latents.* Use {better}"):
            in_latents(sized(uneven), autoencoder.config, "0")


def of_size(path, trained_size_px):
    made = lossless_autoencoder()
    seen = {"trained_size_px": trained_size_px}
    save_autoencoder(path, made.state_dict(), made.config.model_copy(update=seen))
    return str(path)


def flat_pictures(folder, size_px):
    for number, name in enumerate(("ink", "paper", "stone")):
        (folder / name).mkdir(parents=True)
        Image.new("L", (size_px, size_px), 80 * number).save(folder / name / "0.png")
    return folder


def test_latents_are_of_the_size_that_the_autoencoder_learnt(tmp_path):
    """If the pictures have it; a size that is asked for stays."""
    small, large = (flat_pictures(tmp_path / str(size_px), size_px) for size_px in (64, 200))

    def size_px(folder, trained_size_px, **asked):
        path = of_size(tmp_path / "ae.safetensors", trained_size_px)
        options = PictureOptions("pictures", space="latent", autoencoder=path, **asked)
        config = picture_config(folder, options, {"budget_images": 10}, 0)
        assert config.model.autoencoder.trained_size_px == trained_size_px
        return config.model.picture_shape[-1]

    assert size_px(large, 32) == 32
    assert size_px(large, 192) == 192
    assert size_px(large, 192, size=64) == 64
    assert size_px(large, None) == 128  # not known: the largest of the usual sizes
    assert size_px(large, 256) == 128  # more than the pictures have
    assert size_px(small, 128) == 64
    assert size_px(large, 72) == 128  # 18 latents a side are not 8 x 8 patches


def test_half_the_size_that_the_autoencoder_learnt_is_warned_of(latent_run):
    def warned(trained_size_px):
        seen = {"trained_size_px": trained_size_px}
        shape = latent_run.model.autoencoder.model_copy(update=seen)
        return scale_warning(latent_run.model.model_copy(update={"autoencoder": shape}))

    assert "trained on pictures of 32 px, and these have 16" in warned(32)
    assert "--recipe autoencoder --size 16" in warned(32)
    assert [warned(size) for size in (31, 16, 8, None)] == [None] * 4


def test_large_pictures_are_told_of_latents(latent_run):
    def advice(size_px, is_new=True):
        run = recipe("pictures", {"budget_images": 1, "budget_minutes": None})
        shape = run.model.network.model_copy(update={"image_size_px": size_px})
        return latent_advice(run.model.model_copy(update={"network": shape}), is_new)

    assert "pictures of 256 px" in advice(256)
    assert "--space latent --autoencoder AE" in advice(512)
    assert [advice(128), advice(256, is_new=False)] == [None, None]
    assert latent_advice(latent_run.model, is_new=True) is None


@pytest.mark.slow
def test_latents_from_the_command_line(shapes_folder, tmp_path):
    file = tmp_path / "ae.safetensors"
    of_size(file, 32)
    command = ("train", shapes_folder, "--recipe", "pictures", "--size", 16, "--space", "latent")
    command += ("--autoencoder", file, "--network", 1, "--images", 256, "--out", "run")
    trained = run(*command, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "16 px, grey, as latents of 16x4x4" in trained.stdout
    (warning,) = (line for line in trained.stdout.splitlines() if "of 32 px" in line)
    assert warning.startswith("warning: the autoencoder was trained on")
    file.unlink()  # the model carries it
    drawn = run(
        "generate",
        "a disc",
        "--model",
        "run",
        "--out",
        "disc.png",
        "--film",
        "disc.webp",
        cwd=tmp_path,
    )
    assert drawn.returncode == 0, drawn.stderr
    again = run("generate", "--from", "disc.png", "--out", "again.png", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    one, other = (np.asarray(Image.open(tmp_path / name)) for name in ("disc.png", "again.png"))
    assert (one == other).all()
    refused = run("likelihood", shapes_folder / "0.png", "--model", "run", cwd=tmp_path)
    assert refused.returncode == 2
    assert "walks among latents" in refused.stderr
    assert refused.stderr.count("\n") == 1
    words = ("field", "a disc", "--model", "run")
    for shown in ("direction", "score"):
        field = run(*words, "--show", shown, "--out", f"{shown}.png", cwd=tmp_path)
        assert field.returncode == 0, field.stderr
    data = ("--data", shapes_folder)
    view = run("view", "hill", "run", "--pictures", *"013", *data, "--grid", 5, cwd=tmp_path)
    assert view.returncode == 0, view.stderr
    assert "density of: latents" in view.stdout
    words = ("map", "run", *data, "--space", "latent", "--walks", 3, "--steps", 4)
    mapped = run(*words, cwd=tmp_path)
    assert mapped.returncode == 0, mapped.stderr
    names = {path.name for path in (tmp_path / "run" / "atlas").iterdir()}
    assert {"map.png", "walks.png", "replay.png", "index.html"} <= names
    refused = run(*words[:4], cwd=tmp_path)
    assert refused.returncode == 2
    assert "made with other --space" in refused.stderr
