"""`imagespace lab`: test what people say about diffusion."""

import time
from pathlib import Path
from typing import Annotated

import typer

from imagespace.cli.extras import check_extra
from imagespace.cli.output import check_out_folder
from imagespace.errors import UserError

app = typer.Typer(
    help="Test what people say about diffusion: a number, a verdict and a figure for each claim.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_experiments() -> None:
    """List the experiments and the claims that they test."""
    from imagespace.lab.experiments import EXPERIMENTS

    for experiment in EXPERIMENTS:
        print(f"{experiment.name:16} {experiment.claim}")


@app.command("run")
def run(
    name: Annotated[str, typer.Argument(help="An experiment of `lab list`, or all.")],
    model: Annotated[str, typer.Option(help="A model's name, run folder or file.")] = "glyphs",
    data: Annotated[
        Path | None,
        typer.Option(help="The model's pictures; the glyphs are rendered if it is left out."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for figures and records.")] = Path("lab"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Smaller samples: all in ten minutes.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of every random draw.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what other settings found.")
    ] = False,
) -> None:
    """Run an experiment: writes NAME.png, NAME.json and a page, and prints what it found."""
    from imagespace.lab.experiments import EXPERIMENTS, experiment_named

    chosen = list(EXPERIMENTS) if name == "all" else [experiment_named(name)]
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}", "must be from 0 to 2^63 - 1", "Use such a seed")
    check_out_folder(out)
    check_extra("lab", "lab", "matplotlib")
    from imagespace.lab.laboratory import Laboratory
    from imagespace.lab.report import (
        PAGE_FILE,
        findings_page,
        headline,
        stored_records,
        write_finding,
    )

    laboratory = Laboratory(model, data, quick, seed)
    if not overwrite:
        stored_records(out, laboratory)  # what is there must be this laboratory's own
    out.mkdir(parents=True, exist_ok=True)
    for experiment in chosen:
        started = time.perf_counter()
        finding = experiment.run(laboratory)
        seconds = time.perf_counter() - started
        record = write_finding(out, experiment, finding, laboratory, seconds)
        print(f"{experiment.name}: {experiment.claim}")
        print(f"  {record['verdict']}. {record['quantity']}: {headline(record)}")
        print(f"  {record['summary']}")
        print(f"  {out / experiment.name}.png  ({seconds:.0f} s)", flush=True)
    page = out / PAGE_FILE
    records = stored_records(out, laboratory, skip_others=overwrite)
    page.write_text(findings_page(records, "."), encoding="utf-8")
    print(page)
