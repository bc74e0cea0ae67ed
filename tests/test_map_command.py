"""`imagespace map` on real files: what it keeps, draws anew, refuses, and writes nonetheless."""

import json
import shutil
import sys
import weakref
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from imagespace.atlas.map_walks import WALK_SPRITES_FILE
from imagespace.atlas.neighbours import nearest
from imagespace.checkpoints import save_model
from imagespace.cli import main
from imagespace.text.vectors import load_text_encoder

pytestmark = pytest.mark.skipif(find_spec("umap") is None, reason="needs the extra `atlas`")


@pytest.fixture(autouse=True)
def quick_layout(monkeypatch):
    """The first two coordinates in place of UMAP, which compiles for half a minute."""
    for module in ("building", "refit"):
        monkeypatch.setattr(
            f"imagespace.atlas.{module}.lay_out", lambda x, *_, **__: x[:, :2].copy()
        )
    monkeypatch.setattr("imagespace.atlas.building.import_umap", lambda: None)


@pytest.fixture
def write_model(tiny_run, tiny_model):
    """Writes a model file: the tiny model's weights, each moved by as much."""

    def write(path, moved=0.0):
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = {n: w + moved for n, w in tiny_model.network.state_dict().items()}
        fingerprint = load_text_encoder().fingerprint
        save_model(
            path, weights, tiny_run.model.model_copy(update={"text_fingerprint": fingerprint})
        )

    return write


@pytest.fixture
def data(tmp_path, shapes_folder):
    """The shapes in a folder of their own, with two labels: of two kinds and of four."""
    folder = shutil.copytree(shapes_folder, tmp_path / "data")
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    for number, line in enumerate(lines):
        line |= {"side": ("left", "right")[number % 2], "corner": "abcd"[number % 4]}
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def map_run(tmp_path, shapes_folder, write_model, monkeypatch, capsys):
    """Maps the run folder `run`; returns (exit code, stdout, stderr)."""
    write_model(tmp_path / "run" / "model.safetensors")
    monkeypatch.chdir(tmp_path)

    def of(*words, data=shapes_folder):
        told = ["map", "run", "--data", str(data), "--steps", "2", *words]
        monkeypatch.setattr(sys, "argv", ["imagespace", *told])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return of


def test_a_damaged_history_costs_the_replay_and_not_the_page(tmp_path, map_run, write_model):
    history, atlas = tmp_path / "run" / "history", tmp_path / "run" / "atlas"
    history.mkdir()
    code, _, err = map_run("--walks", "0")
    assert (code, err) == (0, "")  # a history without weights is no run's
    assert not (atlas / "replay.png").exists()
    (atlas / "index.html").unlink()
    write_model(history / "images-0000000000.safetensors", 0.01)
    (history / "images-0000000160.safetensors").write_bytes(b"torn")
    code, _, err = map_run("--walks", "0")
    assert code == 0
    assert "the replay is left out" in err
    assert "images-0000000160" in err
    assert err.count("\n") == 1
    assert (atlas / "index.html").is_file()
    assert not (atlas / "replay.png").exists()
    write_model(history / "images-0000000160.safetensors")
    code, out, err = map_run("--walks", "0")
    assert (code, err) == (0, "")
    assert "from 0 pictures seen (orange) to 160 (violet)" in out
    with Image.open(atlas / "replay.webp") as film:
        assert film.n_frames == 2


def test_a_replay_holds_one_state_of_the_training_beside_the_next(
    tmp_path, map_run, write_model, monkeypatch
):
    from imagespace.evaluation import curves

    for number in range(5):
        write_model(tmp_path / "run" / "history" / f"images-{number:010d}.safetensors")
    alive, most, right = weakref.WeakSet(), [], curves.load

    def load(file):
        model = right(file)
        alive.add(model)
        most.append(len(alive))
        return model

    monkeypatch.setattr(curves, "load", load)
    assert map_run("--walks", "0")[0] == 0
    assert len(most) == 5
    assert max(most) <= 2


def test_a_page_of_other_walks_or_of_none_is_written_again(tmp_path, map_run):
    """Also where an interruption left walks without the page that shows them."""
    page = tmp_path / "run" / "atlas" / "index.html"
    assert map_run("--walks", "2")[0] == 0
    page.unlink()
    assert map_run("--walks", "0")[0] == 0
    assert b'id="data-walk-sprites"' not in page.read_bytes()
    assert map_run("--walks", "2")[0] == 0
    with_walks = page.read_bytes()
    assert b'id="data-walk-sprites"' in with_walks
    # Nobody asked for walks, and a page that has them is of the same map.
    assert map_run("--walks", "0")[0] == 0
    assert page.read_bytes() == with_walks
    assert map_run("--walks", "2", "--prompt", "a disc")[0] == 0
    assert page.read_bytes() != with_walks
    page.write_bytes(b"torn by hand")
    (page.parent / "drawn.json").write_bytes(b"[")
    assert map_run("--walks", "2", "--prompt", "a disc")[0] == 0
    assert b"torn" not in page.read_bytes()


