"""The gallery: what goes in and out, and which model it goes with."""

import json

import pytest

from genprint.model import Model
from tests.cli.conftest import run


def test_sources_are_removed(tmp_path, folder):
    gallery = tmp_path / "g.sqlite"
    run("enroll-all", folder, "--gallery", gallery, "--no-originals")
    run("remove", "fine", "--gallery", gallery)
    assert list(json.loads(run("sources", "--gallery", gallery, "--json").stdout)) == ["coarse", "middle"]
    assert "not enrolled" in run("remove", "fine", "--gallery", gallery, code=1).stderr
    nameless = run("enroll", "", folder / "fine", "--gallery", gallery, "--no-originals", code=1)
    assert "a source needs a name" in nameless.stderr


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


def test_sources_without_conditions_are_told(tmp_path, folder):
    gallery = tmp_path / "g.sqlite"
    for source, few in (("fine", True), ("middle", False)):
        for path in sorted((folder / source).iterdir())[2:]:
            path.unlink()
        done = run("enroll", source, folder / source, "--gallery", gallery, "--conditions" if few else "--no-originals")
    assert "Condition matching is off: 1 sources (middle) were enrolled without processed versions" in done.stderr
    run("enroll", "middle", folder / "middle", "--gallery", gallery, "--conditions")
    assert "matching is off" not in run("attribute", folder / "coarse", "--gallery", gallery, code=4).stderr


@pytest.mark.parametrize("command", ["enroll-all", "attribute"])
def test_a_file_of_something_else_is_no_gallery(tmp_path, folder, command):
    (tmp_path / "g.sqlite").write_text("no database")
    data = folder if command == "enroll-all" else folder / "fine"
    refused = run(command, data, "--gallery", tmp_path / "g.sqlite", "--no-conditions", code=1)
    assert "cannot be opened as a gallery" in refused.stderr
