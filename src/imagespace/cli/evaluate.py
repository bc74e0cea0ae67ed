"""`imagespace evaluate`: how good, how faithful and how new a model's pictures are."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagespace.cli.output import check_out_folder
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
    num: Annotated[
        int, typer.Option(help="Most samples to draw, and real pictures to compare.")
    ] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of prompts, samples and subsets.")] = 0,
    curves: Annotated[
        str,
        typer.Option(help="Also measure along these, as steps,guidance,interval,sampler,training."),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the report; else RUN/evaluation or NAME-evaluation."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Measure anew, in place of any report there.")
    ] = False,
) -> None:
    """Measure quality, prompt following and newness; several models are put side by side."""
    if not FEWEST <= num <= MOST:
        raise UserError(f"--num {num}", f"must be from {FEWEST} to {MOST:,}", "Use about 2000")
    if not 0 <= seed < 2**62:
        raise UserError(f"--seed {seed}", "must be from 0 to 2^62 - 1", "Use such a seed")
    from imagespace.evaluation.curves import CURVES

    asked = [name.strip() for name in curves.split(",") if name.strip()]
    for name in asked:
        if name not in CURVES:
            raise UserError(
                f"--curves {name}", "there is no such curve", f"Use some of {', '.join(CURVES)}"
            )
    folders = _folders(models, out)
    if len(models) > 1:
        check_out_folder(out or Path("comparison"))
    subjects = [_subject(model, data, num, seed) for model in models]
    if len(models) > 1:
        _check_comparable(subjects)
    for folder in folders:
        _check_folder(folder, overwrite)
    earlier = [
        None if overwrite else _measured_before(subject, folder)
        for subject, folder in zip(subjects, folders, strict=True)
    ]

    def command(curves: list[str]) -> str:
        return _command(models, data, num, seed, curves, out)

    reports, images = [], []
    for subject, folder, before in zip(subjects, folders, earlier, strict=True):
        report, sheets = _evaluate(subject, folder, before, data, asked, overwrite, command)
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


def _folders(models: list[str], out: Path | None) -> list[Path]:
    """A folder of its own for each model's report. UserError: a model is named twice."""
    from imagespace.pipeline.loading import model_file, shipped_models

    files = [model_file(model).resolve() for model in models]
    if len(set(files)) < len(files):
        raise UserError(", ".join(models), "names a model twice", "Name each once")
    if out is not None and len(models) == 1:
        return [out]
    shipped = shipped_models()
    places = [Path(m) if m in shipped else Path(m).resolve().with_suffix("") for m in models]
    folders = []
    for model, name in zip(models, _names(places), strict=True):
        if out is not None:
            folders.append(out / name)
        elif model not in shipped and Path(model).is_dir():
            folders.append(Path(model) / "evaluation")
        else:
            folders.append(Path(f"{name}-evaluation"))
    return folders


