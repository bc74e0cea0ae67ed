"""The command line as a person meets it: real processes, real files."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import ENVIRONMENT, run
from PIL import Image

from imagespace.cli import main
from imagespace.training.point_data import PointData


def test_same_command_same_bytes_and_repeat_from_png(tmp_path):
    first = run(
        "generate", "fish", "tree", "--num", 2, "--steps", 4, "--out", "a.png", cwd=tmp_path
    )
    assert first.returncode == 0, first.stderr
    run("generate", "fish", "tree", "--num", 2, "--steps", 4, "--out", "b.png", cwd=tmp_path)
    again = run("generate", "--from", "a.png", "--out", "c.png", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    contents = [(tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png")]
    assert contents[0] == contents[1] == contents[2]
    assert "4 pictures" in first.stdout
    assert "\x1b" not in first.stdout + first.stderr  # not a terminal: no drawing


def test_folder_receives_each_picture_and_film_every_step(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    done = run(
        "generate", "fish", "--num", 3, "--steps", 5, "--out", out, "--film", "f.webp", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    names = sorted(p.name for p in out.iterdir())
    assert names == ["fish-000.png", "fish-001.png", "fish-002.png", "fish.png"]
    with Image.open(tmp_path / "f.webp") as film:
        assert film.n_frames == 5
    # One picture of the batch, repeated alone.
    alone = run("generate", "--from", out / "fish-001.png", "--out", "alone.png", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert (tmp_path / "alone.png").read_bytes() == (out / "fish-001.png").read_bytes()
    again = run("generate", "fish", "--num", 3, "--steps", 5, "--out", out, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert len(list(out.iterdir())) == 8  # beside the first, not over it


def test_terminal_shows_the_walk(tmp_path):
    leader, follower = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "imagespace", "generate", "fish", "--num", "1", "--steps", "3"],
        cwd=tmp_path,
        env=ENVIRONMENT | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    assert done.wait() == 0
    assert shown.count("▀".encode()) >= 3 * 2 * 32 * 16
    assert b"step 3/3" in shown
    assert (tmp_path / "fish.png").is_file()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["generate"], "prompt: there is none"),
        (["generate", "fish", "--from", "mine.png"], "either prompts or --from"),
        (["generate", "  "], "prompt is empty"),
        (["generate", "鱼"], "imagespace reads English"),
        (["generate", "🐟"], "imagespace reads English"),
        (["generate", "fish " * 60], "this model reads at most"),
        (["generate", "fish", "--num", "0"], "--num 0: at least one picture"),
        (["generate", "fish", "--num", "many"], "--num"),
        (["generate", "fish", "--steps", "0"], "--steps 0"),
        (["generate", "fish", "--guidance", "-1"], "--guidance -1"),
        (["generate", "fish", "--seed", "-4"], "seed -4"),
        (["generate", "fish", "--sampler", "magic"], "Use one of ddpm"),
        (["generate", "fish", "--model", "magic"], "neither a shipped model"),
        (["generate", "fish", "--model", "broken.safetensors"], "is damaged"),
        (["generate", "fish", "--out", "nowhere/fish.png"], "mkdir -p nowhere"),
        (["generate", "fish", "--out", "fish.jpg"], "Name a .png file"),
        (["generate", "fish", "--out", "mine.png"], "exists"),
        (["generate", "fish", "--film", "fish.mp4"], ".webp or .gif"),
        (["generate", "--from", "mine.png"], "carries no imagespace settings"),
        (["generate", "--from", "mine.png", "--steps", "9"], "its own settings"),
        (["generate", "fish", "--spacing", "wide"], "'karras'"),
        (["generate", "fish", "--eta", "0.5"], "eta belongs to ddim and dpmpp_2m_sde"),
        (["generate", "fish", "--sampler", "ddim", "--eta", "2"], "eta 2"),
        (["generate", "fish", "--rescale", "3"], "guidance_rescale 3"),
        (["generate", "fish", "--strength", "0.5"], "with --start"),
        (["generate", "fish", "--start", "gone.png"], "gone.png: there is no such picture"),
        (["generate", "fish", "--start", "mine.png", "--strength", "0"], "strength 0"),
        (["generate", "fish", "--start", "mine.png", "--mask", "wide.png"], "does not match"),
        (["generate", "fish", "--start", "broken.safetensors"], "not a readable picture"),
        (
            ["generate", "fish", "--start", "mine.png", "--invert", "fish", "--strength", "1"],
            "Leave out the mask and the strength",
        ),
        (["generate", "fish", "--autoguidance", "magic"], "neither a shipped model"),
        (
            ["generate", "fish", "--autoguidance", "glyphs", "--negative", "tree"],
            "not both",
        ),
        (["field", "fish", "--show", "magnetic"], "Use one of direction"),
        (["field", "fish", "--at", "0", "--picture", "mine.png"], "time 0"),
        (["field", "--show", "prompt"], "none to make a difference"),
        (["likelihood", "mine.png"], "this model's samples are 128x128"),
        (["likelihood", "gone.png"], "there is no such picture"),
        (["likelihood", "mine.png", "--probes", "1"], "must be at least 2"),
        (["field", "fish", "--out", "x.txt"], "Name a .png file"),
        (
            ["generate", "fish", "--start", "mine.png", "--invert", "fish", "--sampler", "heun"],
            "Leave out the sampler",
        ),
        (["train", "spiral", "--recipe", "glyphs"], "Use --recipe points"),
        (["train", "spiral", "--size", "64"], "is for pictures, not points"),
        (["train", "spiral", "--network", "4"], "is for pictures, not points"),
        (["lab", "run", "alchemy"], "Use one of size"),
        (["lab", "run", "size", "--out", "mine.png"], "is not a folder"),
        (["train", "moon", "--recipe", "points"], "is neither a known set nor a file"),
        (["generate", "fish", "--colour"], "--colour"),
        (["train", "empty", "--out", "run"], "holds no picture"),
        (["train", "nowhere"], "no such folder"),
        (["train", "empty", "--recipe", "cake"], "Use one of glyphs"),
        (["train", "empty", "--minutes", "0"], "must be positive"),
        (["train", "empty", "--minutes", "1", "--images", "9"], "one budget"),
        (["pictures", "build", "glyphs", "--out", "full"], "full"),
        (["pictures", "sheet", "empty"], "holds no picture"),
        (["pictures", "sheet", "empty", "--out", "sheet.jpg"], "Name a .png file"),
        (["pictures", "sheet", "empty", "--seed", "-1"], "--seed -1"),
        (["train", "empty", "--seed", "-1"], "--seed -1"),
        (["train", "empty", "--minutes", "inf"], "finite"),
        (["generate", "fish", "--negative", "tree", "--guidance", "1"], "off at 1"),
        (["generate", "fish", "--rescale", "0.7", "--guidance", "1"], "off at 1"),
        (["generate", "fish caf\udce9"], "is not valid UTF-8"),
        (["generate", "fish", "--start", "full"], "cannot be read"),
        (["train", "mine.png"], "--recipe points"),
        (["paint"], "paint"),
    ],
)
def test_mistakes_are_one_line_and_lose_nothing(tmp_path, words, says):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "keep.txt").write_text("mine")
    (tmp_path / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      garbage")
    Image.new("L", (4, 4)).save(tmp_path / "mine.png")
    Image.new("L", (8, 4)).save(tmp_path / "wide.png")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_unknown_words_and_cut_prompts_are_reported(tmp_path):
    prompt = "fish 鱼 Schmetterling"
    done = run("generate", prompt, "--steps", 2, "--num", 1, "--out", "a.png", cwd=tmp_path)
    assert done.returncode == 0
    ignored, in_pieces = done.stderr.splitlines()
    assert ignored == "imagespace: warning: Ignored, because imagespace reads English: 鱼"
    assert in_pieces.startswith("imagespace: warning: Read in pieces")
    assert in_pieces.endswith(": Schmetterling")
    words = "one two three four five six seven eight nine ten " * 3
    done = run(
        "generate", words, "--truncate", "--steps", 2, "--num", 1, "--out", "b.png", cwd=tmp_path
    )
    assert done.returncode == 0
    assert "left out" in done.stderr


def test_nothing_is_downloaded(tmp_path):
    """Drawing works in a process that may not open a connection."""
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('a connection was opened')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from imagespace.cli import main\n"
        "sys.argv = ['imagespace', 'generate', 'fish', '--num', '1', '--steps', '2']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT)
    assert done.returncode == 0
    assert (tmp_path / "fish.png").is_file()


def test_sheet_shows_a_folder(tmp_path):
    (tmp_path / "data").mkdir()
    for number, name in enumerate(("red fox", "blue bird", "green frog")):
        Image.new("RGB", (20, 10), (80 * number, 0, 0)).save(tmp_path / "data" / f"{name}.png")
    done = run("pictures", "sheet", "data", "--size", 32, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "sheet.png") as sheet:
        colours = {colour for _, colour in sheet.getcolors(100_000)}
    assert {(0, 0, 0), (80, 0, 0), (160, 0, 0)} <= colours


def test_help_imports_no_torch(tmp_path):
    code = "import sys, imagespace.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT).returncode == 0
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "generate" in done.stdout


@pytest.mark.slow
def test_train_is_interrupted_and_continued_by_signal(tmp_path):
    """A real process, a real signal: 128 px pictures, the shipped recipe."""
    data = tmp_path / "data"
    data.mkdir()
    for number in range(24):
        Image.new("L", (128, 128), 10 * number).save(data / f"grey {number}.png")
    words = [
        sys.executable,
        "-m",
        "imagespace",
        "train",
        str(data),
        "--out",
        "run",
        "--images",
        "512",
    ]
    metrics: Path = tmp_path / "run" / "metrics.jsonl"
    started = subprocess.Popen(words, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE)
    with started as process:
        while not (metrics.is_file() and len(metrics.read_text().splitlines()) >= 2):
            assert process.poll() is None, process.stderr.read()
        process.terminate()
        said = process.stderr.read()
    assert process.returncode == 130
    assert b"the same command continues" in said
    assert subprocess.run(words, cwd=tmp_path, env=ENVIRONMENT).returncode == 0
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    run = json.loads((tmp_path / "run" / "config.json").read_text())
    assert steps == list(range(512 // run["config"]["training"]["batch_size"] + 1))


@pytest.fixture
def own_handlers():
    """Puts the test runner's own handlers back."""
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.fixture
def few_points(tmp_path):
    """A list whose model is judged in no time."""
    path = tmp_path / "points.csv"
    path.write_text("".join(f"{number / 40},{number % 7}\n" for number in range(40)))
    return path


