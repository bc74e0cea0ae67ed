"""The check before training, on folders made for it: each finding present, and absent."""

import json
import os
import re
import shlex
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from imagespace.checkup import recommendation
from imagespace.checkup.checkup import Checkup, check_folder, quick_findings
from imagespace.checkup.finding import Finding
from imagespace.checkup.page import checkup_page
from imagespace.checkup.recommendation import Speed, budget_finding, smaller_network
from imagespace.cli import main
from imagespace.errors import UserError
from imagespace.networks.transformer import training_flops_per_picture
from imagespace.pictures.decoding import Rendering, drawn
from imagespace.pictures.file_walk import CACHE_FOLDER
from imagespace.pictures.folder import read_folder
from imagespace.pictures.near_duplicates import near_duplicates
from imagespace.recipes import network_sized, recipe
from imagespace.text.vectors import load_text_encoder
from imagespace.training.config import RunConfig

SPEED = Speed(torch.float32, 1e11)
WORDS = [
    *("red", "blue", "green", "old", "young", "big", "small", "round"),
    *("flat", "dark", "bright", "wet", "dry", "soft", "hard", "cold"),
]


@pytest.fixture(autouse=True)
def known_machine(monkeypatch):
    """A machine whose speed need not be measured: 100 GFLOP/s in float32."""
    monkeypatch.setattr(recommendation, "fastest_dtype", lambda: SPEED.dtype)
    monkeypatch.setattr(recommendation, "matrix_product_rate", lambda dtype: SPEED.product_rate)


@pytest.fixture(scope="module")
def encoder():
    return load_text_encoder()


def picture(seed: int, side: int = 64, grey: bool = False) -> Image.Image:
    """Soft random patches: no two seeds look alike."""
    shape = (6, 6) if grey else (6, 6, 3)
    values = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    return Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC)


def caption(number: int) -> str:
    """Distinct for numbers below 256, of words that each occur with many pictures."""
    return f"{WORDS[number % 16]} {WORDS[number // 16]} house"


def healthy(folder: Path, num: int = 120) -> Path:
    """Pictures with captions beside which nothing is to be said but what is said of any set."""
    folder.mkdir()
    rows = []
    for number in range(num):
        picture(number).save(folder / f"{number:03}.png")
        split = "validation" if number % 12 == 0 else "train"
        rows.append({"file_name": f"{number:03}.png", "text": caption(number), "split": split})
    write_rows(folder, rows)
    return folder


def write_rows(folder: Path, rows: list[dict]) -> None:
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def kinds(checkup: Checkup) -> set[str]:
    return {finding.kind for finding in checkup.findings}


def of_kind(checkup: Checkup, kind: str):
    (finding,) = [each for each in checkup.findings if each.kind == kind]
    return finding


def test_a_healthy_folder_has_no_findings(tmp_path, encoder):
    checkup = check_folder(healthy(tmp_path / "a"), encoder)
    assert [finding.line for finding in checkup.findings] == []
    assert checkup.is_trainable
    assert checkup.unused == []
    assert checkup.splits == {"train": 110, "validation": 10}
    assert checkup.sizes == [("64 to 127 px", 120)]


def test_missing_empty_and_wordless_captions(tmp_path, encoder):
    folder = healthy(tmp_path / "a")
    rows = read_rows(folder)
    rows[3]["text"], rows[5]["text"], rows[7]["text"] = "", "  \n ", "...!"
    del rows[9]["text"]
    write_rows(folder, rows)
    checkup = check_folder(folder, encoder)
    missing = of_kind(checkup, "missing captions")
    assert missing.examples == ["003.png", "005.png", "009.png"]
    assert "3 of 120" in missing.value
    assert of_kind(checkup, "wordless captions").examples == ["007.png: ...!"]
    assert checkup.is_trainable


