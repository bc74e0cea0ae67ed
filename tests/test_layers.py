"""Each part imports only the rows below it (the table in docs/conventions.md)."""

import ast
from pathlib import Path

import imagespace

ROOT = Path(imagespace.__file__).parent
ROWS = [
    {"errors", "randomness", "precision", "eight_bits", "page"},
    {"pictures", "points", "text", "diffusion", "networks", "device"},
    {"checkpoints"},
    {"pipeline"},
    {"training"},
    {"evaluation"},
    {"recipes"},
    {"lab", "checkup", "atlas", "axes"},
    {"cli"},
]
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}
# Looking at a model never needs the trainer; the four parts of a row stand alone.
FORBIDDEN = {("evaluation", "training"), ("atlas", "training"), ("atlas", "recipes")}
FORBIDDEN |= {("axes", "training"), ("axes", "recipes")}


def part_of(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(file: Path):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names = [node.module or ""]
        else:
            continue
        if names == ["imagespace"] and isinstance(node, ast.ImportFrom):
            own = [alias.name for alias in node.names if alias.name != "__version__"]
            names = [f"imagespace.{name}" for name in own]
        for name in names:
            if name.startswith("imagespace."):
                yield name.split(".")[1]


def test_imports_point_downwards():
    wrong = []
    for file in ROOT.rglob("*.py"):
        part = part_of(file)
        if part in ("__init__", "__main__"):
            continue
        for other in imports(file):
            same_row = other != part and RANK[other] == RANK[part]
            if RANK[other] > RANK[part] or same_row or (part, other) in FORBIDDEN:
                wrong.append(f"{file.relative_to(ROOT)} imports {other}")
    assert wrong == []


def test_every_part_has_a_row():
    parts = {p.name.removesuffix(".py") for p in ROOT.iterdir() if not p.name.startswith("_")}
    assert parts - {"models", "py.typed"} == set(RANK)


def test_exports_exist():
    for name in imagespace.__all__:
        assert getattr(imagespace, name) is not None
