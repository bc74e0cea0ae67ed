"""What the check says of captions, and of a folder that has nothing wrong."""

import pytest
from checked_folder import healthy, kinds, nasty, of_kind, picture, read_rows, write_rows

from imagespace.checkup.checkup import check_folder, quick_findings
from imagespace.pictures.folder import read_folder

pytestmark = pytest.mark.usefixtures("known_machine")


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