def test_the_recommended_command_trains_what_was_recommended(tmp_path, monkeypatch, capsys):
    folder = healthy(tmp_path / "a")
    assert run(monkeypatch, "pictures", "check", str(folder), "--size", "16") == 0
    command = re.search(r"next: imagespace (train .*)", capsys.readouterr().out)
    assert command is not None
    monkeypatch.setattr("imagespace.cli.train._train", lambda config, *others: print(config))
    assert run(monkeypatch, *command[1].split()) == 0
    out = capsys.readouterr().out
    assert "image_size_px=16" in out
    assert "recipe='pictures'" in out
    drawn = re.search(r"next: imagespace generate (.+) --model run", out)
    assert drawn is not None
    (prompt,) = shlex.split(drawn[1])
    assert prompt in {row["text"] for row in read_rows(folder)}


def test_without_any_caption_training_is_refused_by_name(tmp_path, encoder):
    for number in range(120):
        picture(number).save(tmp_path / f"IMG_{number:04}.png")
    checkup = check_folder(tmp_path, encoder)
    finding = checkup.findings[0]
    assert (finding.severity, finding.kind) == ("error", "no captions")
    assert "--unconditional" in finding.line
    assert not checkup.is_trainable
    # What it would be trained as is said nonetheless.
    assert checkup.recommendation is not None
    assert checkup.recommendation.network.max_text_tokens == 0


def test_one_caption_for_many_pictures(tmp_path, encoder):
    folder = healthy(tmp_path / "a")
    rows = read_rows(folder)
    for row in rows[:30]:
        row["text"] = "The house."  # as a caption, the same as "house"
    for row in rows[30:35]:
        row["text"] = "house"
    for row in rows[40:42]:
        row["text"] = "big house"
    write_rows(folder, rows)
    checkup = check_folder(folder, encoder)
    common = of_kind(checkup, "common caption")
    assert '35 of 120 (29 %) pictures have the caption "house"' in common.value
    assert common.examples == ["house: 35 pictures"]
    duplicate = of_kind(checkup, "duplicate captions")
    assert "37 of 120" in duplicate.value
    assert duplicate.severity == "remark"
    # 85 of one picture each, "house" and "big house": the counts say the same as the finding.
    num_distinct = len({r["text"] for r in read_rows(folder)} - {"The house."})
    assert f"{num_distinct} captions are distinct" in duplicate.rule
    assert f"{num_distinct} captions distinct" in "\n".join(checkup.counts)


def test_words_of_one_picture(tmp_path, encoder):
    folder = healthy(tmp_path / "a")
    rows = read_rows(folder)
    rows[4]["text"] += " giraffe giraffe"
    rows[5]["also"] = ["zebra"]
    rows[6]["also"], rows[7]["also"] = ["lion"], ["Lion!"]
    write_rows(folder, rows)
    single = of_kind(check_folder(folder, encoder), "words that occur once")
    assert single.examples == ["giraffe", "zebra"]


def test_what_the_network_does_not_read(tmp_path, encoder):
    folder = healthy(tmp_path / "a")
    rows = read_rows(folder)
    rows[0]["text"] = " ".join(["house"] * 16)
    rows[1]["text"] = " ".join(["house"] * 17) + " big dark"
    rows[2]["text"] = "дом дом"
    rows[3]["text"] = "big 家"
    write_rows(folder, rows)
    checkup = check_folder(folder, encoder)
    cut = of_kind(checkup, "truncated captions")
    assert "1 of 120" in cut.value
    assert "the longest: 19" in cut.value
    assert "3 tokens in all" in cut.rule
    assert cut.examples[0].endswith("[not read: house big dark]")
    assert of_kind(checkup, "unreadable captions").examples == ["002.png: дом дом"]
    unknown = of_kind(checkup, "unknown words")
    assert unknown.value.startswith("2 of 120")
    assert set(unknown.examples) == {"дом (1)", "家 (1)"}


