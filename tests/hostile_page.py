"""A map of a hundred pictures in colours of their own, some with hostile captions, as page data."""

import numpy as np
from PIL import Image

from imagespace.atlas.page_data import PageData, PageWalks

SPRITE_PX = 16
HOSTILE = [
    "</script><script>document.title = 'run'</script>",
    "<img src=x onerror=\"document.title = 'run'\">",
    "\"quotes\" & 'more' &lt;b&gt;",
    "قطة على السجادة",
    "👩‍🚀 an astronaut 🚀",
    "$title ${style} $$",
    "a" * 1_000_000 + " needle",
    "a damaged \ud83d half",
    "",
]
WORDS = ["red cat", "concatenated cats", "a cat, asleep", "dog", "CAT!", "猫と犬", "die Katze"]
# Where x_t stands: beside the ways of x0_hat, in a box of its own, and there at the last.
STANDING = np.array(
    [
        [[1006, -90], [1004, -60], [1005, -20], [1004, 30], [1003, 60]],
        [[1006, -90], [1001, -80], [999, -90], [997, -70], [996, -50]],
    ],
    np.float32,
)


def colour_of(row: int) -> tuple[int, int, int]:
    """A colour of its own for each of the first hundred rows, no two nearer than 25."""
    return (30 + 45 * (row % 5), 30 + 45 * (row // 5 % 5), 40 + 50 * (row // 25 % 5))


def page_data(walks: bool = True) -> PageData:
    captions = HOSTILE + WORDS + [f"picture {i}" for i in range(84)]
    num = len(captions)
    random = np.random.default_rng(0)
    positions = random.normal(0, 3, (num, 2)).astype(np.float32) * [1, 40] + [1000, -0.5]
    sheet = Image.new("RGB", (10 * SPRITE_PX, -(-num // 10) * SPRITE_PX))
    for row in range(num):
        square = Image.new("RGB", (SPRITE_PX, SPRITE_PX), colour_of(row))
        sheet.paste(square, (row % 10 * SPRITE_PX, row // 10 * SPRITE_PX))
    steps, size_px = 5, 8
    path = np.linspace([1000, 0], [[1003, 60], [996, -50]], steps, axis=1).astype(np.float32)
    seen = np.zeros((2, steps, size_px, size_px, 1), np.uint8)
    seen += np.arange(10, dtype=np.uint8).reshape(2, steps, 1, 1, 1) * 20
    return PageData(
        title="Cats </title> & <b>dogs</b>",
        positions=positions.astype(np.float32),
        cluster_of=np.arange(num) % 4 - 1,
        cluster_names=["<i>one</i>", "two", "three"],
        captions=captions,
        sprites=sheet,
        sprite_px=SPRITE_PX,
        columns=10,
        density=random.random((20, 20)).astype(np.float32),
        extent=(990, 1010, -150, 150),
        scores={"Neighbours <kept>": "7 of 15"},
        walks=PageWalks(
            positions=path,
            thumbnails=seen,
            times=np.linspace(1, 0, steps),
            prompts=["up </script>", "down"],
            is_off_map=np.array([[True, True, False, False, False], [True] * 5]),
            nearest=np.array([[0, 1, 2, 3, 9], [9, 8, 7, 6, 5]]),
            x_t_positions=STANDING,
            is_x_t_off_map=np.array([[True] * 4 + [False]] * 2),
        )
        if walks
        else None,
    )