def _names(places: list[Path]) -> list[str]:
    """The ends of paths, as long as it takes to tell them apart: `run`, or `a-run` and `b-run`."""
    parts = [place.relative_to(place.anchor).parts for place in places]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["-".join(own[-length:]) for own in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{name}-{number}" for number, name in enumerate(names, 1)]


def _check_comparable(subjects: "list[Subject]") -> None:
    """Before the work: says what will not be compared. UserError: nothing could be."""
    from imagespace.evaluation.comparability import check_comparable, pixels_note
    from imagespace.evaluation.report_header import header

    headers = [header(subject) for subject in subjects]
    check_comparable(headers)
    if note := pixels_note(headers):
        print(f"note: {note}")


def _check_folder(folder: Path, overwrite: bool) -> None:
    """Makes it. UserError: it cannot be made, or another's page is where the report would be."""
    check_out_folder(folder)
    page = folder / "report.html"
    if page.exists() and not (overwrite or (folder / "report.json").exists()):
        raise UserError(
            str(page),
            "is there already, without a report.json of ours",
            "Choose another --out, or replace it with --overwrite",
        )
    folder.mkdir(parents=True, exist_ok=True)


def _subject(model: str, data: Path | None, num: int, seed: int) -> "Subject":
    from imagespace.evaluation.subject import Subject, pictures_of
    from imagespace.pipeline import load
    from imagespace.precision import fastest_dtype

    loaded = load(model)
    with progress_bar("reading pictures") as progress:
        pictures = pictures_of(loaded, data, progress)
    return Subject(loaded, pictures, num, seed, fastest_dtype())


def _evaluate(
    subject: "Subject",
    folder: Path,
    before: dict[str, Any] | None,
    data: Path | None,
    asked: list[str],
    overwrite: bool,
    command: Callable[[list[str]], str],
) -> tuple[dict[str, Any], "dict[str, Image.Image]"]:
    """The report of one model: measured now, or read as far as it is there already."""
    from imagespace.evaluation.evaluate import Evaluation
    from imagespace.evaluation.judges import is_complete, judges_at_hand
    from imagespace.evaluation.page import IMAGE_CAPTIONS
    from imagespace.evaluation.provenance import provenance_notes
    from imagespace.evaluation.report import write_report
    from imagespace.evaluation.report_file import REPORT_FILE, section

    sheets = folder / "sheets"
    images = _read_sheets(sheets) if before is not None else {}
    if before is not None:
        at_hand = judges_at_hand(subject, _space_at_hand(subject, before))
        if is_complete(before, at_hand, asked):
            print(f"{folder / REPORT_FILE}: measured before")
            _print_notes(before)
            return before, images
    pictures = subject.pictures
    space, notes = _space(subject)
    notes += pictures.notes + provenance_notes(subject.model, data, pictures)
    with progress_bar("drawing") as progress:
        evaluation = Evaluation(
            subject, space, folder, print, progress, notes=notes, anew=overwrite
        )
        report = evaluation.complete(before, asked) if before else evaluation.run(asked)
    report["command"] = command(list(section(report, "curves")))
    images |= evaluation.images
    sheets.mkdir(exist_ok=True)
    for title in IMAGE_CAPTIONS:
        (sheets / f"{title}.png").unlink(missing_ok=True)
    for title, image in images.items():
        image.save(sheets / f"{title}.png")
    _print_notes(report)
    print(write_report(folder, report, images))
    evaluation.remove_other_samples()
    return report, images


def _print_notes(report: dict[str, Any]) -> None:
    from imagespace.evaluation.report_file import notes_of

    for note in notes_of(report):
        print(f"note: {note}")


def _measured_before(subject: "Subject", folder: Path) -> dict[str, Any] | None:
    """The report that a folder holds of this very subject. UserError: it holds another."""
    from imagespace.evaluation.report_file import REPORT_FILE, read_report
    from imagespace.evaluation.report_header import is_of

    file = folder / REPORT_FILE
    if not file.is_file():
        return None
    report = read_report(file)
    if not is_of(report, subject):
        raise UserError(
            str(file),
            "is the report of other weights, pictures, labels, sampling, seed, number or version",
            "Choose another --out, or add --overwrite",
        )
    return report


def _read_sheets(folder: Path) -> "dict[str, Image.Image]":
    from PIL import Image

    found = {}
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            found[path.stem] = image.copy()
    return found


def _space_at_hand(subject: "Subject", report: dict[str, Any]) -> "ImageTextSpace | None":
    """The image-text space of the pictures; learnt only where a report was measured without any."""
    from imagespace.evaluation.image_text_space import ImageTextSpace
    from imagespace.evaluation.report_file import section
    from imagespace.evaluation.space_training import kept_space
    from imagespace.text.vectors import load_text_encoder

    try:
        kept = kept_space(subject.pictures.key, load_text_encoder())
    except UserError:
        return None  # it is damaged, as a note of the report says
    if kept is None and ImageTextSpace.name not in section(report, "judges"):
        return _space(subject)[0]
    return kept


def _space(subject: "Subject") -> "tuple[ImageTextSpace | None, list[str]]":
    """The image-text space of the pictures: shipped, cached, or learnt now; or why there is none.

    Fewer pictures than it is learnt from have none.
    """
    from imagespace.evaluation.space_training import cut_short_notes, space_of
    from imagespace.text.vectors import load_text_encoder

    with progress_bar("learning an image-text space") as progress:
        try:
            space = space_of(
                subject.pictures,
                load_text_encoder(),
                lambda fraction, loss: progress(round(1000 * fraction), 1000),
            )
        except UserError as error:
            return None, [f"image-text features: {error}"]
    return space, cut_short_notes(space)
