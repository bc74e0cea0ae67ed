"""Walks on a map: where x_t and x0_hat lie, what is kept of it, and how it is drawn."""

import dataclasses
import io

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image
from plain_atlas import plain_atlas, walks_of

import imagespace
from imagespace.atlas.frames import Frames
from imagespace.atlas.map_views import blank_map
from imagespace.atlas.map_walks import load_walks, walk_on_map
from imagespace.atlas.neighbours import nearest
from imagespace.atlas.off_map_marks import draw_paths
from imagespace.atlas.projection import fit_projection
from imagespace.atlas.replay import view_replay
from imagespace.atlas.space import describe_grid, fit_space
from imagespace.atlas.walk_views import STANDS
from imagespace.evaluation.curves import replay
from imagespace.evaluation.subject import Subject
from imagespace.pictures.folder import read_folder
from imagespace.text.vectors import load_text_encoder
from imagespace.training.loop import train
from imagespace.training.picture_data import PictureData


@pytest.fixture(scope="module")
def shapes(shapes_folder, tiny_model):
    """The shapes with their space, on a map of its first two components: no layout is learnt."""
    pictures = read_folder(shapes_folder, 16, 1)
    space, coordinates = fit_space("pixel", np.ascontiguousarray(pictures.pixels), describe_grid)
    positions = np.ascontiguousarray(coordinates[:, :2])
    neighbours = nearest(coordinates, coordinates, 15, skip_self=True)
    _, scores = fit_projection(coordinates, positions, *neighbours)
    atlas = plain_atlas(len(pictures))
    atlas = dataclasses.replace(
        atlas,
        positions=positions,
        coordinates=coordinates,
        basis={"centre": space.centre, "components": space.components},
        about=atlas.about | {"model_sha256": tiny_model.sha256, "data_key": pictures.key},
        scores=atlas.scores | {"projection": scores},
    )
    return atlas, pictures, space


def test_a_step_lies_where_its_x_t_and_its_x0_hat_are_projected(shapes, tiny_model):
    atlas, pictures, space = shapes
    walks = walk_on_map(atlas, tiny_model, pictures, space, 3, 4, prompts=["a disc"])
    for index, step in enumerate(tiny_model.walk("a disc", 3, 0, num_steps=4)):
        x_t = step.x_t.permute(0, 2, 3, 1).numpy()
        stands = atlas.projection(space.coordinates(x_t))
        assert np.allclose(walks.x_t_positions[:, index], stands.positions, atol=1e-4)
        # A ratio of two thousand is of distances that are small beside the vectors': float32.
        assert np.allclose(walks.x_t_ratio[:, index], stands.ratio, rtol=1e-3)
        x0_hat = tiny_model.pixels(step.x0_hat)
        sees = atlas.projection(space.coordinates(x0_hat))
        assert np.allclose(walks.positions[:, index], sees.positions, atol=1e-4)
    # They are two paths, and neither stands still.
    assert np.abs(walks.x_t_positions - walks.positions).max() > 0.01
    assert np.abs(np.diff(walks.x_t_positions, axis=1)).max() > 0.01


def made_up_walks(atlas):
    """Four walks with known places, on and off the map in known steps."""
    random = np.random.default_rng(1)
    walks = walks_of(atlas)
    off = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0]], bool)
    return dataclasses.replace(
        walks,
        positions=random.normal(size=(4, 3, 2)).astype(np.float32),
        x_t_positions=random.normal(size=(4, 3, 2)).astype(np.float32),
        ratio=np.where(off, 2, 0.5).astype(np.float32),
        x_t_ratio=np.where([[1, 1, 0]] * 4, 3, 0.5).astype(np.float32),
    )


def test_both_paths_are_kept(tmp_path):
    walks = made_up_walks(plain_atlas())
    walks.save(tmp_path)
    kept = load_walks(tmp_path, walks.about)
    for name in ("positions", "ratio", "x_t_positions", "x_t_ratio", "nearest", "times"):
        assert np.array_equal(getattr(kept, name), getattr(walks, name)), name


def test_walks_of_a_version_without_the_path_of_x_t_are_walked_anew(tmp_path):
    walks = made_up_walks(plain_atlas())
    walks.save(tmp_path)
    file = tmp_path / "walks.npz"
    with np.load(file) as stored:
        arrays = {name: values for name, values in stored.items() if name != "x_t_positions"}
    np.savez_compressed(file, **arrays)
    assert load_walks(tmp_path, walks.about) is None