@pytest.mark.parametrize(("num_rare", "is_found"), [(10, True), (11, False)])
def test_class_imbalance(tmp_path, encoder, num_rare, is_found):
    for name, count, first in (("cat", 100, 0), ("dog", num_rare, 500)):
        (tmp_path / name).mkdir()
        for number in range(count):
            picture(first + number, 16).save(tmp_path / name / f"{number}.png")
    checkup = check_folder(tmp_path, encoder)
    assert ("class imbalance" in kinds(checkup)) == is_found
    assert "common caption" not in kinds(checkup)
    if is_found:
        assert of_kind(checkup, "class imbalance").value == '"cat" has 100 pictures, "dog" has 10'


def test_copies_are_found_and_only_they(tmp_path, encoder):
    folder = healthy(tmp_path / "a")
    rows = read_rows(folder)
    picture(1).resize((40, 40), Image.Resampling.LANCZOS).save(folder / "smaller.png")
    picture(2).resize((200, 200), Image.Resampling.BICUBIC).save(folder / "larger.webp")
    picture(3).save(folder / "compressed.jpg", quality=60)
    rows += [
        {"file_name": "smaller.png", "text": "blue red house", "split": "train"},
        {"file_name": "larger.webp", "text": "a wooden ship", "split": "train"},
        {"file_name": "compressed.jpg", "text": caption(3), "split": "validation"},
    ]
    write_rows(folder, rows)
    checkup = check_folder(folder, encoder)
    near = of_kind(checkup, "near-duplicate pictures")
    names = [{checkup.rows[n]["file_name"] for n in group} for group in near.groups]
    assert names == [
        {"001.png", "smaller.png"},
        {"002.png", "larger.webp"},
        {"003.png", "compressed.jpg"},
    ]
    # "big red house" and "red big house" differ; captions of the third are equal.
    opposed = of_kind(checkup, "contradictory captions")
    assert opposed.examples[-1] == '002.png "green red house", larger.webp "a wooden ship"'
    assert not any("compressed" in line for line in opposed.examples)
    torn = of_kind(checkup, "copies across splits")
    assert torn.examples == ["003.png, compressed.jpg"]
    assert torn.value.startswith("1 held-out picture ")


def small_of(image: Image.Image) -> np.ndarray:
    return drawn(image, b"", Rendering(32, 3))


def strokes(seed: int) -> Image.Image:
    """Black strokes on white, as a glyph has: all such pictures have nearly the same mean."""
    image = Image.new("L", (128, 128), 255)
    pen = ImageDraw.Draw(image)
    random = np.random.default_rng(seed)
    for _ in range(9):
        x, y, length = random.integers(10, 100, 3).tolist()
        end = (min(118, x + length), y) if random.random() < 0.5 else (x, min(118, y + length))
        pen.line((x, y, *end), fill=0, width=7)
    return image


def test_drawings_of_strokes_are_not_all_alike():
    images = [strokes(seed) for seed in range(400)]
    assert near_duplicates(np.stack([small_of(image) for image in images])) == []
    one_stroke_more = images[7].copy()
    ImageDraw.Draw(one_stroke_more).line((20, 64, 108, 64), fill=0, width=7)
    copy = images[9].resize((90, 90), Image.Resampling.LANCZOS)
    more = np.stack([small_of(image) for image in (*images, one_stroke_more, copy)])
    assert near_duplicates(more) == [[9, 401]]


def test_colour_alone_makes_a_difference():
    squares = []
    for colour in ("red", "green", "blue", "red"):
        image = Image.new("RGB", (32, 32), "white")
        ImageDraw.Draw(image).rectangle((8, 8, 24, 24), fill=colour)
        squares.append(np.asarray(image))
    assert near_duplicates(np.stack(squares)) == [[0, 3]]


