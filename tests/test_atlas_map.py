"""The map: its space, neighbours, density, clusters, names and scores; and the atlas as a file."""

import dataclasses
import json
import os
import subprocess
import sys
import unicodedata
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from command import ENVIRONMENT, run
from PIL import Image
from plain_atlas import plain_atlas, walks_of

from imagespace.atlas.atlas import ATLAS_FILE, Atlas, load_atlas
from imagespace.atlas.cluster_names import log_odds, name_clusters
from imagespace.atlas.clusters import clusters_of
from imagespace.atlas.density import density_of
from imagespace.atlas.labels import label_columns
from imagespace.atlas.map_scores import purity, trustworthiness
from imagespace.atlas.map_walks import about_walks, load_walks
from imagespace.atlas.neighbours import nearest
from imagespace.atlas.space import boxes_a_side, describe_grid, fit_space
from imagespace.atlas.sprites import Sprites, as_kept, shrink, sprites_from_sheet
from imagespace.atlas.stamp import stamp_of
from imagespace.errors import UserError


def test_neighbours_are_those_of_all_distances():
    random = np.random.default_rng(0)
    points = random.normal(size=(700, 6)).astype(np.float32)
    queries = random.normal(size=(9, 6)).astype(np.float32)
    queries[4] = points[77]
    indices, distances = nearest(queries, points, 5)
    all_of_them = np.linalg.norm(queries[:, None].astype(float) - points[None], axis=2)
    assert np.array_equal(indices, np.argsort(all_of_them, axis=1)[:, :5])
    assert np.allclose(distances, np.sort(all_of_them, axis=1)[:, :5], atol=1e-6)
    assert distances[4, 0] == 0
    own, _ = nearest(points, points, 3, skip_self=True)  # more than one block
    assert not (own == np.arange(700)[:, None]).any()


