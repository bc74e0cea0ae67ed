"""`imagespace train`: from a folder of pictures to a run folder with a model."""

import dataclasses
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagespace.cli.progress import progress_bar
from imagespace.cli.training_run import train_under_a_bar, try_three_steps
from imagespace.errors import UserError

if TYPE_CHECKING:
    import torch

    from imagespace.checkup.finding import Finding
    from imagespace.pictures.folder import PictureSet
    from imagespace.recipes import Budget, PictureOptions
    from imagespace.recipes.autoencoder import AutoencoderOptions
    from imagespace.training.config import RunConfig
    from imagespace.training.data import TrainingData


def train(
    data: Annotated[
        str,
        typer.Argument(help="Folder of pictures; or points: a set, a .csv, a drawing."),
    ],
    recipe: Annotated[
        str | None,
        typer.Option(help="glyphs, emoji, pictures, points or autoencoder; else by the data."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Run folder, created or continued.")] = Path("run"),
    minutes: Annotated[float | None, typer.Option(help="Budget in minutes.")] = None,
    images: Annotated[int | None, typer.Option(help="Budget in pictures, or points, seen.")] = None,
    size: Annotated[
        int | None, typer.Option(help="Side in pixels; else what the pictures have.")
    ] = None,
    fit: Annotated[
        str | None, typer.Option(help="How pictures become square: pad (usual), crop, stretch.")
    ] = None,
    unconditional: Annotated[
        bool, typer.Option("--unconditional", help="Train without captions.")
    ] = False,
    flip: Annotated[
        bool, typer.Option("--flip", help="Show half of the pictures mirrored.")
    ] = False,
    jitter: Annotated[
        bool, typer.Option("--jitter", help="Vary the brightness and saturation of half of them.")
    ] = False,
    network: Annotated[
        int | None,
        typer.Option(
            help="Size of the network; 6 is 384 wide and 3 deep, 7 million parameters. Else the "
            "recipe's, or one that learns in the minutes here."
        ),
    ] = None,
    depth: Annotated[
        int | None, typer.Option(help="Number of blocks; else by --network, or --from.")
    ] = None,
    initial: Annotated[
        str | None,
        typer.Option("--from", help="Go on from a trained model: a name, a run folder or a file."),
    ] = None,
    space: Annotated[
        str, typer.Option(help="What is denoised: pixel, or latent (of an autoencoder).")
    ] = "pixel",
    autoencoder: Annotated[
        str | None,
        typer.Option(help="Of --space latent: a shipped one, a run folder or a file."),
    ] = None,
    downsampling: Annotated[
        int | None,
        typer.Option(
            help="Of --recipe autoencoder: pixels a side of a latent; 4, 8 (usual) or 16."
        ),
    ] = None,
    latent_channels: Annotated[
        int | None,
        typer.Option(
            help="Of --recipe autoencoder: values a latent; else 4 for grey, 8 in colour."
        ),
    ] = None,
    kl: Annotated[
        float | None,
        typer.Option(help="Of --recipe autoencoder: weight of the divergence from N(0, 1)."),
    ] = None,
    adversarial: Annotated[
        float | None,
        typer.Option(
            help="Of --recipe autoencoder: a discriminator's pull, as a multiple of the rest's."
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="Where the network computes: cpu, or cuda for a graphics card.")
    ] = "cpu",
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would happen, from three real steps.")
    ] = False,
) -> None:
    """Train a model; the same command continues an interrupted run."""
    if minutes is not None and images is not None:
        raise UserError("--minutes and --images", "a run has one budget", "Give one of them")
    if minutes is not None and not 0 < minutes < math.inf:
        raise UserError(f"--minutes {minutes:g}", "must be positive and finite", "Use about 30")
    if images is not None and images < 1:
        raise UserError(f"--images {images}", "must be positive", "Use about 300000")
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}", "must be from 0 to 2^63 - 1", "Use such a seed")
    from imagespace.device import device_named, unused_card
    from imagespace.pipeline import load
    from imagespace.points import DRAWING_SUFFIXES, POINT_SETS
    from imagespace.recipes import PictureOptions, for_points, picture_config
    from imagespace.recipes import recipe as named_recipe

    begun_from = None if initial is None else load(initial)
    asked = PictureOptions(
        recipe,
        size,
        fit,
        unconditional,
        flip,
        jitter,
        network,
        space,
        autoencoder,
        begun_from,
        depth,
    )
    computes_on = device_named(device)
    if idle := unused_card(computes_on):
        print(f"note: {idle}")
    budget: Budget = {"budget_images": images, "budget_minutes": minutes}
    if recipe == "autoencoder":
        if given := _changed(asked, PictureOptions(recipe, size, fit)):
            raise UserError(given, "is not for an autoencoder", "Leave it out")
        from imagespace.recipes.autoencoder import AutoencoderOptions

        shape = AutoencoderOptions(
            8 if downsampling is None else downsampling,
            latent_channels,
            kl or 0.0,
            adversarial or 0.0,
            size,
            fit or "pad",
        )
        _train_autoencoder(Path(data), shape, budget, seed, out, computes_on, dry_run)
        return
    shapes = {
        "--downsampling": downsampling,
        "--latent-channels": latent_channels,
        "--kl": kl,
        "--adversarial": adversarial,
    }
    if given := ", ".join(option for option, value in shapes.items() if value is not None):
        raise UserError(given, "is for an autoencoder", "Use --recipe autoencoder")
    training_data: TrainingData
    if recipe is None and data in POINT_SETS and not Path(data).exists():
        recipe = "points"
    if recipe is None and Path(data).is_file():
        if Path(data).suffix.lower() == ".csv":
            recipe = "points"
        elif Path(data).suffix.lower() in DRAWING_SUFFIXES:
            raise UserError(
                data, "is one picture", "Name a folder, or learn its dark places: --recipe points"
            )
    if recipe == "points":
        if given := _changed(asked, PictureOptions(asked.recipe)):
            raise UserError(given, "is for pictures, not points", "Leave it out")
        from imagespace.points import load_points
        from imagespace.training.point_data import PointData

        points = load_points(data)
        config = for_points(named_recipe(recipe, budget, seed), points.shape[1])
        training_data = PointData(config, points)
    else:
        if data in POINT_SETS and not Path(data).exists():
            raise UserError(data, "is a set of points, not pictures", "Use --recipe points")
        config = picture_config(Path(data), asked, budget, seed)
        said = None
        if initial is None and computes_on.type == "cpu":
            config, said = _for_the_minutes(config, asked, out)
        training_data = _picture_data(config, Path(data), asked)
        if said is not None:
            print(f"{'note' if said.severity == 'remark' else said.severity}: {said.line}")
    if dry_run:
        try_three_steps(config, training_data, computes_on)
        return
    train_under_a_bar(config, training_data, out, computes_on)
    print(out / config.weights_file)
    prompts = config.training.sample_prompts
    prompt = f" {shlex.quote(prompts[0])}" if prompts else ""
    print(f"next: imagespace generate{prompt} --model {shlex.quote(str(out))}")