@pytest.mark.parametrize(
    ("number", "during"), [(signal.SIGINT, "evaluate"), (signal.SIGTERM, "completed")]
)
def test_a_signal_in_the_last_moments_leaves_a_complete_run(
    number, during, few_points, printed, own_handlers, monkeypatch
):
    """While the last evaluation is made, and while the last weights are completed to be saved."""
    usual = getattr(PointData, during)

    def signalled(self, weights, *others, **named):
        metrics = Path("run/metrics.jsonl")
        num_logged = len(metrics.read_text().splitlines()) if metrics.is_file() else 0
        if num_logged >= 3 and not named.get("in_passing"):
            signal.raise_signal(number)
            monkeypatch.setattr(PointData, during, usual)
        return usual(self, weights, *others, **named)

    monkeypatch.setattr(PointData, during, signalled)
    said = printed("train", few_points, "--images", 3 * 1024, "--out", "run")
    assert getattr(PointData, during) is usual  # the signal was raised
    assert "interrupted" not in said.err
    assert "next: imagespace generate" in said.out
    assert json.loads(Path("run/metrics.jsonl").read_text().splitlines()[-1])["step"] == 3


def test_a_signal_before_them_interrupts(tmp_path, few_points, own_handlers, monkeypatch, capsys):
    usual = PointData.batch

    def signalled(self, step):
        if step == 1:
            signal.raise_signal(signal.SIGTERM)
        return usual(self, step)

    monkeypatch.setattr(PointData, "batch", signalled)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["imagespace", "train", str(few_points), "--images", "3072", "--out", "run"]
    )
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 130
    assert "the same command continues run" in capsys.readouterr().err
    assert (tmp_path / "run" / "checkpoints" / "step-00000002").is_dir()


@pytest.mark.parametrize("words", [(), ("view",), ("lab",)])
def test_a_bare_command_shows_its_help(tmp_path, words):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Usage: {' '.join(['imagespace', *words])} [OPTIONS]")
    assert len(done.stderr.splitlines()) > 5


@pytest.mark.parametrize("words", [("view", "basins"), ("map",), ("lab", "run", "coin")])
def test_a_missing_extra_is_said_before_any_work(tmp_path, words):
    code = (
        "import sys, importlib.util as u; find, gone = u.find_spec, ('matplotlib', 'umap')\n"
        "u.find_spec = lambda name, *a: None if name in gone else find(name, *a)\n"
        f"sys.argv = ['imagespace', *{words!r}]\n"
        "import imagespace.cli; imagespace.cli.main()"
    )
    asked = [sys.executable, "-c", code]
    done = subprocess.run(asked, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert 'pip install "imagespace[' in done.stderr
    assert list(tmp_path.iterdir()) == []
