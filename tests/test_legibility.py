"""The reader reads real glyphs, and its probabilities are those of one character."""

import importlib.util

import numpy as np
import pytest

from imagespace.errors import UserError
from imagespace.evaluation.legibility import (
    GlyphReader,
    Reading,
    _thresholds,
    legibility,
    single_character_probability,
    surer_share,
)
from imagespace.evaluation.quality import uniform_noise
from imagespace.pictures.glyphs import GlyphRenderer, font_file

COMMON = "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家"

needs_reader = pytest.mark.skipif(
    any(
        importlib.util.find_spec(name) is None
        for name in ("rapidocr_onnxruntime", "onnxruntime", "noto_cjk_sans_otc")
    ),
    reason="the reader's packages or the font are absent",
)


def test_single_character_probability_sums_over_all_paths():
    """Against brute force over every path of blanks and characters."""
    answers = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 4))
    found = single_character_probability(answers)
    expected = np.zeros((2, 2))
    for path in np.ndindex(3, 3, 3, 3):
        kept = [c for t, c in enumerate(path) if c and (t == 0 or path[t - 1] != c)]
        if len(kept) == 1:
            expected[:, kept[0] - 1] += np.prod([answers[:, t, c] for t, c in enumerate(path)], 0)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.fixture(scope="module")
def glyphs():
    renderer = GlyphRenderer(font_file(), 128)
    return np.stack([np.asarray(renderer.render(c)) for c in COMMON])[..., None]


@needs_reader
def test_common_glyphs_are_read(glyphs):
    reader = GlyphReader()
    reading = reader.read(glyphs)
    assert np.mean(reading.characters == np.array(list(COMMON))) >= 0.85  # chance 1 in 6,624
    alone = reader.read(glyphs[3:4])
    assert alone.characters[0] == reading.characters[3]
    assert alone.probability[0] == pytest.approx(reading.probability[3], abs=1e-3)
    colour = reader.read(glyphs.repeat(3, axis=3))
    assert np.array_equal(colour.characters, reading.characters)


@needs_reader
def test_noise_is_not_taken_for_writing(glyphs):
    noise = uniform_noise((40, 128, 128, 1), seed=0)
    upside_down = glyphs[:, ::-1]
    report = legibility(
        GlyphReader(), glyphs, list(COMMON), {"noise": noise, "turned": upside_down}
    )
    like = report["glyph_like"]
    assert like["real"]["value"] > 0.7
    assert like["noise"]["value"] < 0.1
    assert like["turned"]["value"] < like["real"]["value"]
    assert report["read_right"]["real"]["num"] == len(COMMON)


@needs_reader
def test_too_few_known_glyphs_are_refused(glyphs):
    with pytest.raises(UserError, match="at least 40"):
        legibility(GlyphReader(), glyphs[:10], list(COMMON[:10]), {})


def test_the_error_holds_that_of_the_threshold():
    """The share of 2,000 above the least sure tenth of 40 moves with that tenth."""
    shares, errors, held = [], [], []
    for seed in range(300):
        random = np.random.default_rng(seed)
        found = surer_share(random.random(2000), _thresholds(random.random(40)))
        shares.append(found["value"])
        errors.append(found["error"])
        low, high = found["interval"]
        held.append(low <= 0.9 <= high)
    assert np.mean(errors) == pytest.approx(np.std(shares), rel=0.25)
    assert np.std(shares) > 5 * (0.9 * 0.1 / 2000) ** 0.5
    assert np.mean(held) > 0.85


def test_weights_count_as_pictures():
    """Half of the known ones stand for all of them, beside the unknown ones."""
    thresholds = np.full(3, 0.5)
    found = surer_share(np.array([0.9, 0.1, 0.2, 0.3]), thresholds, np.array([3.0, 1, 1, 1]))
    assert found["value"] == pytest.approx(3 / 6)
    # As sure as 36 / (9 + 3) readings of one weight.
    assert found["error"] == pytest.approx((0.25 / 3) ** 0.5)


class Sure:
    """Reads every glyph by the number in its first pixel; knows a, b and c."""

    vocabulary = np.array(list("abc"))

    def read(self, pixels):
        number = pixels[:, 0, 0, 0].astype(float)
        return Reading(np.array(list("abc"))[(number % 3).astype(int)], number / 255)


def test_real_ones_are_of_the_mix_that_samples_are_asked_for():
    """40 known glyphs, of which nine tenths are read more surely than their tenth, and 60 not."""
    numbers = np.concatenate([np.arange(100, 140), np.zeros(60)]).astype(np.uint8)
    real = np.broadcast_to(numbers[:, None, None, None], (100, 8, 8, 1))
    like = legibility(Sure(), real, ["a"] * 40 + ["x"] * 60, {"samples": real})["glyph_like"]
    assert list(like) == ["samples", "real", "real_known", "real_unknown"]
    assert like["real_known"]["value"] == pytest.approx(0.9)
    assert like["real_unknown"]["value"] == 0
    assert like["real"]["value"] == pytest.approx(0.36)
    assert like["samples"]["value"] == pytest.approx(0.36)
