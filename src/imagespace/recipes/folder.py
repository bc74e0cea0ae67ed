"""Which recipe suits a folder of pictures, and the general recipe fitted to what it holds."""

import hashlib
from collections.abc import Sequence
from typing import Any

from imagespace.errors import UserError
from imagespace.networks.transformer import TransformerConfig
from imagespace.pictures.inspection import Inspected
from imagespace.pictures.split import TRAIN
from imagespace.recipes.named import sketched, varied
from imagespace.training.config import RunConfig

NUM_PATCHES_A_SIDE = 8
SIZES_PX = (8, 16, 32, 64, 128)
LARGEST_COLOUR_PX = 64
SMALL_SET = 20_000
"""Training sets with fewer pictures are learnt by heart in an hour; they are augmented."""
# Of the sample sheets: captions that were learnt, and captions that were not.
_NUM_LEARNT_PROMPTS, _NUM_NEW_PROMPTS = 8, 8

Row = dict[str, Any]
# Fields that only `imagespace pictures build` writes together.
_BUILT = {"glyphs": ("code_point", "radical", "strokes"), "emoji": ("concept", "style", "family")}


def suited_recipe(rows: Sequence[Row]) -> str:
    """The name of the recipe for pictures of these rows: a built set has its own."""
    for name, fields in _BUILT.items():
        if rows and all(all(field in row for field in fields) for row in rows):
            return name
    return "pictures"


def for_folder(
    config: RunConfig,
    rows: Sequence[Row],
    looks: Sequence[Inspected],
    image_size_px: int | None = None,
    with_captions: bool = True,
) -> RunConfig:
    """The pictures recipe for one folder: its size, channels and captions; small sets are varied.

    `looks` are those of some of the pictures. The size is the largest of SIZES_PX, up to 64 px for
    colour, that half of them have. Whatever it is, the network sees 8 x 8 patches, so that a step
    takes the same time. UserError: an impossible size.
    """
    network = config.model.network
    assert isinstance(network, TransformerConfig)
    num_channels = 3 if any(look.has_colour for look in looks) else 1
    if image_size_px is None:
        image_size_px = size_of(looks, LARGEST_COLOUR_PX if num_channels == 3 else SIZES_PX[-1])
    check_size(image_size_px)
    network = network.model_copy(
        update={
            "image_size_px": image_size_px,
            "patch_size_px": image_size_px // NUM_PATCHES_A_SIDE,
            "num_channels": num_channels,
            "max_text_tokens": network.max_text_tokens if with_captions else 0,
        }
    )
    sampling = config.model.sampling
    if with_captions:
        network = sketched(network)
    else:
        sampling = sampling.model_copy(update={"guidance": 1.0})
    prompts = sample_prompts(rows) if with_captions else []
    training = config.training.model_copy(update={"sample_prompts": prompts})
    model = config.model.model_copy(update={"network": network, "sampling": sampling})
    fitted = config.model_copy(update={"model": model, "training": training})
    is_small = sum(row["split"] == TRAIN for row in rows) < SMALL_SET
    return varied(fitted, geometry=0.5) if is_small else fitted


def check_size(image_size_px: int) -> None:
    """Errors: UserError unless pictures of this size can be cut into patches."""
    if image_size_px < 1 or image_size_px % NUM_PATCHES_A_SIDE:
        raise UserError(
            f"--size {image_size_px}",
            "a picture is cut into 8 x 8 patches",
            "Use 32, 64, 128, 256 or 512",
        )


def size_of(looks: Sequence[Inspected], largest_px: int) -> int:
    """The largest of SIZES_PX up to `largest_px` that half of the pictures have."""
    return max(
        (size for size in SIZES_PX if size <= largest_px and have_size(looks, size)),
        default=SIZES_PX[0],
    )


def have_size(looks: Sequence[Inspected], size_px: int) -> bool:
    """Whether half of the pictures have this size, or so nearly that they are enlarged a little."""
    sides = sorted(max(look.width_px, look.height_px) for look in looks)
    return size_px <= 1.1 * sides[len(sides) // 2]


def sample_prompts(rows: Sequence[Row]) -> list[str]:
    """Captions that the sample sheets are drawn from, some learnt and some not; always the same."""
    prompts: list[str] = []
    for learnt, num in ((True, _NUM_LEARNT_PROMPTS), (False, _NUM_NEW_PROMPTS)):
        captions = {row["text"] for row in rows if (row["split"] == TRAIN) == learnt}
        new = captions - {"", *prompts}
        prompts += sorted(new, key=_shuffled)[:num]
    return prompts


def _shuffled(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
