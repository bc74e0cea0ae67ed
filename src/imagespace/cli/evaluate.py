"""`imagespace evaluate`: how good, how faithful and how new a model's pictures are."""

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagespace.cli.progress import progress_bar
from imagespace.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

    from imagespace.evaluation.image_text_space import ImageTextSpace
    from imagespace.evaluation.subject import Subject

FEWEST, MOST = 16, 50_000


def evaluate(
    models: Annotated[
        list[str], typer.Argument(help="Shipped names, run folders or weights files.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="The pictures that it was trained on; glyphs are made if left out."),
    ] = None,
    num: Annotated[int, typer.Option(help="Samples to draw, and real pictures to compare.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of prompts, samples and subsets.")] = 0,
    curves: Annotated[
        str,
        typer.Option(help="Also measure along these, as steps,guidance,sampler,training."),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the report; else RUN/evaluation or NAME-evaluation."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another report.")] = False,
) -> None:
    """Measure quality, prompt following and newness; several models are put side by side."""
    if not FEWEST <= num <= MOST:
        raise UserError(f"--num {num}", f"must be from {FEWEST} to {MOST:,}", "Use about 2000")
    if not 0 <= seed < 2**62:
        raise UserError(f"--seed {seed}", "must be from 0 to 2^62 - 1", "Use such a seed")
    if len(set(models)) < len(models):
        raise UserError(", ".join(models), "names a model twice", "Name each once")
    from imagespace.evaluation.curves import CURVES

    asked = [name.strip() for name in curves.split(",") if name.strip()]
    for name in asked:
        if name not in CURVES:
            raise UserError(
                f"--curves {name}", "there is no such curve", f"Use some of {', '.join(CURVES)}"
            )
    folders = [_folder(model, out, len(models) > 1) for model in models]
    for folder in folders:
        _check_folder(folder)
    command = _command(models, data, num, seed, asked, out)
    reports, images = [], []
    for model, folder in zip(models, folders, strict=True):
        report, sheets = _evaluate(model, folder, data, num, seed, asked, overwrite, command)
        reports.append(report)
        images.append(sheets)
    if len(models) > 1:
        from imagespace.evaluation.comparison import compare, comparison_text
        from imagespace.evaluation.comparison_page import write_comparison

        print(comparison_text(compare(reports)))
        print(write_comparison(out or Path("comparison"), reports, images))


def _command(
    models: list[str], data: Path | None, num: int, seed: int, curves: list[str], out: Path | None
) -> str:
    """The command that repeats this one, whatever its defaults become."""
    words = ["imagespace", "evaluate", *models, "--num", str(num), "--seed", str(seed)]
    options = (("--data", data), ("--curves", ",".join(curves)), ("--out", out))
    return shlex.join(
        [*words, *(w for name, value in options if value for w in (name, str(value)))]
    )


def _folder(model: str, out: Path | None, is_one_of_several: bool) -> Path:
    name = Path(model).name or "model"
    if out is not None:
        return out / name if is_one_of_several else out
    if Path(model).is_dir():
        return Path(model) / "evaluation"
    return Path(f"{Path(model).stem}-evaluation")


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(str(folder), "is not a folder", "Choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            str(folder), f"cannot be made ({error.strerror})", "Choose another --out"
        ) from None
    if not os.access(folder, os.W_OK):
        raise UserError(str(folder), "cannot be written", "Choose another --out")


def _evaluate(
    name: str,
    folder: Path,
    data: Path | None,
    num: int,
    seed: int,
    curves: list[str],
    overwrite: bool,
    command: str,
) -> tuple[dict[str, Any], "dict[str, Image.Image]"]:
    """The report of one model: measured now, or read if it is there already."""
    from PIL import Image

    from imagespace.evaluation.evaluate import Evaluation
    from imagespace.evaluation.report import write_report
    from imagespace.evaluation.report_file import REPORT_FILE, read_report, section
    from imagespace.evaluation.subject import Subject, pictures_of
    from imagespace.pipeline import load
    from imagespace.precision import fastest_dtype

    model = load(name)
    with progress_bar("reading pictures") as progress:
        pictures = pictures_of(model, data, progress)
    sheets = folder / "sheets"
    before = folder / REPORT_FILE
    if before.is_file():
        report = read_report(before)
        same = (
            section(report, "model").get("sha256") == model.sha256
            and section(report, "data").get("key") == pictures.key
            and (report.get("num_samples"), report.get("seed")) == (num, seed)
        )
        if same and set(curves) <= set(section(report, "curves")):
            print(f"{before}: measured before")
            stored: dict[str, Image.Image] = {
                path.stem: Image.open(path) for path in sorted(sheets.glob("*.png"))
            }
            return report, stored
        if not same and not overwrite:
            raise UserError(
                str(before),
                "is the report of other weights, pictures, seed or number",
                "Choose another --out, or add --overwrite",
            )
    subject = Subject(model, pictures, num, seed, fastest_dtype())
    space = _space(subject)
    with progress_bar("drawing") as progress:
        evaluation = Evaluation(subject, space, folder, print, progress)
        report = evaluation.run(curves) | {"command": command}
    shutil.rmtree(sheets, ignore_errors=True)
    sheets.mkdir()
    for title, image in evaluation.images.items():
        image.save(sheets / f"{title}.png")
    for note in report["notes"]:
        print(f"note: {note}")
    print(write_report(folder, report, evaluation.images))
    return report, evaluation.images


def _space(subject: "Subject") -> "ImageTextSpace":
    """The image-text space of the pictures: shipped, cached, or learnt now."""
    from imagespace.evaluation.space_training import space_of
    from imagespace.text.vectors import load_text_encoder

    with progress_bar("learning an image-text space") as progress:
        return space_of(
            subject.pictures,
            load_text_encoder(),
            lambda fraction, loss: progress(round(1000 * fraction), 1000),
        )
