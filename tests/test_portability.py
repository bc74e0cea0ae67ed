"""Nothing that is imported exists on Unix alone."""

import ast
import sys
from pathlib import Path

import imagespace

UNIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty"}


def test_no_module_needs_unix_when_it_is_imported():
    """At the top of a file such an import would keep the whole package from Windows."""
    assert sys.stdlib_module_names >= UNIX_ONLY
    for file in Path(imagespace.__file__).parent.rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not UNIX_ONLY.intersection(names), file