def test_distances_in_the_space_never_exceed_those_of_the_pictures():
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (60, 24, 24, 3)).astype(np.uint8)
    pixels[30:] = (pixels[30:] // 8 * 8).repeat(2, axis=1)[:, :24]
    space, coordinates = fit_space("pixel", pixels, describe_grid)
    assert np.allclose(space.coordinates(pixels), coordinates, atol=1e-6)
    values = pixels.reshape(60, -1).astype(float) / 127.5 - 1
    true = np.sqrt(((values[:, None] - values[None]) ** 2).mean(axis=2))
    near = np.linalg.norm(coordinates[:, None] - coordinates[None], axis=2)
    assert (near <= true + 1e-5).all()
    # All components and both lengths together are the whole length of a picture.
    whole = np.sqrt((coordinates.astype(float) ** 2).sum(axis=1))
    vectors, lost = describe_grid(pixels.astype(np.float32) / 127.5 - 1)
    total = ((vectors - space.centre) ** 2).sum(axis=1) + (lost**2).sum(axis=1)
    assert np.allclose(whole, np.sqrt(total), atol=1e-5)


def test_the_parts_of_a_picture_add_up_and_noise_is_mostly_finest_detail():
    noise = np.random.default_rng(2).normal(size=(8, 128, 128, 1)).astype(np.float32)
    vectors, lost = describe_grid(noise)
    parts = np.column_stack([(vectors**2).sum(axis=1), lost**2])
    assert np.allclose(parts.sum(axis=1), (noise**2).mean(axis=(1, 2, 3)), rtol=1e-4)
    # White noise in boxes of 64 pixels: 1/64 in their means, 1/4 - 1/64 above, 3/4 in the finest.
    assert np.allclose(parts.mean(axis=0), [1 / 64, 1 / 4 - 1 / 64, 3 / 4], atol=0.01)


@pytest.mark.parametrize(
    ("size", "boxes"),
    [(128, 16), (64, 16), (96, 16), (28, 14), (12, 12), (97, 16), (148, 16), (31, 31)],
)
def test_boxes_divide_the_picture_or_are_sixteen(size, boxes):
    assert boxes_a_side(size) == boxes


def test_a_side_with_large_prime_factors_has_no_more_coordinates_than_another():
    """Boxes of 6 and 7 pixels: the parts still add up, and distances are still no larger."""
    random = np.random.default_rng(7)
    pictures = random.normal(size=(6, 97, 97, 3)).astype(np.float32)
    pictures[3:] = pictures[3:, :1] + 0.1 * pictures[3:]
    vectors, lost = describe_grid(pictures)
    assert vectors.shape == (6, 16 * 16 * 3)
    whole = (pictures.astype(float) ** 2).mean(axis=(1, 2, 3))
    assert np.allclose((vectors**2).sum(axis=1) + (lost**2).sum(axis=1), whole, rtol=1e-4)
    near = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    near += ((lost[:, None] - lost[None]) ** 2).sum(axis=2)
    true = ((pictures[:, None] - pictures[None]) ** 2).mean(axis=(2, 3, 4))
    assert (near <= true * (1 + 1e-4) + 1e-6).all()
    # A picture that is the same in each box loses nothing, and is as long as its vector.
    even = np.repeat(np.arange(16), np.diff(np.append(np.arange(16) * 97 // 16, 97)))
    flat = random.normal(size=(1, 16, 16, 3)).astype(np.float32)[:, even][:, :, even]
    vectors, lost = describe_grid(flat)
    assert np.abs(lost).max() < 1e-3
    assert np.isclose((vectors**2).sum(), (flat**2).mean(), rtol=1e-5)


def test_trustworthiness_is_that_of_scikit_learn():
    manifold = pytest.importorskip("sklearn.manifold")
    random = np.random.default_rng(3)
    points = random.normal(size=(120, 5)).astype(np.float32)
    for positions in (points[:, :2], random.normal(size=(120, 2)).astype(np.float32)):
        expected = manifold.trustworthiness(points, positions, n_neighbors=7)
        assert trustworthiness(points, positions, 7) == pytest.approx(expected, abs=1e-9)
    assert trustworthiness(points, points, 7) == 1
    # A sum over two halves is, on the average, the sum over all.
    halves = [trustworthiness(points, points[:, :2], 7, np.arange(i, 120, 2)) for i in (0, 1)]
    assert np.mean(halves) == pytest.approx(trustworthiness(points, points[:, :2], 7))


def test_purity_counts_labelled_neighbours_alone():
    neighbours = np.array([[1, 2], [0, 3], [0, 1], [0, 1]])
    labels = np.array(["a", "a", "b", ""])
    # Of 0: a, b. Of 1: a (3 has no label). Of 2: a, a. 3 does not count.
    assert purity(neighbours, labels) == pytest.approx((1 + 1 + 0) / (2 + 1 + 2))


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


def test_sprites_come_back_from_their_file(tmp_path):
    random = np.random.default_rng(7)
    grey = as_kept(shrink(random.integers(0, 256, (11, 48, 48, 1)).astype(np.uint8)))
    (tmp_path / "sprites").write_bytes(grey.as_file())
    with Image.open(tmp_path / "sprites") as sheet:
        again = sprites_from_sheet(sheet, 11, 24, 1)
    assert np.array_equal(again.pixels, grey.pixels)
    flat = np.broadcast_to(np.arange(0, 220, 20).reshape(11, 1, 1, 1), (11, 8, 8, 3))
    coloured = Sprites(np.ascontiguousarray(flat, dtype=np.uint8))
    (tmp_path / "sprites").write_bytes(coloured.as_file())
    with Image.open(tmp_path / "sprites") as sheet:
        again = sprites_from_sheet(sheet, 11, 8, 3)
    means = again.pixels.mean(axis=(1, 2, 3))
    assert np.abs(means - coloured.pixels.mean(axis=(1, 2, 3))).max() < 6


def test_a_stamp_changes_with_any_file_and_not_with_the_cache(tmp_path):
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.png").write_bytes(b"one")
    before = stamp_of(folder)
    (folder / ".imagespace").mkdir()
    (folder / ".imagespace" / "pixels").write_bytes(b"cache")
    assert stamp_of(folder) == before
    (folder / "deep" / "b.png").write_bytes(b"two")
    assert stamp_of(folder) != before
    assert stamp_of(tmp_path / "gone") == ""


def test_a_stamp_changes_with_a_file_behind_a_linked_folder(tmp_path):
    """What is read as a picture of the set is stamped, wherever it lies."""
    folder, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "a.png").write_bytes(b"one")
    (elsewhere / "b.png").write_bytes(b"two")
    alone = stamp_of(folder)
    (folder / "linked").symlink_to(elsewhere)
    before = stamp_of(folder)
    assert before != alone
    (elsewhere / "b.png").write_bytes(b"three")
    changed = stamp_of(folder)
    assert changed != before
    (elsewhere / os.fsdecode(b"c-\xff.png")).write_bytes(b"no UTF-8")
    assert stamp_of(folder) != changed
    (elsewhere / "back").symlink_to(folder)  # a ring is walked once
    assert len(stamp_of(folder)) == 32


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["map", "--space", "outer"], "Use one of pixel, latent, feature"),
        (["map", "--space", "latent", "--data", "enough"], "has no latents. Use pixel or feature"),
        (["map", "--num", "49"], "--num 49"),
        (["map", "--data", "few"], "a map needs at least 50"),
        (["map", "--walks", "-1"], "-1 walks"),
        (["map", "--steps", "1"], "1 steps"),
        (["map", "--seed", "-1"], "--seed -1"),
        (["map", "run"], "is a folder without a trained model"),
        (["map", "magic"], "neither a shipped model"),
        (["map", "--out", "file"], "is not a folder"),
        (["map", "--out", "file/deep"], "cannot be written"),
        (["map", "--walks", "0", "--prompt", "fish"], "no walk is there"),
        (["map", "--walks", "0", "--film"], "no walk is there to show"),
        # What only the pictures or the model can tell is told before the map is made.
        (["map", "--data", "enough", "--colour", "kind"], "the pictures carry no labels"),
        (["map", "--data", "enough", "--prompt", "x" * 300], "x" * 300),
        (["map", "--out", "few"], "holds other files"),
    ],
)
def test_mistakes_are_one_line_and_lose_nothing(tmp_path, refusal, monkeypatch, words, says):
    monkeypatch.setattr("imagespace.atlas.building.build_atlas", None)
    (tmp_path / "few").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "file").write_text("mine")
    for folder, num in (("few", 3), ("enough", 50)):
        (tmp_path / folder).mkdir(exist_ok=True)
        for number in range(num if folder in words else 1):
            Image.new("L", (8, 8), 5 * number).save(tmp_path / folder / f"{number}.png")
    before = {p for p in tmp_path.rglob("*") if p.name != ".imagespace"}
    assert says in refusal(*words)
    after = {p for p in tmp_path.rglob("*") if ".imagespace" not in p.parts}
    assert after == before