def test_a_map_in_another_colour_is_drawn_again_and_so_is_the_first(tmp_path, map_run, data):
    """`--colour` holds for the command that names it, and for no later one."""
    image = tmp_path / "run" / "atlas" / "map.png"
    assert map_run("--walks", "0", data=data)[0] == 0
    plain = image.read_bytes()
    assert map_run("--walks", "0", "--colour", "corner", data=data)[0] == 0
    coloured = image.read_bytes()
    assert coloured != plain
    written = image.stat().st_mtime_ns
    assert map_run("--walks", "0", "--colour", "corner", data=data)[0] == 0
    assert image.stat().st_mtime_ns == written
    assert map_run("--walks", "0", data=data)[0] == 0
    assert image.read_bytes() == plain


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_atlas_of_other_weights_is_refused_and_never_mixed(tmp_path, map_run, write_model):
    atlas = tmp_path / "run" / "atlas"
    assert map_run("--walks", "2")[0] == 0
    before = contents(atlas)
    write_model(tmp_path / "run" / "model.safetensors", moved=0.05)
    code, _, err = map_run("--walks", "2")
    assert code == 2
    assert "is an atlas made with other weights" in err
    assert contents(atlas) == before
    assert map_run("--walks", "2", "--overwrite")[0] == 0
    about, old = (json.loads(each["atlas.json"]) for each in (contents(atlas), before))
    for name in ("weights_sha256", "model_sha256"):
        assert about[name] != old[name]
    # The same pictures lie where they lay; the walks are those of the new weights.
    assert contents(atlas)[WALK_SPRITES_FILE] != before[WALK_SPRITES_FILE]
    assert contents(atlas)["walks.png"] != before["walks.png"]
    assert contents(atlas)["index.html"] != before["index.html"]


def test_an_atlas_that_was_built_in_python_is_known_by_its_weights(
    tmp_path, map_run, write_model, shapes_folder
):
    from imagespace import load
    from imagespace.atlas import build_atlas
    from imagespace.pictures.folder import read_folder

    atlas, run = tmp_path / "run" / "atlas", tmp_path / "run"
    pictures = read_folder(shapes_folder, 16, 1)
    build_atlas(load(run), pictures, seed=3).save(atlas)
    before = (atlas / "atlas.json").read_bytes()
    assert map_run("--walks", "0", "--seed", "3")[0] == 0
    assert (atlas / "atlas.json").read_bytes() == before
    refused = map_run("--walks", "0", "--seed", "4")
    assert refused[0] == 2
    assert "other --seed" in refused[2]
    write_model(run / "model.safetensors", moved=0.05)
    refused = map_run("--walks", "0", "--seed", "3")
    assert refused[0] == 2
    assert "other weights" in refused[2]


@pytest.mark.slow
def test_a_map_of_learnt_features_tells_noise_and_walks_in_its_own_space_alone(
    tmp_path, map_run, shapes_folder, monkeypatch
):
    from imagespace.atlas import load_atlas
    from imagespace.evaluation import space_training
    from imagespace.pictures.folder import read_folder

    pictures, encoder = read_folder(shapes_folder, 16, 1), load_text_encoder()
    monkeypatch.setattr(space_training, "CACHE", tmp_path / "spaces")
    right = space_training.learn_space
    monkeypatch.setattr(space_training, "learn_space", lambda *a, **k: right(*a, 8, **k))
    words = ("--space", "feature", "--walks", "6")
    assert map_run(*words)[0] == 0
    atlas = load_atlas(tmp_path / "run" / "atlas")
    kept = space_training.kept_space(pictures.key, encoder)
    assert atlas.about["features"] == f"image-text-{kept.fingerprint}"
    assert atlas.scores["off_map"]["noise"] == 1
    # Squares, discs, lines and crosses keep apart: a picture's neighbours share its caption.
    captions = np.array(atlas.captions)
    own, _ = nearest(atlas.coordinates, atlas.coordinates, 5, skip_self=True)
    assert (captions[own] == captions[:, None]).mean() > 0.5
    before = contents(tmp_path / "run" / "atlas")
    with np.load(tmp_path / "run" / "atlas" / "walks.npz") as walks:
        assert (walks["ratio"][:, 0] > 1).all()
        assert walks["positions"].shape == (6, 2, 2)
    # Learnt again elsewhere it is another space: walks in it would lie anywhere.
    (file,) = (tmp_path / "spaces").iterdir()
    file.unlink()
    monkeypatch.setattr(space_training, "learn_space", lambda *a, **k: right(*a, 1, **k))
    code, _, err = map_run("--space", "feature", "--walks", "7")
    assert code == 2
    assert f"was made from image-text-{kept.fingerprint} features" in err
    assert "--overwrite" in err
    assert contents(tmp_path / "run" / "atlas") == before
