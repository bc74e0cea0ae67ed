"""`imagespace map`: the real pictures as a map, and a model's walks on it."""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagespace.cli.extras import check_extra
from imagespace.cli.output import check_out_folder, plain_warnings
from imagespace.cli.progress import progress_bar
from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.atlas import Atlas, View, Walks
    from imagespace.pictures.folder import PictureSet
    from imagespace.pipeline import Model

MOST_MAPPED = 100_000
OF_WALKS = ("walks.png", "walks.webp", "basins.png", "basins.webp", "index.html")
"""What is drawn from walks. Older versions kept the walks' thumbnails as walks.webp."""


def map_pictures(
    model: Annotated[str, typer.Argument(help="A model's name, run folder or file.")] = "glyphs",
    space: Annotated[
        str, typer.Option(help="What is near: pixel (shrunk pictures), latent or feature.")
    ] = "pixel",
    data: Annotated[
        Path | None,
        typer.Option(help="The pictures that it was trained on; glyphs are made if left out."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the atlas; else RUN/atlas or NAME-atlas.")
    ] = None,
    num: Annotated[int, typer.Option(help="Most pictures on the map.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Of the map and of the walks.")] = 0,
    walks: Annotated[int, typer.Option(help="Walks to draw on the map; 0 for none.")] = 1000,
    steps: Annotated[int, typer.Option(help="Steps of each walk.")] = 25,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            help="Prompt of the walks, may be repeated; else captions of unseen pictures."
        ),
    ] = None,
    colour: Annotated[
        str | None, typer.Option(help="Label that colours the map; else the one of fewest kinds.")
    ] = None,
    film: Annotated[
        bool, typer.Option("--film", help="Also write walks.webp and basins.webp, which move.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Make anew, in place of any atlas there.")
    ] = False,
) -> None:
    """Map the real pictures, name its clusters, and follow walks of the model on it."""
    check_extra("map", "atlas", "umap", "matplotlib", "scipy")
    from imagespace.atlas.space_names import FEWEST_PICTURES, check_space
    from imagespace.atlas.weights import is_shipped

    check_space(space)
    if not FEWEST_PICTURES <= num <= MOST_MAPPED:
        rule = f"must be from {FEWEST_PICTURES} to {MOST_MAPPED:,}"
        raise UserError(f"--num {num}", rule, "Use 20000")
    if not 0 <= seed < 2**62:
        raise UserError(f"--seed {seed}", "must be from 0 to 2^62 - 1", "Use such a seed")
    if walks:
        from imagespace.atlas.map_walks import check_walks

        check_walks(walks, steps)
    elif prompt:
        raise UserError("--prompt", "no walk is there to follow it", "Leave out --walks 0")
    elif film:
        raise UserError("--film", "no walk is there to show", "Leave out --walks 0")
    work = _Work(model, data)
    folder = out or _folder_of(model)
    check_out_folder(folder)
    atlas = _atlas(work, folder, space, num, seed, overwrite, prompt or [], colour)
    _print_scores(atlas)
    shows: dict[str, Any] = {"atlas": atlas.fingerprint}
    _draw(folder, "map", shows | {"colour": colour or ""}, lambda: atlas.view_map(colour))
    found = None
    if walks:
        found = _walks(work, atlas, folder, walks, steps, seed, prompt or [])
        shows_walks = shows | {"walks": found.about}
        _draw(folder, "walks", shows_walks, lambda: atlas.view_walks(found), film)
        _draw(folder, "basins", shows_walks, lambda: atlas.view_basins(found), film)
    _write_page(folder, atlas, found)
    # Last: weights of the run's history that cannot be read cost the replay and nothing else.
    if not is_shipped(model):
        from imagespace.evaluation.curves import history_files

        kept = [path.name for path in history_files(model)]
        try:
            if kept:
                shows["history"] = kept
                _draw(folder, "replay", shows, lambda: _replay(work, atlas, seed), film=True)
        except UserError as error:
            print(f"imagespace: warning: the replay is left out: {error}", file=sys.stderr)


def _draw(
    folder: Path,
    name: str,
    made_from: dict[str, Any],
    view: Callable[[], "View"],
    film: bool = False,
) -> None:
    """Writes a view's figure, and its film before it, unless those that are there show the same."""
    from imagespace.atlas.drawn import drawn_from, note_drawn

    files = [f"{name}.webp", f"{name}.png"] if film else [f"{name}.png"]
    if others := [file for file in files if drawn_from(folder, file) != made_from]:
        shown = view()
        for file in others:
            note_drawn(folder, file, None)
            with stage(f"drawing {file}"):
                shown.save(folder / file)
            note_drawn(folder, file, made_from)
        print(shown.title)
    for file in files:
        print(folder / file)


