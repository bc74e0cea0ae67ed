"""Which pictures are walked together."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from imagespace.pipeline.settings import PictureSettings

# Pictures walked at once: bounds the memory, and changes no picture.
LARGEST_BATCH = 64


def batches(settings: Sequence[PictureSettings]) -> Iterator[list[PictureSettings]]:
    """Runs of settings that one walk can draw, in order, of at most LARGEST_BATCH each."""
    for _, same in groupby(settings, key=lambda s: s.walk):
        run = list(same)
        for start in range(0, len(run), LARGEST_BATCH):
            yield run[start : start + LARGEST_BATCH]


def batch_with(
    settings: Sequence[PictureSettings], index: int
) -> tuple[list[PictureSettings], int]:
    """The batch that picture `index` of all is walked in, and the picture's place in it.

    Its last bits depend on these settings alone: drawn by themselves they are one batch again.
    """
    if not 0 <= index < len(settings):
        raise IndexError(f"picture {index} of {len(settings)}")
    for batch in batches(settings):
        if index < len(batch):
            return batch, index
        index -= len(batch)
    raise AssertionError("every picture lies in a batch")