def test_reading_an_atlas_needs_neither_torch_nor_umap(tmp_path):
    code = (
        "import sys; from imagespace.atlas import load_atlas\n"
        "from imagespace.errors import UserError\n"
        "try: load_atlas('.')\n"
        "except UserError as error: assert 'holds no atlas' in str(error)\n"
        "sys.exit(bool({'torch', 'umap', 'numba'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, cwd=tmp_path).returncode == 0
    )


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("atlas.npz", lambda whole: b"torn"),
        ("atlas.npz", lambda whole: whole[:-200]),
        ("atlas.npz", lambda whole: whole[:300] + b"x" * 200 + whole[500:]),
        ("atlas.json", lambda whole: b"[]"),
        ("atlas.json", lambda whole: whole.replace(b'"density_low"', b'"density_high"')),
        ("atlas.json", lambda whole: whole[:-30]),
        ("sprites", lambda whole: whole[:100]),
        ("walks.npz", lambda whole: whole[:-200]),
        ("walks.npz", lambda whole: b""),
        ("walk-sprites", lambda whole: b""),
    ],
)
def test_a_damaged_file_is_told_with_its_remedy(tmp_path, name, damage):
    atlas = plain_atlas()
    walks = walks_of(atlas)
    atlas.save(tmp_path)
    walks.save(tmp_path)
    assert load_walks(tmp_path, walks.about).prompts == walks.prompts
    (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    with pytest.raises(UserError, match=r"damaged atlas\. Make it again: add --overwrite"):
        _ = load_atlas(tmp_path), load_walks(tmp_path, walks.about)


def test_files_of_two_atlases_are_no_atlas(tmp_path):
    """Of as many pictures of one size: they fit together, and mean nothing."""
    atlas = plain_atlas()
    other = dataclasses.replace(
        atlas, positions=-atlas.positions, sprites=Sprites(255 - atlas.sprites.pixels)
    )
    for name in ("atlas.npz", "sprites"):
        atlas.save(tmp_path / "a")
        other.save(tmp_path / "b")
        assert load_atlas(tmp_path / "b").positions[0, 0] == -atlas.positions[0, 0]
        (tmp_path / "a" / name).replace(tmp_path / "b" / name)
        with pytest.raises(UserError, match="damaged"):
            load_atlas(tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": SimpleNamespace(sha256="2")}, "other weights"),
        ({"pictures": SimpleNamespace(key="2")}, "other pictures"),
        ({"space": {"name": "latent"}}, "the latent space: is not the one"),
        ({"space": {"centre": np.ones(3, np.float32)}}, "the pixel space: is not the one"),
        ({"space": {"components": -np.eye(3, dtype=np.float32)}}, "space_of_atlas"),
    ],
)
def test_walks_and_replays_are_of_the_model_pictures_and_space_of_the_map(change, says):
    pytest.importorskip("matplotlib")
    from imagespace.atlas.made_from import check_made_from
    from imagespace.atlas.map_walks import walk_on_map
    from imagespace.atlas.replay import view_replay
    from imagespace.atlas.space import PictureSpace

    atlas = plain_atlas()
    basis = (atlas.basis["centre"].copy(), atlas.basis["components"].copy())
    space = PictureSpace("pixel", *basis, 1.0, describe_grid)
    given = {"model": SimpleNamespace(sha256="0"), "pictures": SimpleNamespace(key="1")}
    given["space"] = space
    check_made_from(atlas, **given)
    if "space" in change:
        change = {"space": dataclasses.replace(space, **change["space"])}
    for use in (walk_on_map, view_replay):
        with pytest.raises(UserError, match=says):
            use(atlas, **{**given, **change})


