"""npm packages as folders of files: installed, unpacked, packed, or fetched by npm itself."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from imagespace.errors import UserError


def find_npm_packages(
    wanted: Sequence[str], folder: Path | None, scratch: Path
) -> dict[str, tuple[Path, str]]:
    """Folder and version of each wanted package ("@scope/name@1.2.3", the version a preference).

    Looks in `folder` for `npm install`'s node_modules, unpacked packages and .tgz files, whatever
    their version; without `folder` asks npm for the version named. Unpacks into `scratch`.
    UserError: npm is absent or fails, or a package is not in the folder.
    """
    if folder is None:
        folder = scratch / "fetched"
        _fetch(wanted, folder)
    elif not folder.is_dir():
        raise UserError(f"--npm {folder}", "there is no such folder", _install(wanted))
    places = [file.parent for file in _manifests(folder)]
    for number, packed in enumerate(sorted(folder.glob("*.tgz"))):
        places.append(_unpack(packed, scratch / f"unpacked-{number}"))
    found = {}
    for place in places:
        described = json.loads((place / "package.json").read_text(encoding="utf-8"))
        found[str(described.get("name"))] = (place, str(described.get("version")))
    names = [package.rpartition("@")[0] for package in wanted]
    absent = [name for name in names if name not in found]
    if absent:
        raise UserError(f"{folder}", f"it lacks {', '.join(absent)}", _install(wanted))
    return {name: found[name] for name in names}


def _fetch(wanted: Sequence[str], folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            "--all-styles",
            "its pictures come from npm packages and npm is not installed",
            f"Give --npm FOLDER where another machine ran: {_install(wanted)}",
        )
    folder.mkdir(parents=True)
    done = subprocess.run([npm, "pack", *wanted], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise UserError(
            "npm pack", f"it failed ({reason})", f"Give --npm FOLDER, made by: {_install(wanted)}"
        )


def _install(wanted: Sequence[str]) -> str:
    return "npm install " + " ".join(wanted)


def _manifests(folder: Path) -> list[Path]:
    patterns = ("*/package.json", "*/*/package.json", "node_modules/*/*/package.json")
    return [file for pattern in patterns for file in sorted(folder.glob(pattern))]


def _unpack(packed: Path, folder: Path) -> Path:
    try:
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(
            str(packed), f"it cannot be unpacked ({error})", "Pack it again."
        ) from error
    if not (folder / "package" / "package.json").is_file():
        raise UserError(str(packed), "it is no npm package", "Remove it from the folder.")
    return folder / "package"
