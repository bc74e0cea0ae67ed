"""Axes that one can turn: found on a model's pictures, shown as strips, and measured."""

from imagespace.axes.directions import find_examples, find_unnamed, find_words
from imagespace.axes.finding import find_attribute
from imagespace.axes.purity import Purity, purity
from imagespace.axes.strip import strip

__all__ = [
    "Purity",
    "find_attribute",
    "find_examples",
    "find_unnamed",
    "find_words",
    "purity",
    "strip",
]