def _write_page(folder: Path, atlas: "Atlas", walks: "Walks | None") -> None:
    """The page that pans, zooms and plays, unless the one that is there shows the same.

    Without walks (`--walks 0`) a page of this atlas with walks shows more than was asked for.
    """
    from imagespace.atlas.atlas_page import PAGE_FILE, write_atlas_page
    from imagespace.atlas.drawn import drawn_from, note_drawn

    made_from = {"atlas": atlas.fingerprint, "walks": {} if walks is None else walks.about}
    kept = drawn_from(folder, PAGE_FILE)
    if kept.get("atlas") != atlas.fingerprint or (walks is not None and kept != made_from):
        note_drawn(folder, PAGE_FILE, None)
        with stage("writing the page"):
            write_atlas_page(folder, atlas, walks)
        note_drawn(folder, PAGE_FILE, made_from)
    print(folder / PAGE_FILE)


class _Work:
    """The model and its pictures, read when they are first needed: a kept atlas needs neither."""

    def __init__(self, name: str, data: Path | None) -> None:
        from imagespace.atlas.weights import weights_file, weights_sha256

        self.name, self.data = name, data
        file = weights_file(name)
        self.about = {"weights_sha256": weights_sha256(file)}
        self._model: Model | None = None
        self._pictures: PictureSet | None = None

    @property
    def model(self) -> "Model":
        if self._model is None:
            from imagespace.pipeline import load

            with stage("loading the model"):
                self._model = load(self.name)
            if len(self._model.config.network.sample_shape) != 3:
                raise UserError(
                    self.name,
                    "draws points: the whole of their space can be seen without a map",
                    f"Use: imagespace view points {self.name} --out points.html",
                )
        return self._model

    @property
    def pictures(self) -> "PictureSet":
        if self._pictures is None:
            from imagespace.evaluation.subject import pictures_of

            model = self.model
            with stage("reading pictures") as progress:
                self._pictures = pictures_of(model, self.data, progress)
        return self._pictures

    def stamp(self, folder: str) -> str:
        """Of the pictures' folder: the one that is named, or the one that the atlas names."""
        from imagespace.atlas.stamp import stamp_of

        return stamp_of(self.data or Path(folder)) if self.data or folder else ""

    @property
    def folder(self) -> Path:
        """Where the pictures lie."""
        if self.data is not None:
            return self.data
        from imagespace.evaluation.subject import glyph_folder

        return glyph_folder(self.model)


@contextmanager
def stage(what: str) -> Iterator[Callable[[int, int], None]]:
    """A stage of the work: a bar where stderr is a terminal."""
    with progress_bar(what) as report:
        yield report


def _folder_of(model: str) -> Path:
    """RUN/atlas for a run folder, else NAME-atlas; a shipped name is no folder of that name."""
    from imagespace.atlas.weights import is_shipped

    path = Path(model)
    is_run = path.is_dir() and not is_shipped(model)
    return path / "atlas" if is_run else Path(f"{path.stem}-atlas")


