"""The gallery: what goes in and out, and which model it goes with."""

import json

import pytest

from genprint import api
from genprint.model import Model
from tests.cli.conftest import run

SOURCES = ("coarse", "fine", "middle")  # of ``folder``


def test_sources_are_listed_with_what_is_kept_of_them(tmp_path, folder, monkeypatch):
    gallery = tmp_path / "g.sqlite"
    run("enroll-all", folder, "--gallery", gallery)
    run("enroll", "bare", folder / "fine" / "000.png", "--gallery", gallery, "--no-originals")
    sizes = {name: sum(path.stat().st_size for path in (folder / name).iterdir()) for name in SOURCES}
    monkeypatch.setenv("GENPRINT_MODEL", str(tmp_path / "no model"))  # none is needed
    listed = json.loads(run("sources", "--gallery", gallery, "--json").stdout)
    assert listed == {
        "bare": {"images": 1, "originals": 0, "bytes": 0},
        **{name: {"images": 24, "originals": 24, "bytes": sizes[name]} for name in SOURCES},
    }
    assert list(listed) == ["bare", *SOURCES]
    lines = run("sources", "--gallery", gallery).stdout.splitlines()
    assert lines == [
        "bare\t1 image\tno originals",
        *(f"{name}\t24 images\t24 originals, {sizes[name] / 2**20:.1f} MiB" for name in SOURCES),
    ]


def test_without_originals_no_file_appears(tmp_path, folder):
    run("enroll-all", folder, "--gallery", tmp_path / "g.sqlite", "--no-originals")
    run("attribute", folder / "fine" / "000.png", "--gallery", tmp_path / "g.sqlite", code=1)  # it is enrolled itself
    assert not (tmp_path / "g.sqlite.originals").exists()
    found = json.loads(run("sources", "--gallery", tmp_path / "g.sqlite", "--json").stdout)
    assert {name: own["originals"] for name, own in found.items()} == dict.fromkeys(SOURCES, 0)


def test_sources_are_removed(tmp_path, folder, monkeypatch):
    gallery = tmp_path / "g.sqlite"
    run("enroll-all", folder, "--gallery", gallery)
    image = (folder / "fine" / "003.png").read_bytes()
    assert image in (tmp_path / "g.sqlite.originals").read_bytes()
    nameless = run("enroll", "", folder / "fine", "--gallery", gallery, code=1)
    assert "a source needs a name" in nameless.stderr
    monkeypatch.setenv("GENPRINT_MODEL", str(tmp_path / "no model"))  # none is needed
    run("remove", "fine", "--gallery", gallery)
    assert list(json.loads(run("sources", "--gallery", gallery, "--json").stdout)) == ["coarse", "middle"]
    assert image[-200:] not in (tmp_path / "g.sqlite.originals").read_bytes()
    assert "not enrolled" in run("remove", "fine", "--gallery", gallery, code=1).stderr


@pytest.mark.parametrize("command", [["sources"], ["remove", "a"]])
def test_a_gallery_that_is_not_there_is_told_and_not_made(tmp_path, command):
    told = run(*command, "--gallery", tmp_path / "none.sqlite", code=1)
    assert "none.sqlite: no such file; enroll sources" in told.stderr
    assert not list(tmp_path.iterdir())


def test_a_gallery_of_other_tiles_is_refused(tmp_path, folder, small_model_folder):
    gallery, other = tmp_path / "g.sqlite", tmp_path / "other"
    model = Model.load(small_model_folder)
    model.fingerprinter.set_params(tiles=4)
    model.save(other)
    run("enroll-all", folder, "--gallery", gallery, "--no-originals")
    for command in (
        ("attribute", folder / "fine", "--gallery", gallery, "--model", other),
        ("enroll", "more", folder / "fine", "--gallery", gallery, "--no-originals", "--model", other),
    ):
        refused = run(*command, code=1)
        assert "enrolled with another model" in refused.stderr
        assert "tiles=8" in refused.stderr
        assert "tiles=4" in refused.stderr
    run("sources", "--gallery", gallery)


def test_sources_without_originals_are_told(tmp_path, folder):
    gallery = tmp_path / "g.sqlite"
    for source, kept in (("fine", "--originals"), ("middle", "--no-originals")):
        run("enroll", source, folder / source, "--gallery", gallery, kept)
    question = ("attribute", folder / "coarse", "--gallery", gallery)
    told = run(*question, code=4).stderr
    assert "warning: of 1 source (middle) no originals are kept" in told
    assert "no originals are kept" not in run(*question, "--no-conditions", code=4).stderr
    again = run("enroll", "middle", folder / "middle", "--gallery", gallery)
    assert "middle: 0 images added" in again.stdout
    assert "no originals are kept" not in run(*question, code=4).stderr


@pytest.mark.parametrize("command", ["enroll-all", "attribute"])
def test_a_file_of_something_else_is_no_gallery(tmp_path, folder, command):
    (tmp_path / "g.sqlite").write_text("no database")
    data = folder if command == "enroll-all" else folder / "fine"
    refused = run(command, data, "--gallery", tmp_path / "g.sqlite", code=1)
    assert "cannot be opened as a gallery" in refused.stderr


def test_the_same_files_under_another_name_are_told_when_they_are_enrolled_and_by_an_audit(tmp_path, folder):
    gallery = tmp_path / "g.sqlite"
    assert "warning" not in run("enroll-all", folder, "--gallery", gallery).stderr
    told = run("enroll", "copy", folder / "fine", "--gallery", gallery).stderr
    assert "warning: copy and fine share 24 files. They count as one source: remove one, or these files." in told
    found = run("audit", gallery, code=3).stdout.splitlines()
    assert found[0] == "2 things not well with this gallery: same files, few sources"
    assert found[-1] == "  4 sources, 96 images"
    listed = json.loads(run("audit", gallery, "--json", code=3).stdout)
    assert listed["concerns"][0]["sources"] == ["copy", "fine"]
    assert (listed["well"], listed["sources"]["fine"]) == (False, 24)
    assert api.audit(gallery).to_dict() == listed