def test_near_duplicates_agree_with_a_search_of_all_pairs():
    """Copies with noise of growing strength: just those within the radius are grouped."""
    random = np.random.default_rng(0)
    base = np.stack([small_of(picture(seed)) for seed in range(700)]).astype(float)
    # A constant shift is what smoothing keeps whole: its difference is its strength.
    contrast = np.sqrt(((base - base.mean((1, 2), keepdims=True)) ** 2).mean((1, 2, 3)))
    strength = random.uniform(0.02, 0.22, 700) * contrast
    inner = 100 + base * 0.2  # no level is cut off at 0 or 255
    strength *= 0.2
    copies = inner + strength[:, None, None, None]
    small = np.concatenate([inner, copies]).round().astype(np.uint8)
    groups = near_duplicates(small)
    paired = {tuple(group) for group in groups}
    clear = np.abs(strength / (0.2 * contrast) - 0.12) > 0.03
    is_near = strength / (0.2 * contrast) < 0.12
    for seed in np.flatnonzero(clear & (strength > 2.5)):
        assert ((seed, seed + 700) in paired) == is_near[seed]
    assert 50 < len(paired) < 700


def test_a_crowd_of_equal_pictures_is_one_group():
    small = np.full((3000, 32, 32, 3), 255, np.uint8)
    small[1000:1003] = small_of(picture(0))
    flat, other = sorted(near_duplicates(small), key=len, reverse=True)
    assert len(flat) == 2997
    assert other == [1000, 1001, 1002]


def test_sizes_shapes_flat_pictures_and_few_in_colour(tmp_path, encoder):
    folder = tmp_path / "a"
    folder.mkdir()
    for number in range(120):
        picture(number, 64, grey=True).save(folder / f"{caption(number)}.png")
    picture(500, 20, grey=True).save(folder / "tiny house.png")
    picture(501, 64, grey=True).resize((200, 64)).save(folder / "long house.png")
    Image.new("L", (64, 64), 200).save(folder / "flat house.png")
    picture(502, 64).save(folder / "colour house.png")
    checkup = check_folder(folder, encoder)
    for kind, name in (
        ("small pictures", "tiny house.png"),
        ("elongated pictures", "long house.png"),
        ("flat pictures", "flat house.png"),
        ("few in colour", "colour house.png"),
    ):
        (example,) = of_kind(checkup, kind).examples
        assert example.startswith(name)


def nasty(folder: Path) -> Path:
    """Sidecar captions, and nearly every way in which a file can be of no use."""
    folder.mkdir()
    for number in range(20):
        picture(number).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(caption(number))
    (folder / "19.txt").unlink()
    (folder / "0 bytes.png").write_bytes(b"")
    whole = (folder / "1.png").read_bytes()
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "half.txt").write_text("a half")
    (folder / "words.jpg").write_text("no picture")
    (folder / "lost.txt").write_text("a caption of nothing")
    (folder / "photo.heic").write_bytes(b"x")
    (folder / "README.md").write_text("read me")
    (folder / ".hidden").write_text("x")
    (folder / "deep").mkdir()
    picture(77).save(folder / "deep" / "b.png")
    (folder / "deep" / "loop").symlink_to(folder)
    (folder / "nowhere.png").symlink_to(folder / "gone.png")
    return folder


def test_every_file_is_used_or_listed_with_its_reason(tmp_path, encoder):
    folder = nasty(tmp_path / "a")
    checkup = check_folder(folder, encoder)
    on_disk = set()
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        on_disk |= {os.path.relpath(os.path.join(place, name), folder) for name in names + links}
    pictures = {row["file_name"] for row in checkup.rows}
    reasons = {each.path: each.reason for each in checkup.unused}
    assert pictures == {f"{n}.png" for n in range(20)} | {"deep/b.png"}
    texts = {f"{n}.txt" for n in range(19)} | {"half.txt"}
    assert on_disk == pictures | texts | set(reasons)
    assert not pictures & set(reasons)
    assert not texts & set(reasons)
    assert all(reasons.values())
    files = checkup.files
    assert files.num_files == len(on_disk)
    assert files.num_pictures == len(pictures) == 21
    assert files.num_captions == len(texts) == 20
    assert files.num_unused == len(reasons)
    assert files.num_pictures + files.num_captions + files.num_unused == files.num_files
    broken = of_kind(checkup, "unreadable pictures")
    assert len(broken.examples) == 3
    assert "empty" in reasons["0 bytes.png"]
    assert "few pictures" in kinds(checkup)


