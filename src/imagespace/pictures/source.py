"""Where the bytes of one picture are: in a file, an archive, a column of a table."""

import io
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

_MAX_TABLES = 4  # parts of tables kept open; pictures are read in order


class Source(Protocol):
    """One picture's place. `stamp` changes when what lies there does; a missing file has none."""

    def open(self) -> Path | BinaryIO:
        """What `decoding.render` reads. Errors: OSError, ValueError, LookupError."""
        ...

    def stamp(self) -> list[int | str]:
        """Size, time of change and place."""
        ...


def _file_stamp(path: str) -> list[int | str]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return []
    # A permission that is given later changes neither.
    return [status.st_size, status.st_mtime_ns, os.access(path, os.R_OK)]


@dataclass(frozen=True, slots=True)
class FileSource:
    """A picture file."""

    path: str

    def open(self) -> Path | BinaryIO:
        return Path(self.path)

    def stamp(self) -> list[int | str]:
        return _file_stamp(self.path)


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """`size` bytes of a file from `offset` on: a member of a .tar that is not compressed."""

    path: str
    offset: int
    size: int

    def open(self) -> Path | BinaryIO:
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            return io.BytesIO(file.read(self.size))

    def stamp(self) -> list[int | str]:
        return [*_file_stamp(self.path), self.offset, self.size]


@dataclass(frozen=True, slots=True)
class TableSource:
    """Row `row` in part `part` (a row group, a record batch) of a table; `column` holds bytes."""

    path: str
    column: str
    part: int
    row: int

    def open(self) -> Path | BinaryIO:
        cell = _parts.get(self.path, self.column, self.part)[self.row].as_py()
        raw = cell.get("bytes") if isinstance(cell, dict) else cell
        if raw is not None:
            return io.BytesIO(raw)
        if isinstance(cell, dict) and cell.get("path"):  # the picture stayed in its file
            return Path(self.path).parent / str(cell["path"])
        raise ValueError("its cell is empty")

    def stamp(self) -> list[int | str]:
        return [*_file_stamp(self.path), self.column, self.part, self.row]


class _Parts:
    """The picture columns of the parts read last, shared by all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, int], Any] = OrderedDict()

    def get(self, path: str, column: str, part: int) -> Any:
        with self._lock:  # one thread reads a part, and all others wait for it
            key = (path, column, part)
            if key not in self._kept:
                while len(self._kept) >= _MAX_TABLES:
                    self._kept.popitem(last=False)
                self._kept[key] = _read_part(path, column, part)
            self._kept.move_to_end(key)
            return self._kept[key]


_parts = _Parts()


def _read_part(path: str, column: str, part: int) -> Any:
    if path.lower().endswith(".parquet"):
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path) as file:
            return file.read_row_group(part, columns=[column]).column(column).combine_chunks()
    from imagespace.pictures.layouts.arrow_file import record_batches

    return record_batches(path)[part].column(column)