def _for_the_minutes(
    config: "RunConfig", asked: "PictureOptions", out: Path
) -> "tuple[RunConfig, Finding | None]":
    """The run with a network that fits its minutes, unless one was asked for; what to say of it.

    A run that is continued keeps its own: timed again, the machine might call for another.
    """
    from imagespace.checkup.recommendation import budget_finding, within_budget
    from imagespace.networks.transformer import TransformerConfig
    from imagespace.recipes import as_begun
    from imagespace.training.run_folder import begun_run

    if asked.network is not None or asked.depth is not None:
        return config, budget_finding(config)
    begun = begun_run(out)
    if begun is None or not isinstance(begun.model.network, TransformerConfig):
        return within_budget(config)
    return as_begun(config, begun), None


def _train_autoencoder(
    folder: Path,
    asked: "AutoencoderOptions",
    budget: "Budget",
    seed: int,
    out: Path,
    device: "torch.device",
    dry_run: bool,
) -> None:
    from imagespace.recipes.autoencoder import autoencoder_config
    from imagespace.training.autoencoder_data import AutoencoderData

    config = autoencoder_config(folder, asked, budget, seed)
    shape, size_px = config.autoencoder, config.image_size_px
    pictures = _read(folder, size_px, shape.num_channels, config.fit)
    colour = "colour" if shape.num_channels == 3 else "grey"
    latent = " x ".join(map(str, shape.latent_shape(size_px)))
    print(f"recipe autoencoder: {size_px} px, {colour}, to latents {latent}")
    print(f"{len(pictures):,} pictures, {len(pictures.indices('train')):,} in training")
    data = AutoencoderData(config, pictures)
    if dry_run:
        try_three_steps(config, data, device)
        return
    train_under_a_bar(config, data, out, device)
    print(out / config.weights_file)


