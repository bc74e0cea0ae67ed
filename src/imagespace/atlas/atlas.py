"""An atlas: the real pictures of a model laid out as a map, with all that is asked of the map."""

import hashlib
import io
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagespace.atlas.density import Density
from imagespace.atlas.fonts import fonts_for
from imagespace.atlas.projection import Projection
from imagespace.atlas.sprites import Sprites, sprites_from_sheet
from imagespace.errors import UserError

if TYPE_CHECKING:
    from imagespace.atlas.map_walks import Walks
    from imagespace.atlas.view import View

# What reading a torn, foreign or edited file raises, from JSON to the deflated blocks of an .npz.
UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    BadZipFile,
    zlib.error,
)
ATLAS_FORMAT = "imagespace-atlas-2"
ATLAS_FILE, ARRAYS_FILE, SPRITES_FILE = "atlas.json", "atlas.npz", "sprites"


@dataclass(frozen=True)
class Atlas:
    """N real pictures on a map; row i of every array is the same picture.

    `positions` [N, 2] on the map; `coordinates` [N, k + 2] in the space (space.py); `cluster_of`
    [N] and `cluster_names`; `captions` and `labels` (column name -> [N] values, "" for none);
    `sprites` thumbnails; `density` on a grid; `rows` [N] in the picture set; `basis` the arrays of
    the space; `about` what the atlas was made from; `scores` how far it can be trusted.
    """

    positions: NDArray[np.float32]
    coordinates: NDArray[np.float32]
    cluster_of: NDArray[np.int64]
    cluster_names: list[str]
    captions: list[str]
    labels: dict[str, list[str]]
    sprites: Sprites
    density: Density
    rows: NDArray[np.int64]
    basis: dict[str, NDArray[np.float32]]
    about: dict[str, Any]
    scores: dict[str, Any]

    def __len__(self) -> int:
        return len(self.positions)

    @cached_property
    def fingerprint(self) -> str:
        """Tells apart maps that would be drawn differently: where each picture lies, what is said.

        Another version of UMAP makes another map of the same pictures and seed.
        """
        words = json.dumps([self.cluster_names, self.captions, self.labels, self.scores])
        content = self.positions.tobytes() + words.encode()
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    @cached_property
    def projection(self) -> Projection:
        """Puts new pictures on the map, by their coordinates."""
        fitted = self.scores["projection"]
        return Projection(
            self.coordinates,
            self.positions,
            fitted["neighbours"],
            fitted["farthest"],
            fitted["lengths_median"],
            fitted["lengths_reach"],
        )

    @cached_property
    def cluster_centres(self) -> NDArray[np.float32]:
        """[clusters, 2]: of each cluster the picture nearest to the median, so always inside it."""
        centres = []
        for cluster in range(len(self.cluster_names)):
            own = self.positions[self.cluster_of == cluster]
            away = np.linalg.norm(own - np.median(own, axis=0), axis=1)
            centres.append(own[away.argmin()])
        return np.array(centres, dtype=np.float32)

    def clusters_at(self, positions: NDArray[np.float32]) -> NDArray[np.int64]:
        """The cluster [M] of the picture that is nearest on the map to each of positions [M, 2]."""
        from imagespace.atlas.neighbours import nearest

        found, _ = nearest(positions, self.positions, 1)
        own: NDArray[np.int64] = self.cluster_of[found[:, 0]]
        return own

    def view_map(self, colour_by: str | None = None) -> "View":
        """Density, clusters with their names, and pictures, coloured by a label."""
        from imagespace.atlas.map_views import view_map

        with fonts_for(self._names):
            return view_map(self, colour_by)

    def view_walks(self, walks: "Walks", num_followed: int = 3) -> "View":
        """Walks over the density, coloured by time, with pictures along a few of them."""
        from imagespace.atlas.walk_views import view_walks

        with fonts_for(self._names | set(walks.prompts)):
            return view_walks(self, walks, num_followed)

    def view_basins(self, walks: "Walks") -> "View":
        """Where noises are first answered, coloured by the map's cluster in which they end.

        On the map, where places are projected; `basins_view` draws a slice through noise itself.
        """
        from imagespace.atlas.walk_views import view_basins

        with fonts_for(self._names):
            return view_basins(self, walks)

    @property
    def _names(self) -> set[str]:
        """All that a figure may write."""
        return {*self.cluster_names, *self.labels, *chain.from_iterable(self.labels.values())}

    def _repr_html_(self) -> str:
        return self.view_map()._repr_html_()

    def save(self, folder: str | Path) -> Path:
        """Writes the atlas into a folder, which is made if need be; `atlas.json` last.

        A folder without `atlas.json` is no atlas: an interruption leaves none, not a part of one.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ATLAS_FILE).unlink(missing_ok=True)
        text = {"captions": self.captions, "labels": self.labels}
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            positions=self.positions,
            coordinates=self.coordinates.astype(np.float16),
            cluster_of=self.cluster_of.astype(np.int16),
            rows=self.rows.astype(np.int32),
            density=self.density.values.astype(np.float16),
            text=np.frombuffer(json.dumps(text, ensure_ascii=False).encode(), np.uint8),
            **{f"basis_{name}": values for name, values in self.basis.items()},  # type: ignore[arg-type]
        )
        files = {ARRAYS_FILE: buffer.getvalue(), SPRITES_FILE: self.sprites.as_file()}
        for name, content in files.items():
            write_whole(folder / name, content)
        described = {
            "format": ATLAS_FORMAT,
            **self.about,
            # Files of two atlases of one size would fit together, and mean nothing.
            "files": {name: _sha256(content) for name, content in files.items()},
            "cluster_names": self.cluster_names,
            "density_low": list(self.density.low),
            "density_side": self.density.side,
            "sprite_px": self.sprites.pixels.shape[1],
            "channels": self.sprites.pixels.shape[3],
            "scores": self.scores,
        }
        text_file = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
        write_whole(folder / ATLAS_FILE, text_file.encode())
        return folder


def load_atlas(folder: str | Path) -> Atlas:
    """Reads an atlas folder. UserError: it holds none, or one that is damaged or too old."""
    folder = Path(folder)
    about = read_about(folder)
    try:
        content = {name: (folder / name).read_bytes() for name in (ARRAYS_FILE, SPRITES_FILE)}
        if about.pop("files") != {name: _sha256(each) for name, each in content.items()}:
            raise ValueError("the files are not those that were written together")
        with np.load(io.BytesIO(content[ARRAYS_FILE])) as stored:
            arrays = dict(stored)
        text = json.loads(arrays["text"].tobytes())
        names = about.pop("cluster_names")
        low, side = about.pop("density_low"), about.pop("density_side")
        with Image.open(io.BytesIO(content[SPRITES_FILE])) as sheet:
            sprites = sprites_from_sheet(
                sheet, len(arrays["rows"]), about.pop("sprite_px"), about.pop("channels")
            )
        return Atlas(
            positions=arrays["positions"],
            coordinates=arrays["coordinates"].astype(np.float32),
            cluster_of=arrays["cluster_of"].astype(np.int64),
            cluster_names=names,
            captions=text["captions"],
            labels=text["labels"],
            sprites=sprites,
            density=Density(arrays["density"].astype(np.float32), (low[0], low[1]), side),
            rows=arrays["rows"].astype(np.int64),
            basis={
                name.removeprefix("basis_"): values
                for name, values in arrays.items()
                if name.startswith("basis_")
            },
            scores=about.pop("scores"),
            about=about,
        )
    except UNREADABLE:
        raise damaged(folder) from None


def read_about(folder: Path) -> dict[str, Any]:
    """What `atlas.json` says. UserError as in `load_atlas`."""
    try:
        about: dict[str, Any] = json.loads((folder / ATLAS_FILE).read_text(encoding="utf-8"))
        known = about.pop("format") == ATLAS_FORMAT
    except FileNotFoundError:
        raise UserError(
            str(folder), "holds no atlas", "Make one: imagespace map MODEL --out FOLDER"
        ) from None
    except UNREADABLE:
        raise damaged(folder) from None
    if not known:
        raise UserError(str(folder), "is an atlas of another version", "Add --overwrite")
    return about


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def damaged(folder: Path) -> UserError:
    """The error of an atlas that cannot be read."""
    return UserError(str(folder), "is a damaged atlas", "Make it again: add --overwrite")


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_label(labels: dict[str, list[str]], name: str) -> Sequence[str]:
    """The column of a label. UserError: the pictures carry no such label."""
    if name not in labels:
        rule = f"the pictures carry {', '.join(labels) if labels else 'no labels'}"
        remedy = "Use one of these" if labels else "Leave it out: clusters are coloured"
        raise UserError(f"label {name!r}", rule, remedy)
    return labels[name]
