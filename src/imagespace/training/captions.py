"""Captions as the network sees them: tokenised once, then chosen afresh at every step."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from imagespace.pictures.folder import PictureSet
from imagespace.pictures.unseen import not_unseen, senses, unseen_captions
from imagespace.text.vectors import TextEncoder
from imagespace.training.config import TrainingConfig


@dataclass(frozen=True)
class CaptionTable:
    """Token ids of every variant of every caption, rows of one picture standing together.

    token_ids int32 [V, L]; row 0 is empty (unconditional). For picture i, `full[i]` is its
    caption's row (0 if it has none); its senses and alternatives are `num` rows from `first`.
    Those that are the very caption of a picture that training does not see are left out, so that
    held-out captions stay unread; and so is the only sense of a caption.
    """

    token_ids: Tensor
    full: Tensor
    first_sense: Tensor
    num_senses: Tensor
    first_alternative: Tensor
    num_alternatives: Tensor

    def choose(self, pictures: Tensor, config: TrainingConfig, random: torch.Generator) -> Tensor:
        """Token ids [B, L] for picture indices [B]: dropped, an alternative, a sense or all."""
        size = len(pictures)
        drop, other, single, pick = torch.rand(4, size, generator=random, dtype=torch.float64)
        rows = self.full[pictures]
        num_senses, alternatives = self.num_senses[pictures], self.num_alternatives[pictures]
        one_sense = self.first_sense[pictures] + (pick * num_senses).long()
        rows = torch.where((single < config.single_sense) & (num_senses > 0), one_sense, rows)
        one_other = self.first_alternative[pictures] + (pick * alternatives).long()
        # A picture without a caption of its own is shown under an alternative or unconditionally.
        chance = torch.where(rows == 0, 1.0, config.alternative_caption)
        rows = torch.where((other < chance) & (alternatives > 0), one_other, rows)
        rows = torch.where(drop < config.caption_dropout, 0, rows)
        return self.token_ids[rows]


def build_caption_table(
    pictures: PictureSet, encoder: TextEncoder, max_num_tokens: int
) -> CaptionTable:
    """Tokenises each distinct caption, sense and alternative once."""
    unseen = unseen_captions(pictures)
    texts = [""]
    full, first_sense, num_senses, first_other, num_others = [], [], [], [], []
    for caption, also in zip(pictures.captions, pictures.alternatives, strict=True):
        several = senses(caption)
        alone = not_unseen(several, unseen) if len(several) > 1 else []
        alternatives = not_unseen(also, unseen)
        full.append(len(texts) if caption else 0)
        texts += [caption] if caption else []
        first_sense.append(len(texts))
        num_senses.append(len(alone))
        texts += alone
        first_other.append(len(texts))
        num_others.append(len(alternatives))
        texts += alternatives
    distinct = sorted(set(texts) - {""})
    row_of = {text: row for row, text in enumerate(["", *distinct])}
    batch = encoder.encode(["", *distinct], max_num_tokens)
    return CaptionTable(
        token_ids=batch.token_ids[_rows(texts, row_of)],
        full=torch.tensor(full),
        first_sense=torch.tensor(first_sense),
        num_senses=torch.tensor(num_senses),
        first_alternative=torch.tensor(first_other),
        num_alternatives=torch.tensor(num_others),
    )


def _rows(texts: Sequence[str], row_of: dict[str, int]) -> Tensor:
    return torch.tensor([row_of[text] for text in texts])
