"""Frames of a film that are drawn when they are asked for: most views are never saved as one."""

from collections.abc import Callable, Sequence
from typing import overload

from PIL import Image


class Frames(Sequence[Image.Image]):
    """`num` frames of which `draw(i)` draws the i-th, each time that it is asked for."""

    def __init__(self, num: int, draw: Callable[[int], Image.Image]) -> None:
        self._numbers, self._draw = range(num), draw

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...

    @overload
    def __getitem__(self, index: slice) -> list[Image.Image]: ...

    def __getitem__(self, index: int | slice) -> Image.Image | list[Image.Image]:
        found = self._numbers[index]
        return self._draw(found) if isinstance(found, int) else [self._draw(i) for i in found]