def drawn(view, gid):
    """The one thing of this name in the figure."""
    (found,) = view.figure.findobj(lambda artist: artist.get_gid() == gid)
    return found


def are_dotted(lines):
    return [pattern is not None for _, pattern in lines.get_linestyles()]


def are_hollow(dots):
    return (dots.get_facecolors()[:, 3] == 0).tolist()


def test_the_path_of_x_t_is_drawn_for_the_walks_that_are_followed():
    atlas = plain_atlas()
    walks = made_up_walks(atlas)
    view = atlas.view_walks(walks, num_followed=4)
    lines, dots = drawn(view, "x_t"), drawn(view, "x_t dots")
    # Later steps lie over earlier ones: step by step, of each the walks that are followed.
    segments = np.array(lines.get_segments()).reshape(2, 4, 2, 2)
    paths = np.concatenate([segments[0, :, :1], segments[:, :, 1].swapaxes(0, 1)], axis=1)
    order = [int(np.abs(walks.x_t_positions - path).max(axis=(1, 2)).argmin()) for path in paths]
    assert sorted(order) == [0, 1, 2, 3]
    assert np.allclose(paths, walks.x_t_positions[order])
    assert np.allclose(lines.get_colors(), to_rgba(STANDS))
    # Off the map at the first two of three steps: both segments have an end that is off it.
    assert are_dotted(lines) == [True] * 8
    assert are_hollow(dots) == [True, True, False] * 4
    assert "x_t in 100 % and 0 %" in view.title
    assert "drawn where its nearest lie" in view.title


def test_dots_of_a_line_go_on_over_its_joints():
    """A straight path in many short steps has the dots of the same path in one step."""
    atlas = plain_atlas()
    ends = np.array([[-1.2, -0.4], [1.3, -0.4]], np.float32)
    rows = []
    for num in (2, 41):
        figure, axis = blank_map(atlas)
        for artist in [*axis.images, *axis.collections]:
            artist.remove()
        path = np.linspace(*ends, num).astype(np.float32)
        draw_paths(axis, path[None], np.ones((1, num), bool), "black", 4.0, "line")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=100)
        ink = 255 - np.asarray(Image.open(buffer).convert("L"), np.float64)
        rows.append(ink[ink.sum(axis=1).argmax()])
    assert rows[0].max() > 200
    assert np.abs(rows[0] - rows[1]).mean() < 0.1 * rows[0].mean()


@pytest.fixture(scope="module")
def trained(shapes_folder, tiny_run, tmp_path_factory):
    """A real run folder, which kept its weights at three evaluations."""
    encoder = load_text_encoder()
    model = tiny_run.model.model_copy(update={"text_fingerprint": encoder.fingerprint})
    config = tiny_run.model_copy(update={"model": model})
    data = PictureData(config, read_folder(shapes_folder, 16, 1), encoder)
    run = tmp_path_factory.mktemp("replay") / "run"
    for _ in train(config, data, run):
        pass
    return imagespace.load(run)


def test_a_replay_has_every_kept_state_from_step_0_on_where_its_pictures_lie(shapes, trained):
    atlas, pictures, space = shapes
    about = atlas.about | {"model_sha256": trained.sha256}
    atlas = dataclasses.replace(atlas, about=about)
    view = view_replay(atlas, trained, pictures, space, num=4)
    states = list(replay(trained))
    assert view.numbers["pictures_seen"] == [seen for seen, _ in states] == [0, 80, 160]
    assert len(view.frames) == 3
    lines = np.array(drawn(view, "paths").get_segments()).reshape(2, 4, 2, 2)
    paths = np.concatenate([lines[0, :, :1], lines[:, :, 1].swapaxes(0, 1)], axis=1)
    # A network that has learnt nothing answers zero everywhere: every walk ends in the one grey.
    grey = np.full((4, 16, 16, 1), 128, np.uint8)
    assert np.allclose(paths[:, 0], atlas.projection(space.coordinates(grey)).positions, atol=1e-3)
    for number, (_, model) in enumerate(states):
        subject = Subject(model, pictures, 4, 0)
        where = atlas.projection(space.coordinates(subject.draw(subject.settings())))
        assert np.allclose(paths[:, number], where.positions, atol=1e-4)
        assert view.numbers["off_map"][number] == pytest.approx(where.is_off_map.mean())
        for place in where.positions:
            assert ink_at(view.frames[number], atlas, place, reach=5).min() < 170
    assert np.abs(paths[:, 2] - paths[:, 0]).max() > 0.1
    assert np.allclose(drawn(view, "ends").get_offsets(), paths[:, 2])


