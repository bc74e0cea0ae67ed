"""The atlas as a file: what brings it back, what is damaged, and what it was made from."""

import dataclasses
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from command import ENVIRONMENT, run
from PIL import Image
from plain_atlas import plain_atlas, walks_of

from imagespace.atlas.atlas import ATLAS_FILE, Atlas, load_atlas
from imagespace.atlas.map_walks import about_walks, load_walks
from imagespace.atlas.neighbours import nearest
from imagespace.atlas.space import describe_grid
from imagespace.atlas.sprites import Sprites, as_kept, shrink, sprites_from_sheet
from imagespace.atlas.stamp import stamp_of
from imagespace.errors import UserError


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
