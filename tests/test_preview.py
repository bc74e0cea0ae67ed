"""The live preview in terminals that are narrow, low, of few colours, or none at all."""

import io
import os
import pty
import re
import sys
import termios

import numpy as np
import pytest
from PIL import Image

from imagespace.cli.preview import LivePreview, half_blocks, palette_colour, picture_width

TRUE_COLOUR = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


class Screen:
    """What a terminal shows: lines that wrap, and a cursor that goes up no further than its top."""

    def __init__(self, columns, height):
        self.columns, self.height = columns, height
        self.lines, self.row, self.column = [""], 0, 0

    def feed(self, text):
        for argument, command, character in re.findall(
            r"\x1b\[([\d;]*)([A-Za-z])|(.)", text, re.DOTALL
        ):
            if command == "A":
                top = max(0, len(self.lines) - self.height)
                self.row = max(top, self.row - int(argument or 1))
            elif command == "K":
                self.lines[self.row] = self.lines[self.row][: self.column]
            elif character:
                self._put(character)

    def _put(self, character):
        if character == "\r":
            self.column = 0
            return
        if character == "\n" or self.column == self.columns:
            self.row += 1
            self.lines += [""] * (self.row + 1 - len(self.lines))
            self.column = 0
        if character != "\n":
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1


@pytest.fixture
def written(monkeypatch, tiny_model):
    """What the preview of one walk writes to a terminal of a size that calls itself so."""

    def to(size, environment, note=""):
        for name in ("TERM", "COLORTERM", "WT_SESSION"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        leader, follower = pty.openpty()
        termios.tcsetwinsize(follower, size[::-1])
        whole = io.StringIO()
        with open(follower, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", terminal)
            shown = LivePreview(tiny_model)
            patch.setattr(sys, "stderr", whole)  # a terminal that nobody reads would fill up
            for step in tiny_model.walk("a square", num_steps=28):
                shown.show(step, note if step.index < 27 else "")
        os.close(leader)
        return whole.getvalue()

    return to


@pytest.mark.parametrize("size", [(80, 24), (66, 50), (40, 24), (80, 10), (20, 9)])
def test_every_step_lies_over_the_one_before(written, size):
    screen = Screen(*size)
    for line in written(size, TRUE_COLOUR, "64 of 1,000 drawn").splitlines(keepends=True):
        screen.feed(line.replace("\n", "\r\n"))
    width = picture_width(*size)
    assert width >= 8
    blocks = [line for line in screen.lines if "▀" in line]
    assert len(blocks) == (width + 1) // 2
    assert all(line.split() == ["▀" * width] * 2 for line in blocks)
    assert len(screen.lines) == len(blocks) + 2  # the text, and where the cursor waits
    # And nothing is left of the longer text of the step before.
    assert re.fullmatch(r"step 28/28  noise 0(\.\d\d)?", screen.lines[-2].rstrip())


@pytest.mark.parametrize(
    ("size", "environment"),
    [
        ((80, 24), {"TERM": "dumb", "COLORTERM": "truecolor"}),
        ((80, 24), {}),
        ((80, 24), {"TERM": "vt100"}),
        ((12, 24), TRUE_COLOUR),
        ((80, 4), TRUE_COLOUR),
    ],
)
def test_nothing_is_drawn_where_it_cannot_be_seen(written, size, environment):
    assert written(size, environment) == ""


def test_a_terminal_that_promises_no_more_gets_256_colours(written):
    drawn = written((80, 24), {"TERM": "xterm-256color"})
    assert set(re.findall(r"\x1b\[[34]8;(\d)", drawn)) == {"5"}
    assert set(re.findall(r"\x1b\[[34]8;(\d)", written((80, 24), TRUE_COLOUR))) == {"2"}


def test_numbered_colours_are_the_nearest_of_xterms():
    """Against the palette as xterm defines it, and a search through all of it."""
    levels = [0, 95, 135, 175, 215, 255]
    palette = {16 + 36 * r + 6 * g + b: (levels[r], levels[g], levels[b])
               for r in range(6) for g in range(6) for b in range(6)}  # fmt: skip
    palette |= {232 + k: (8 + 10 * k,) * 3 for k in range(24)}
    for grey in range(256):
        chosen = palette[int(palette_colour([grey] * 3).removeprefix("5;"))]
        assert abs(chosen[0] - grey) <= min(abs(c[0] - grey) for c in palette.values()) + 3
    for pixel in ([255, 0, 0], [12, 200, 90], [250, 251, 40], [95, 135, 175]):
        chosen = np.array(palette[int(palette_colour(pixel).removeprefix("5;"))])
        cube = np.array([palette[n] for n in range(16, 232)])
        distances = np.square(cube - pixel).sum(1)
        assert np.square(chosen - pixel).sum() == distances.min()


def test_half_blocks_show_the_upper_pixel_before_the_lower():
    image = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8))
    white, black = "2;255;255;255m", "2;0;0;0m"
    assert half_blocks(image, 2) == (
        f"\x1b[38;{black}\x1b[48;{white}▀\x1b[38;{white}\x1b[48;{black}▀\x1b[0m"
    )
