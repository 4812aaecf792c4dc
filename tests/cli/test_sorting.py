"""The command sort: what it says and writes of a pile. What sorts is a stand-in here; its own tests are elsewhere."""

import csv
import json
import zipfile

import pytest
from PIL import Image

from genprint import api
from genprint.api import Gallery
from genprint.cli import progress
from genprint.gallery.store import GalleryStore
from tests.cli.conftest import run
from tests.conftest import encoded, textured
from tests.sorting import levels, sort_by_level

COUNTS = {20: 6, 100: 5, 180: 4, 140: 1}  # images of each level; the last one is a stray


@pytest.fixture(autouse=True)
def _by_level(monkeypatch):
    monkeypatch.setattr(api, "sort", sort_by_level, raising=False)


@pytest.fixture
def pile(tmp_path, rng):
    """Images of three sources and a stray, two folders deep, with a file that is no image."""
    for level, count in COUNTS.items():
        (tmp_path / "pile" / str(level)).mkdir(parents=True)
        for i, pixels in enumerate(levels(rng, level, count)):
            Image.fromarray(pixels).save(tmp_path / "pile" / str(level) / f"{i}.png")
    (tmp_path / "pile" / "notes\x1b[31m.txt").write_text("no image")
    return tmp_path / "pile"


@pytest.fixture
def gallery(tmp_path, rng, small_model):
    store = Gallery(tmp_path / "g.sqlite", small_model)
    store.enroll({"bright": levels(rng, 180, 4), "other": textured(rng, 4)}, originals=False)
    return tmp_path / "g.sqlite"


def test_a_line_a_group_then_strays_what_was_left_out_and_what_to_do(pile):
    done = run("sort", pile)
    head, *lines = done.stdout.splitlines()
    assert head == f"{pile}: 16 images in 3 groups; 1 stray"
    assert [line.split("  ")[1] for line in lines[:3]] == ["group 1", "group 2", "group 3"]
    assert "6 images" in lines[0]
    assert "% expected of one source; may be one with group 2: weak support for it, likelihood ratio 4.5" in lines[0]
    assert "nearest is group 3" in lines[1]
    assert lines[3] == "  strays (1): 0.png"
    assert lines[4] == r"  left out notes\x1b[31m.txt: not an image"
    assert lines[-1].startswith("  next: Look through the groups")
    assert "enroll-all" in lines[-1]
    assert "\x1b" not in done.stdout
    assert "Unknown does not mean real" not in done.stdout  # nobody asked whose they are


def test_known_sources_name_groups(pile, gallery, tmp_path, rng):
    (tmp_path / "known" / "bright").mkdir(parents=True)
    for i, pixels in enumerate(levels(rng, 180, 3)):
        Image.fromarray(pixels).save(tmp_path / "known" / "bright" / f"{i}.png")
    for known in (gallery, tmp_path / "known"):
        done = run("sort", pile, "--known", known)
        assert "3 groups, 1 of them of known sources" in done.stdout
        assert "attributed to bright (by its level)" in done.stdout.splitlines()[1]
        assert "of the known sources: unknown (by its level)" in done.stdout.splitlines()[2]
        assert done.stdout.count("Unknown does not mean real") == 1


def test_the_json_is_whole(pile, gallery):
    found = json.loads(run("sort", pile, "--known", gallery, "--json").stdout)
    assert [(group["source"], len(group["images"])) for group in found["groups"]] == [
        ("bright", 4),
        (None, 6),
        (None, 5),
    ]
    assert set(found["groups"][0]["images"][0]) == {"image", "sha256", "probability", "at"}
    assert found["groups"][0]["answer"]["decision"] == "attributed"
    assert len(found["strays"]) == 1
    assert found["left_out"][0]["reason"] == "not an image"
    assert "images" not in found  # the pile itself is no part of the answer