def test_files_of_deep_tables_are_named_from_the_top(tmp_path, encoder):
    folder = healthy(tmp_path / "deep")
    (folder / "004.png").write_bytes(b"")
    checkup = check_folder(tmp_path, encoder)
    assert [each.path for each in checkup.unused] == ["deep/004.png"]
    assert checkup.files.num_files == 121
    assert checkup.files.num_unused == 1


def test_nothing_usable_is_said_with_all_reasons(tmp_path, encoder):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"x")
    checkup = check_folder(tmp_path, encoder)
    assert checkup.findings[0].kind == "no pictures"
    assert not checkup.is_trainable
    assert {each.path for each in checkup.unused} == {"a.png", "b.png"}
    assert "b.png" in checkup_page(checkup)


def test_no_training_pictures(tmp_path, encoder):
    folder = healthy(tmp_path / "a")
    rows = [{**row, "split": "held_out"} for row in read_rows(folder)]
    write_rows(folder, rows)
    checkup = check_folder(folder, encoder)
    assert checkup.findings[0].kind == "no training pictures"
    assert checkup.recommendation is None


def test_the_recommendation_follows_the_recipes(tmp_path, encoder):
    folder = healthy(tmp_path / "a")
    recommended = check_folder(folder, encoder).recommendation
    assert recommended is not None
    assert (recommended.network.image_size_px, recommended.network.num_channels) == (64, 3)
    assert recommended.config.recipe == "pictures"
    assert recommended.num_training == 110
    smaller = check_folder(folder, encoder, image_size_px=32).recommendation
    assert smaller is not None
    assert smaller.network.image_size_px == 32
    with pytest.raises(UserError, match="--size 33"):
        check_folder(folder, encoder, image_size_px=33)


def test_the_estimate_is_of_products_and_of_all_else(monkeypatch):
    """Times add up: halving the products' rate adds just their time once more."""
    config = recipe("pictures", {"budget_images": 1000, "budget_minutes": None})
    network = config.model.network
    rate, _ = recommendation.estimate(config, SPEED)
    slower, _ = recommendation.estimate(config, Speed(torch.float32, 5e10))
    product_s = training_flops_per_picture(network) / 1e11
    assert 1 / slower - 1 / rate == pytest.approx(product_s)
    assert 1 / rate > product_s
    monkeypatch.setattr(recommendation, "has_compiler", lambda: False)
    assert recommendation.estimate(config, SPEED)[0] < rate


def minutes_of(config: RunConfig, size: int) -> float:
    """What the pictures of a whole training take with a network of this size."""
    rate, _ = recommendation.estimate(network_sized(config, size), SPEED)
    return recommendation.NUM_SEEN / rate / 60


def test_the_smaller_network_is_the_largest_that_fits_the_minutes():
    config = network_sized(recipe("pictures", {"budget_images": 1, "budget_minutes": None}), 8)
    between = (minutes_of(config, 6) + minutes_of(config, 7)) / 2
    found = smaller_network(config, between, SPEED)
    assert found == (6, pytest.approx(minutes_of(config, 6)))
    # Nothing fits: the smallest; nothing is smaller: none.
    assert smaller_network(config, 0.1, SPEED) == (4, pytest.approx(minutes_of(config, 4)))
    assert smaller_network(network_sized(config, 4), 0.1, SPEED) is None