def test_walks_of_another_layout_of_the_same_pictures_are_not_used_again(tmp_path):
    atlas = plain_atlas()
    walks = walks_of(atlas)
    walks.save(tmp_path)
    moved = dataclasses.replace(atlas, positions=atlas.positions + 1)
    assert load_walks(tmp_path, about_walks(moved, 4, 3, 0, ["fish"])) is None
    assert load_walks(tmp_path, about_walks(atlas, 4, 3, 0, ["fish"])) is not None


@pytest.fixture
def keep_space(shapes_folder, tmp_path, monkeypatch):
    """Keeps an image-text space of random weights as the one learnt from the shapes."""
    import torch

    from imagespace.evaluation import space_training
    from imagespace.evaluation.image_text_space import ImageTextNetwork, ImageTextSpace, save_space
    from imagespace.pictures.folder import read_folder
    from imagespace.text.vectors import load_text_encoder

    pictures, encoder = read_folder(shapes_folder, 16, 1), load_text_encoder()
    monkeypatch.setattr(space_training, "CACHE", tmp_path)

    def keep(seed: int):
        torch.manual_seed(seed)
        network = ImageTextNetwork(1, encoder.width)
        path = tmp_path / f"{pictures.key}-{encoder.fingerprint}.safetensors"
        save_space(path, ImageTextSpace(network, encoder, 1, pictures.key, ""))
        return path

    return pictures, keep


def test_an_atlas_is_not_read_with_features_that_were_learnt_anew(keep_space):
    from imagespace.atlas.building import space_of_atlas
    from imagespace.atlas.features import features_of

    pictures, keep = keep_space
    keep(0)
    name, extract = features_of(pictures)
    about = {"data_key": pictures.key, "space": "feature", "features": name, "explained": 1.0}
    atlas = dataclasses.replace(
        plain_atlas(),
        about=plain_atlas().about | about,
        basis={
            "centre": np.zeros(768, np.float32),
            "components": np.eye(50, 768, dtype=np.float32),
            "feature_centre": np.zeros(768, np.float32),
            "feature_spread": np.ones(768, np.float32),
        },
    )
    found = space_of_atlas(atlas, pictures).coordinates(pictures.pixels[:3])
    of_features = extract(pictures.pixels[:3].copy())[:, :50]
    # A vector is divided by the root of its 768 values, so that a length is a root mean square.
    assert np.allclose(found[:, :50], of_features / 768**0.5, atol=1e-4)
    keep(1)
    with pytest.raises(UserError, match=r"made from image-text-\w{16} .*--overwrite"):
        space_of_atlas(atlas, pictures)


def test_random_features_serve_few_pictures_and_hide_no_damage(keep_space):
    from imagespace.atlas.features import features_of

    pictures, keep = keep_space
    few = dataclasses.replace(pictures, splits=np.array(["train"] * 31 + ["validation"] * 49))
    assert features_of(few)[0] == "random"
    keep(0).write_bytes(b"torn")
    with pytest.raises(UserError, match=r"is not a whole image-text space\. Delete it"):
        features_of(pictures)