def _read(folder: Path, size_px: int, num_channels: int, fit: str) -> "PictureSet":
    """The folder's pictures, with what it was taken for."""
    from imagespace.pictures.folder import read_folder

    with progress_bar("reading pictures") as report:
        pictures = read_folder(folder, size_px, num_channels, report, fit)
    print(pictures.recognised)
    for note in pictures.notes:
        print(f"note: {note}")
    return pictures


def _changed(asked: "PictureOptions", usual: "PictureOptions") -> str:
    """The options in which one differs from the other, as "--flip, --network"."""
    names = [field.name for field in dataclasses.fields(asked)]
    return ", ".join(
        f"--{'from' if name == 'initial' else name}"
        for name in names
        if getattr(asked, name) != getattr(usual, name)
    )


def _picture_data(config: "RunConfig", folder: Path, asked: "PictureOptions") -> "TrainingData":
    """The folder's pictures and captions, with remarks on what will not be read."""
    from imagespace.checkup.checkup import quick_findings
    from imagespace.networks.transformer import TransformerConfig
    from imagespace.recipes import autoencoder_for, latent_advice, scale_warning
    from imagespace.text.vectors import load_text_encoder
    from imagespace.training.latent_data import LatentData
    from imagespace.training.picture_data import PictureData

    network = config.model.network
    assert isinstance(network, TransformerConfig)
    num_channels, size_px, _ = config.model.picture_shape
    pictures = _read(folder, size_px, num_channels, config.model.fit)
    encoder = load_text_encoder() if network.max_text_tokens else None
    for finding in quick_findings(pictures, encoder, network.max_text_tokens):
        if finding.severity != "remark":
            print(f"{finding.severity}: {finding.line}")
    colour = "colour" if num_channels == 3 else "grey"
    prompts = "" if encoder is not None else ", without prompts"
    latents = ""
    if config.model.autoencoder is not None:
        latents = f", as latents of {'x'.join(map(str, network.sample_shape))}"
    print(f"recipe {config.recipe}: {size_px} px, {colour}{latents}{prompts}")
    if warning := scale_warning(config.model):
        print(f"warning: {warning}")
    if advice := latent_advice(config.model, is_new=asked.initial is None):
        print(f"note: {advice}")
    print(f"{len(pictures):,} pictures, {len(pictures.indices('train')):,} in training")
    model = asked.initial
    if config.model.autoencoder is None:
        return PictureData(config, pictures, encoder, model)
    autoencoder = None if model is None else model.autoencoder
    if autoencoder is None:
        autoencoder, _ = autoencoder_for(config.recipe, asked.autoencoder)
    beside = folder if folder.is_dir() else folder.parent
    with progress_bar("encoding pictures") as report:
        return LatentData(config, pictures, encoder, autoencoder, beside, report, model)