def test_a_budget_that_shows_too_few_pictures_is_said_with_one_that_does_not():
    needed = minutes_of(recipe("pictures", {"budget_images": 1, "budget_minutes": None}), 6)

    def said(minutes: float | None) -> Finding | None:
        images = 1000 if minutes is None else None
        return budget_finding(
            recipe("pictures", {"budget_images": images, "budget_minutes": minutes})
        )

    short = said(needed / 3)
    assert short is not None
    assert short.severity == "warning"
    assert f"{recommendation.NUM_SEEN / 3:,.0f} pictures" in short.line
    assert f"about {needed:.0f} minutes" in short.line
    assert "--network" in short.line
    assert said(needed) is None
    assert said(None) is None  # whoever counts pictures knows how many


def test_the_quick_part_says_the_same_of_captions_and_files(tmp_path, encoder):
    folder = nasty(tmp_path / "a")
    (folder / "3.txt").write_text(" ".join(["house"] * 20))
    quick = quick_findings(read_folder(folder, 16, 3), encoder, 16)
    whole = check_folder(folder, encoder)
    about_captions = {"missing captions", "truncated captions", "words that occur once"}
    assert about_captions <= {each.kind for each in quick}
    for finding in quick:
        if finding.kind in about_captions:
            assert finding.line == of_kind(whole, finding.kind).line


class _Page(HTMLParser):
    """Every tag that is opened is closed; nothing is fetched."""

    VOID = frozenset(("meta", "img", "hr", "br", "link", "input"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        given = dict(attributes)
        self.sources += [value for key in ("src", "href") if (value := given.get(key))]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_stands_alone_and_holds_everything(tmp_path, encoder):
    folder = nasty(tmp_path / "a")
    (folder / "4.txt").write_text('<script>alert("x")</script> & house')
    checkup = check_folder(folder, encoder)
    html = checkup_page(checkup)
    page = _Page()
    page.feed(html)
    assert page.open == []
    assert page.sources
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert "<script" not in html
    for each in checkup.unused:
        assert each.path in page.text
        assert each.reason in page.text
    for finding in checkup.findings:
        assert finding.line in page.text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser")
def test_a_browser_shows_the_page(tmp_path, encoder):
    page = tmp_path / "check.html"
    page.write_text(checkup_page(check_folder(nasty(tmp_path / "a"), encoder)))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1000,1400"]
    command += [f"--user-data-dir={tmp_path}/browser", f"--screenshot={tmp_path}/page.png"]
    subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=120)
    with Image.open(tmp_path / "page.png") as shot:
        colours = shot.convert("RGB").getcolors(maxcolors=2**24)
    assert len(colours) > 1000  # thumbnails are shown, not their alternative texts


def run(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["imagespace", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_command_says_worst_first_and_writes_the_page(tmp_path, monkeypatch, capsys):
    folder = nasty(tmp_path / "a")
    (folder / "3.txt").write_text(" ".join(["house"] * 20))
    page = tmp_path / "page.html"
    assert run(monkeypatch, "pictures", "check", str(folder), "--out", str(page)) == 0
    out = capsys.readouterr().out
    severities = re.findall(r"^(error|warning|remark): ", out, re.MULTILINE)
    assert severities == sorted(severities, key=("error", "warning", "remark").index)
    assert {"warning", "remark"} == set(severities)
    assert "not used: half.png: it is cut short" in out
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert run(monkeypatch, "pictures", "check", str(folder), "--out", str(page)) == 2
    assert "exists" in capsys.readouterr().err


def test_the_command_fails_where_training_is_impossible(tmp_path, monkeypatch, capsys):
    for number in range(3):
        picture(number).save(tmp_path / f"IMG_{number:04}.png")
    assert run(monkeypatch, "pictures", "check", str(tmp_path)) == 1
    assert "--unconditional" in capsys.readouterr().out
    assert (tmp_path / CACHE_FOLDER / "check.html").is_file()
    assert run(monkeypatch, "pictures", "check", str(tmp_path / "none")) == 2
    assert "there is no such folder" in capsys.readouterr().err