def test_a_row_an_image(pile, gallery, tmp_path):
    table = tmp_path / "new" / "whose.csv"
    run("sort", pile, "--known", gallery, "--csv", table)
    rows = list(csv.DictReader(table.open()))
    assert list(rows[0]) == ["image", "sha256", "group", "source", "probability", "answer"]
    assert len(rows) == sum(COUNTS.values()) == len({row["sha256"] for row in rows})
    assert [(row["group"], row["source"], row["answer"]) for row in (rows[0], rows[4], rows[-1])] == [
        ("bright", "bright", "attributed"), ("group 1", "", "unknown"), ("", "", "stray")
    ]  # fmt: skip
    assert all(0 <= float(row["probability"]) <= 1 for row in rows)


def test_names_in_the_table_are_escaped(tmp_path, rng):
    (tmp_path / "pile").mkdir()
    for i, pixels in enumerate(levels(rng, 100, 3)):
        Image.fromarray(pixels).save(tmp_path / "pile" / f"{i}\x1b[2K\n.png")
    run("sort", tmp_path / "pile", "--csv", tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_text()
    assert "\x1b" not in text
    assert len(text.splitlines()) == 4


def test_folders_are_enrolled_as_they_are(pile, tmp_path):
    before = {path: path.read_bytes() for path in pile.rglob("*") if path.is_file()}
    done = run("sort", pile, "--folders", tmp_path / "sorted")
    assert f"Rename the folders in {tmp_path / 'sorted'} to their sources" in done.stdout
    assert f"genprint enroll-all {tmp_path / 'sorted'}" in done.stdout
    assert {path: path.read_bytes() for path in pile.rglob("*") if path.is_file()} == before
    folders = {path.name: len(list(path.iterdir())) for path in (tmp_path / "sorted").iterdir()}
    assert folders == {"group 1": 6, "group 2": 5, "group 3": 4}
    run("enroll-all", tmp_path / "sorted", "--gallery", tmp_path / "new.sqlite", "--no-originals")
    assert GalleryStore(tmp_path / "new.sqlite", None).counts() == folders


def test_a_folder_that_holds_something_is_refused_before_anything_is_read(pile, tmp_path, monkeypatch):
    monkeypatch.setattr(api, "sort", lambda *_, **__: pytest.fail("sorted"), raising=False)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x").touch()
    assert "not an empty folder" in run("sort", pile, "--folders", tmp_path / "there", code=1).stderr
    assert "ends in .html" in run("sort", pile, "--page", tmp_path / "page.pdf", code=1).stderr
    assert list((tmp_path / "there").iterdir()) == [tmp_path / "there" / "x"]


def test_archives_and_lists_of_files_are_piles(pile, tmp_path, rng):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for i, pixels in enumerate([*levels(rng, 20, 3), *levels(rng, 100, 2)]):
            archive.writestr(f"in/{i}.png", encoded(Image.fromarray(pixels)))
    done = run("sort", tmp_path / "z.zip", "--folders", tmp_path / "sorted", "--page", tmp_path / "z.html")
    assert "5 images in 2 groups" in done.stdout
    assert {path.name for path in (tmp_path / "sorted").rglob("*.png")} == {f"{i}.png" for i in range(5)}
    assert (tmp_path / "z.html").read_text().count("data:image/jpeg") == 5
    files = sorted((pile / "20").iterdir()) + sorted((pile / "100").iterdir())
    assert "11 images in 2 groups" in run("sort", *files).stdout
    assert "unpack it first" in run("sort", tmp_path / "z.zip", pile, code=1).stderr


def test_the_page_is_written(pile, tmp_path):
    done = run("sort", pile, "--page", tmp_path / "out" / "pile.html")
    page = (tmp_path / "out" / "pile.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count('<img src="data:image/jpeg') == sum(COUNTS.values())
    assert str(tmp_path / "out" / "pile.html") in done.stdout


def test_progress_has_a_total_and_is_no_part_of_the_answer(pile, monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    done = run("sort", pile, "--json")
    assert f"sorting images: 1 of {sum(COUNTS.values()) + 1}" in done.stderr
    json.loads(done.stdout)


def test_what_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "there is no file in it" in run("sort", tmp_path / "empty", code=1).stderr


def test_the_help_has_an_example():
    assert "genprint sort pile/ --known" in " ".join(run("sort", "--help").stdout.split())