def test_the_caption_of_the_map_tells_the_purity_of_the_label_that_colours_it():
    sides = ["left-right", "top-bottom", "other"] * 20
    atlas = plain_atlas(structure=sides, radical=["water", "fire"] * 30)
    by_structure, by_radical = atlas.view_map(), atlas.view_map("radical")
    assert "98.0 % of a picture's neighbours share its structure" in by_structure.title
    assert "47.0 % of a picture's neighbours share its radical (5.0 %" in by_radical.title


@pytest.fixture(scope="module")
def small_atlas(shapes_folder, tiny_model) -> Atlas:
    pytest.importorskip("umap")
    from imagespace.atlas import build_atlas
    from imagespace.pictures.folder import read_folder

    return build_atlas(tiny_model, read_folder(shapes_folder, 16, 1))


@pytest.mark.slow
def test_the_same_seed_is_the_same_map_and_a_file_brings_it_back(
    small_atlas, shapes_folder, tiny_model, tmp_path
):
    from imagespace.atlas import build_atlas
    from imagespace.pictures.folder import read_folder

    again = build_atlas(tiny_model, read_folder(shapes_folder, 16, 1))
    assert np.array_equal(again.positions, small_atlas.positions)
    loaded = load_atlas(small_atlas.save(tmp_path / "atlas"))
    for name in ("positions", "coordinates", "cluster_of", "rows"):
        assert np.array_equal(getattr(loaded, name), getattr(small_atlas, name)), name
    assert np.array_equal(loaded.sprites.pixels, small_atlas.sprites.pixels)
    assert np.array_equal(loaded.density.values, small_atlas.density.values)
    assert loaded.captions == small_atlas.captions
    assert loaded.scores == json.loads(json.dumps(small_atlas.scores))
    assert loaded.about == json.loads(json.dumps(small_atlas.about))
    # Lines, discs, squares and crosses lie apart: neighbours share their caption.
    captions = np.array(loaded.captions)
    own, _ = nearest(loaded.positions, loaded.positions, 5, skip_self=True)
    assert (captions[own] == captions[:, None]).mean() > 0.5
    assert b"<img" in loaded._repr_html_().encode()
    with pytest.raises(UserError, match="no labels"):
        loaded.view_map("kind")


@pytest.mark.slow
def test_the_command_keeps_its_atlas_and_refuses_others(tmp_path, shapes_folder, tiny_run):
    """A real run folder: map, walks, basins, replay; again from the cache; other pictures."""
    pytest.importorskip("umap")
    import shutil

    from imagespace.pictures.folder import read_folder
    from imagespace.text.vectors import load_text_encoder
    from imagespace.training.loop import train
    from imagespace.training.picture_data import PictureData

    data, encoder = tmp_path / "data", load_text_encoder()
    shutil.copytree(shapes_folder, data)
    model = tiny_run.model.model_copy(update={"text_fingerprint": encoder.fingerprint})
    config = tiny_run.model_copy(update={"model": model})
    pictures = PictureData(config, read_folder(data, 16, 1), encoder)
    for _ in train(config, pictures, tmp_path / "run"):
        pass
    words = ["map", "run", "--data", "data", "--walks", "3", "--steps", "4"]
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "run" / "atlas"
    names = {"map.png", "walks.png", "basins.png", "replay.png", "replay.webp", ATLAS_FILE}
    assert names <= {path.name for path in folder.iterdir()}
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = run(*words, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    # Films of the walks are made when they are asked for, of what is kept.
    assert not {"walks.webp", "basins.webp"} & set(before)
    filmed = run(*words, "--film", cwd=tmp_path)
    assert filmed.returncode == 0, filmed.stderr
    for name in ("walks.webp", "basins.webp"):
        with Image.open(folder / name) as film:
            assert film.n_frames == 4
        (folder / name).unlink()
    for more in (["--seed", "1"], ["--num", "60"], ["--space", "feature"]):
        refused = run(*words, *more, cwd=tmp_path)
        assert refused.returncode == 2
        assert f"made with other {more[0]}" in refused.stderr
    Image.new("L", (16, 16), 99).save(data / "0.png")
    refused = run(*words, cwd=tmp_path)
    assert refused.returncode == 2
    assert "other pictures" in refused.stderr
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    # Only the notes of what was drawn know of the films.
    assert after | {"drawn.json": before["drawn.json"]} == before
