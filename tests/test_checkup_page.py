"""The check's page and command."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from checked_folder import nasty, picture, run
from PIL import Image

from imagespace.checkup.checkup import check_folder
from imagespace.checkup.page import checkup_page
from imagespace.pictures.file_walk import CACHE_FOLDER

pytestmark = pytest.mark.usefixtures("known_machine")


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