def _atlas(
    work: _Work,
    folder: Path,
    space: str,
    num: int,
    seed: int,
    overwrite: bool,
    prompts: list[str],
    colour: str | None,
) -> "Atlas":
    """The atlas of the folder, read or made.

    UserError: it was made from something else; there is no such label to colour it by, or the
    model cannot read a prompt, which is told before the minutes that a map takes.
    """
    from imagespace.atlas.atlas import ATLAS_FILE, check_label, load_atlas, read_about

    if (folder / ATLAS_FILE).is_file() and not overwrite:
        about = read_about(folder)
        if about.get("space") != space:
            from imagespace.atlas.latents import check_has_space

            check_has_space(work.model, space)
        _check_same(work, folder, about, space, num, seed)
        kept = load_atlas(folder)
        if colour is not None:
            check_label(kept.labels, colour)
        return kept
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        ours = {"atlas.npz", "sprites", "walks.npz", "walk-sprites", "walks.webp", "drawn.json"}
        foreign = sorted({path.name for path in folder.iterdir()} - ours)
        if foreign:
            raise UserError(
                str(folder), f"holds other files ({foreign[0]})", "Choose a new folder for --out"
            )
    from imagespace.atlas.building import build_atlas, chosen_rows
    from imagespace.atlas.labels import label_columns
    from imagespace.atlas.latents import check_has_space

    check_has_space(work.model, space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are told when the walks are made
        for each in prompts:
            work.model.settings(each, truncate=True)
    rows = chosen_rows(len(work.pictures), num, seed)
    if colour is not None:
        check_label(label_columns([work.pictures.metadata[row] for row in rows]), colour)
    # Whether a folder can be made is only known from making it.
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    beside = work.folder if work.folder.is_dir() else work.folder.parent
    atlas = build_atlas(work.model, work.pictures, space, num, seed, stage, beside)
    atlas.about.update(
        work.about,
        data=str(work.folder.resolve()),
        data_stamp=work.stamp(str(work.folder)),
    )
    _forget(folder, "map.png", "replay.png", "replay.webp", *OF_WALKS)
    atlas.save(folder)
    print(f"{folder}: a map of {len(atlas):,} pictures ({time.perf_counter() - started:.0f} s)")
    return atlas


def _forget(folder: Path, *names: str) -> None:
    """Removes what was drawn from an atlas or walks that are about to be replaced.

    Whatever is there afterwards shows what is kept, even if the command is interrupted.
    """
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _check_same(
    work: _Work, folder: Path, about: dict[str, Any], space: str, num: int, seed: int
) -> None:
    """UserError unless the atlas was made from these weights, pictures, space, number and seed.

    One that was built in Python knows its weights once loaded, and not their file.
    """
    asked = {"space": space, "asked_num": num, "seed": seed}
    if "weights_sha256" in about:
        asked = {**work.about, **asked}
    else:
        asked = {"model_sha256": work.model.sha256, **asked}
    others = [name for name, value in asked.items() if about.get(name) != value]
    stamp = work.stamp(about.get("data", ""))
    if not others and (not stamp or stamp != about.get("data_stamp")):
        # Copied or touched, perhaps: only the pictures themselves can tell.
        others = [] if work.pictures.key == about.get("data_key") else ["data"]
    if others:
        names = {"asked_num": "--num", "data": "pictures"}
        names |= dict.fromkeys(("weights_sha256", "model_sha256"), "weights")
        what = " and ".join(names.get(name, f"--{name}") for name in others)
        raise UserError(
            str(folder),
            f"is an atlas made with other {what}",
            "Choose another --out, or add --overwrite",
        )


def _walks(
    work: _Work,
    atlas: "Atlas",
    folder: Path,
    num: int,
    steps: int,
    seed: int,
    prompts: list[str],
) -> "Walks":
    """The walks that the folder keeps, or new ones."""
    from imagespace.atlas.map_walks import about_walks, load_walks, walk_on_map

    kept = load_walks(folder, about_walks(atlas, num, steps, seed, prompts))
    if kept is not None:
        return kept
    from imagespace.atlas.building import space_of_atlas

    space = space_of_atlas(atlas, work.pictures, stage)
    with plain_warnings(), stage(f"walking {num:,} times") as progress:
        found = walk_on_map(
            atlas, work.model, work.pictures, space, num, steps, seed, prompts, progress
        )
    _forget(folder, *OF_WALKS)
    found.save(folder)
    return found


def _replay(work: _Work, atlas: "Atlas", seed: int) -> "View":
    """The run's own weights over time, on its map."""
    from imagespace.atlas.building import space_of_atlas
    from imagespace.atlas.replay import view_replay

    space = space_of_atlas(atlas, work.pictures, stage)
    with stage("replaying the training") as progress:
        return view_replay(atlas, work.model, work.pictures, space, seed=seed, progress=progress)


def _print_scores(atlas: "Atlas") -> None:
    scores, projection = atlas.scores, atlas.scores["projection"]
    print(
        f"trustworthiness {scores['trustworthiness']:.3f} "
        f"(k = {scores['trustworthiness_neighbours']}, "
        f"{scores['trustworthiness_sample']:,} of {len(atlas):,} pictures)"
    )
    for name, found in scores["purity"].items():
        print(
            f"neighbours of the same {name}: on the map {100 * found['map']:.1f} %, in the space "
            f"{100 * found['space']:.1f} %, the commonest alone {100 * found['majority']:.1f} %"
        )
    held_out = scores["projection_of_held_out"]
    print(
        f"projection: median error {100 * projection['median_error']:.1f} % of the map's spread, "
        f"of a random place {100 * projection['random_error']:.0f} %"
    )
    print(
        f"  of pictures that a map of {held_out['num_mapped']:,} was made without: "
        f"{100 * held_out['median_error']:.1f} %, of a random place "
        f"{100 * held_out['random_error']:.0f} %; making it again with them moves the others by "
        f"{100 * held_out['refit_moves']:.1f} %"
    )
    off = scores["off_map"]
    print(
        f"off the map: {100 * off['noise']:.0f} % of pure noise, {off['noise_ratio']:.1f} times as "
        "far as any that is on it"
        + (f"; {100 * off['real']:.1f} % of real pictures not mapped" if "real" in off else "")
    )
