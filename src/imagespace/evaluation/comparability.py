"""Whether reports can be compared, and what of them cannot: other pixels, judges or units."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagespace.errors import UserError
from imagespace.evaluation.metrics import REFERENCES, PathInReport, curves_of, leaves
from imagespace.evaluation.report_file import model_name, section

OF_PIXELS = ("quality", "newness")  # what depends on the size and the channels of the pictures
CHANNELS = {"1": "grey", "3": "colour"}
Reports = Sequence[Mapping[str, Any]]


def check_comparable(reports: Reports) -> None:
    """Whether reports, or their headers alone, are of the same pictures.

    At several sizes, in grey and in colour, and fitted otherwise they are the same all the same:
    `pixels_note` says what cannot be compared of those. UserError: fewer than two reports, other
    pictures, or other unseen ones among them.
    """
    if len(reports) < 2:
        raise UserError(f"{len(reports)} report", "a comparison needs two", "Name another model")
    data = [section(report, "data") for report in reports]
    for number, report in enumerate(reports[1:], 1):
        one, other = model_labels([reports[0], report])
        value = f"report 1 ({one}) and report {number + 1} ({other})"
        if not _show_the_same(data[0], data[number]):
            raise UserError(
                value,
                f"were measured on different pictures: data key {data[0].get('key')} and "
                f"{data[number].get('key')}",
                "Evaluate them on the same --data with the same --num",
            )
        if report.get("num_real") != reports[0].get("num_real"):
            seen = f"numbers of unseen pictures: {reports[0].get('num_real')} and "
            seen += f"{report.get('num_real')}"
        elif data[number].get("unseen") != data[0].get("unseen"):
            seen = "unseen pictures"
        else:
            continue
        raise UserError(
            value,
            f"are judged by different {seen}; a model of prompts leaves out those without a "
            "caption that it can read",
            "Give every unseen picture a caption, or evaluate each alone with the same --num",
        )


def _show_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if one.get("key") == other.get("key"):
        return True
    listing = one.get("listing")
    return (
        listing is not None
        and listing == other.get("listing")
        and _rendering(one) != _rendering(other)
    )


def _rendering(data: Mapping[str, Any]) -> str:
    """`64 x 64 px in grey`, and how pictures that are not square were fitted."""
    side, num_channels = data.get("size_px"), data.get("num_channels")
    colour = CHANNELS.get(str(num_channels), f"{num_channels} channels")
    return f"{side} x {side} px in {colour}, fit {data.get('fit')}"


def pixels_note(reports: Reports) -> str:
    """That reports, or their headers alone, are of pictures at several sizes; "" where not so."""
    data = [section(report, "data") for report in reports]
    if all(own.get("key") == data[0].get("key") for own in data):
        return ""
    renderings = [_rendering(own) for own in data]
    each = zip(model_labels(reports), renderings, strict=True)
    return (
        f"{'; '.join(f'{model} draws {said}' for model, said in each)}: quality, newness and what "
        "the image-text space judges are not compared"
    )


def _losses_note(reports: Reports) -> str:
    """That losses are errors of pixels in one report and of latents in another, or of others'."""
    newness = [section(report, "newness") for report in reports]
    each = zip(model_labels(reports), newness, strict=True)
    spaces = {model: own.get("loss_space") for model, own in each if leaves(section(own, "loss"))}
    if len(set(map(str, spaces.values()))) < 2:
        return ""
    said = ", ".join(f"{model} of {space}" for model, space in spaces.items())
    return f"losses are errors in different spaces ({said}): left out"


def left_out_of(reports: Reports) -> tuple[Callable[[PathInReport], bool], list[str]]:
    """Which numbers of comparable reports are no difference of models, and notes that say why."""
    judges = judges_that_differ(reports)
    pixels, losses = pixels_note(reports), _losses_note(reports)

    def is_left_out(path: PathInReport) -> bool:
        return (
            judge_of(path) in judges
            or bool(pixels and path[0] in OF_PIXELS)
            or bool(losses and path[:2] == ("newness", "loss"))
        )

    notes = [note for note in (pixels, losses) if note]
    notes += [f"{j} is not the same in all reports: what it judges is left out" for j in judges]
    return is_left_out, notes


def judge_of(path: PathInReport) -> str:
    """The name in a report's `judges` of what measured the number at a path; "" for none."""
    part, name = path[0], path[1] if len(path) > 1 else ""
    if part == "quality":
        return name
    if part == "legibility":
        return "reader"
    if part == "prompt_following":
        return "radical" if name in ("radical", "nouns") else "image-text"
    return path[2] if name in ("copies", "nearest_ratio") and len(path) > 2 else ""


def judges_that_differ(reports: Reports) -> list[str]:
    """The judges whose fingerprints are not the same in all reports that measured with them."""
    judges = [section(report, "judges") for report in reports]
    used = [{judge_of(path) for path in leaves(report)} for report in reports]
    found = []
    for name in dict.fromkeys(name for own in judges for name in own):
        prints = [own.get(name) for own, names in zip(judges, used, strict=True) if name in names]
        if any(one != prints[0] for one in prints):
            found.append(name)
    return found


def curve_differs(reports: Reports, name: str, entry: str) -> bool:
    """Whether a figure along a curve has another judge, or its pictures other pixels, somewhere."""
    with_it = [
        report
        for report in reports
        if any((own.name, own.entry) == (name, entry) for own in curves_of(report))
    ]
    judges = [section(report, "curve_judges", name, entry) for report in with_it]
    if len(judges) < 2:
        return False
    if any(judge != judges[0] for judge in judges):
        return True
    is_of_pixels = entry == "kernel_distance" or any(j.get("judge") == "random" for j in judges)
    return is_of_pixels and bool(pixels_note(reports))


def model_labels(reports: Reports) -> list[str]:
    """A short name for each model, each different: the end of its source where that will do."""
    sources = [str(section(r, "model").get("source") or model_name(r)) for r in reports]
    for names in ([Path(source).name for source in sources], sources):
        if len(set(names)) == len(names) and not set(names) & {"", *REFERENCES}:
            return names
    return [f"{source} [{number}]" for number, source in enumerate(sources, 1)]