def off_by_hand(off):
    """Dotted where either end is off: step by step, of each the walks in turn."""
    return [bool(off[w, s] or off[w, s + 1]) for s in range(off.shape[1] - 1) for w in range(4)]


def test_lines_of_all_walks_are_dotted_where_either_end_is_off_the_map():
    atlas = plain_atlas()
    walks = made_up_walks(atlas)
    view = atlas.view_walks(walks, num_followed=1)
    expected = off_by_hand(walks.is_off_map)
    assert 0 < sum(expected) < len(expected)
    assert are_dotted(drawn(view, "x0_hat")) == expected
    assert are_hollow(drawn(view, "ends")) == walks.is_off_map[:, -1].tolist()
    # The walk that is followed by the same rule.
    followed = np.array(drawn(view, "x0_hat 0").get_segments())
    path = np.concatenate([followed[:1, 0], followed[:, 1]])
    index = int(np.abs(walks.positions - path).max(axis=(1, 2)).argmin())
    own = [expected[index], expected[4 + index]]
    assert are_dotted(drawn(view, "x0_hat 0")) == own


def test_first_answers_that_look_like_no_picture_are_hollow_in_the_basins():
    atlas = plain_atlas()
    walks = made_up_walks(atlas)
    view = atlas.view_basins(walks)
    assert np.allclose(drawn(view, "first").get_offsets(), walks.positions[:, 0])
    assert np.allclose(drawn(view, "last").get_offsets(), walks.positions[:, -1])
    assert are_hollow(drawn(view, "first")) == [True, True, True, False]
    assert are_hollow(drawn(view, "last")) == [False, False, True, False]
    assert are_dotted(drawn(view, "from first to last")) == [True, True, True, False]
    assert "75 % of first answers, 25 % of ends" in view.title


def ink_at(image, atlas, place, reach=2):
    """The darkest red, green and blue about a place of the map, on a frame of its film."""
    left, right, bottom, top = atlas.density.extent
    # blank_map: the map fills 0.92 of the height and is centred in 0.96 of the width.
    side = 0.92 * image.height
    x = image.width / 2 + (place[0] - (left + right) / 2) / (right - left) * side
    y = image.height * 0.04 + (top - place[1]) / (top - bottom) * side
    seen = np.asarray(image, int)
    rows, columns = (slice(max(0, round(v) - reach), round(v) + reach + 1) for v in (y, x))
    return seen[rows, columns].reshape(-1, 3).min(axis=0)


@pytest.mark.parametrize("name", ["view_walks", "view_basins"])
def test_films_of_walks_have_a_frame_a_step_with_each_walk_where_it_is(name, tmp_path):
    atlas = plain_atlas()
    walks = made_up_walks(atlas)
    walks = dataclasses.replace(
        walks, positions=walks.positions.clip(-1.5, 1.5), ratio=walks.ratio * 0
    )
    view = getattr(atlas, name)(walks)
    with Image.open(view.save(tmp_path / "film.webp")) as film:
        assert film.n_frames == len(walks.times) == 3
        for step in range(3):
            film.seek(step)
            image = film.convert("RGB")
            for walk in range(4):
                assert ink_at(image, atlas, walks.positions[walk, step]).min() < 170, (step, walk)


def test_frames_are_drawn_when_they_are_asked_for():
    asked = []

    def draw(number):
        asked.append(number)
        return Image.new("L", (2, 2), number)

    frames = Frames(3, draw)
    assert len(frames) == 3
    assert bool(frames)
    assert asked == []
    assert frames[-1].getpixel((0, 0)) == 2
    assert [one.getpixel((0, 0)) for one in frames[1:]] == [1, 2]
    assert [one.getpixel((0, 0)) for one in frames] == [0, 1, 2]
    assert asked == [2, 1, 2, 0, 1, 2]
