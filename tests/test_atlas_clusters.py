"""The clusters of a map: density, humps, names and labels."""

import dataclasses
import unicodedata
from collections import Counter

import numpy as np
import pytest
from plain_atlas import plain_atlas

from imagespace.atlas.cluster_names import log_odds, name_clusters
from imagespace.atlas.clusters import clusters_of
from imagespace.atlas.density import density_of
from imagespace.atlas.labels import label_columns
from imagespace.errors import UserError


def test_density_integrates_to_one_and_is_a_gaussian_around_a_single_point():
    random = np.random.default_rng(4)
    cloud = density_of(random.normal(size=(500, 2)).astype(np.float32))
    assert cloud.values.sum() * cloud.cell**2 == pytest.approx(1, abs=1e-4)
    corners = np.array([[0, 0], [10, 10]], np.float32)  # far apart: two separate humps
    density = density_of(corners, bandwidth=0.5)
    row, column = density.cells(corners[:1])[0]
    peak = density.values[row, column]
    assert peak == pytest.approx(0.5 / (2 * np.pi * 0.25), rel=0.02)
    away = round(0.5 / density.cell)
    expected = peak * np.exp(-0.5 * (away * density.cell / 0.5) ** 2)
    assert density.values[row, column + away] == pytest.approx(expected, rel=0.06)


def test_separate_humps_are_clusters_and_the_largest_comes_first():
    random = np.random.default_rng(5)
    sizes, middles = (100, 300, 200), ((0, 0), (12, 0), (0, 12))
    truth = np.repeat([0, 1, 2], sizes)
    positions = np.array(middles)[truth] + random.normal(size=(600, 2))
    found = clusters_of(density_of(positions.astype(np.float32)), positions.astype(np.float32))
    assert np.bincount(found).tolist() == [300, 200, 100]
    assert len({(a, b) for a, b in zip(truth, found, strict=True)}) == 3


def test_one_hump_is_one_cluster():
    random = np.random.default_rng(6)
    positions = random.normal(size=(3000, 2)).astype(np.float32)
    density = density_of(positions, bandwidth=1.0)
    assert clusters_of(density, positions).max() == 0


def test_log_odds_are_those_of_the_paper():
    inside, outside = Counter(fish=8, the=20), Counter(fish=2, the=70)
    # Prior a = 0.1 (y_in + y_out): fish 1, the 9, together 10.
    odds = np.log((9 / (38 - 9)) / (3 / (82 - 3)))
    expected = odds / np.sqrt(1 / 9 + 1 / 3)
    found = log_odds(inside, outside)
    assert found["fish"] == pytest.approx(expected)
    assert found["the"] < 0 < found["fish"]


def test_clusters_are_named_after_labels_and_telling_words_and_never_alike():
    cluster_of = np.repeat([0, 1, 2], 40)
    captions = ["a fish of the sea"] * 40 + ["a tall tree"] * 40 + [""] * 40
    labels = {"kind": ["animal"] * 40 + ["plant"] * 40 + ["animal", "plant"] * 20}
    names = name_clusters(cluster_of, captions, labels)
    assert names[0].startswith("animal · ")
    assert names[0].split(" · ")[1] in ("fish", "sea")
    assert names[1].startswith("plant · ")
    assert names[2] == "cluster 3"


@pytest.mark.parametrize(
    ("captions", "names"),
    [
        (["drei Füchse im Schnee", "ein großes Schiff"], ["füchse, schnee", "großes, schiff"]),
        (["рыжая лиса", "синий корабль"], ["лиса, рыжая", "корабль, синий"]),
        (["红色的狐狸", "一只蓝鸟"], ["狐狸, 红色", "蓝鸟"]),
        (["黒い猫と犬", "タワーの写真"], ["犬, 猫", "タワー, 写真"]),
        (["여우 그림", "파란 새들"], ["그림, 여우", "새들, 파란"]),
        (["हिन्दी किताब", "लाल चिड़िया"], ["किताब, हिन्दी", "चिड़िया, लाल"]),
        (["cafe\u0301 noir", "pho_23 x1"], ["café, noir", "pho"]),
    ],
)
def test_clusters_are_named_in_the_script_of_their_captions(captions, names):
    """Whole words of alphabets, with their accents and marks; of Han, what stands together."""
    found = name_clusters(np.repeat([0, 1], 40), [c for c in captions for _ in range(40)], {})
    assert [set(name.split(", ")) for name in found] == [
        set(unicodedata.normalize("NFC", name).split(", ")) for name in names
    ]


def test_names_in_other_scripts_are_drawn_and_not_as_boxes(recwarn):
    pytest.importorskip("matplotlib")
    from imagespace.atlas.fonts import OWN, families_for
    from imagespace.pictures.glyphs import font_file

    try:
        font_file()
    except UserError:
        pytest.skip("the package of the font is not installed")
    assert families_for(["лиса", "Füchse"]) == [OWN]
    atlas = dataclasses.replace(plain_atlas(), cluster_names=["狐狸, 红色", "여우, キツネ"])
    assert len(atlas.view_map()._repr_png_()) > 10_000
    missing = [str(w.message) for w in recwarn if "missing from font" in str(w.message)]
    assert missing == []


def test_label_columns_are_kinds_and_not_names():
    rows = [
        {"file_name": f"{i}.png", "text": "x", "kind": "ab"[i % 2], "id": f"U+{i}", "n": i}
        for i in range(40)
    ]
    del rows[3]["kind"]
    found = label_columns(rows)
    assert list(found) == ["kind"]
    assert found["kind"][:4] == ["a", "b", "a", ""]


def test_small_sets_of_whole_numbers_are_labels_and_name_clusters_where_no_words_do():
    rows = [
        {"label": i % 3, "size": float(i % 2), "odd": bool(i % 2), "year": i, "share": i % 2 / 3}
        for i in range(90)
    ]
    found = label_columns(rows)
    assert list(found) == ["size", "label"]
    assert found["label"][:4] == ["0", "1", "2", "0"]
    assert found["size"][:2] == ["0", "1"]
    half = label_columns([{"kind": ("cat \ud83d", "dog")[i % 2]} for i in range(40)])
    assert half["kind"][:2] == ["cat ?", "dog"]
    # 65 kinds of number are a count; 65 kinds of word are still labels.
    many = [{"n": i % 65, "w": f"w{i % 65}", "few": i % 64} for i in range(6500)]
    assert list(label_columns(many)) == ["w", "few"]
    cluster_of = np.arange(90) % 3
    none = [""] * 90
    assert name_clusters(cluster_of, none, {"label": found["label"]}) == [
        "label 0",
        "label 1",
        "label 2",
    ]
    words = {"label": found["label"], "kind": [("sea", "land", "air")[i % 3] for i in range(90)]}
    assert name_clusters(cluster_of, none, words) == ["sea", "land", "air"]
