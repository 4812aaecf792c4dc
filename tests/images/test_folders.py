"""Folders of sources: what is written is what there was, and nothing leads elsewhere."""

import io
import os
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from genprint import read_sources
from genprint.images.folders import check_empty, write_sources
from genprint.images.sets import ImageSet
from tests.conftest import encoded, textured


def named(images):
    """Name and digest of all usable images of a set."""
    return [(one.name, one.sha256) for one in images]


@pytest.fixture
def pile(tmp_path, rng):
    """Images of one name in two sub-folders, and a link."""
    for folder in ("a", "b"):
        (tmp_path / "pile" / folder).mkdir(parents=True)
        for i, pixels in enumerate(textured(rng, 3)):
            Image.fromarray(pixels).save(tmp_path / "pile" / folder / f"{i}.png")
    (tmp_path / "elsewhere.png").write_bytes(encoded(Image.fromarray(textured(rng, 1)[0])))
    (tmp_path / "pile" / "link.png").symlink_to(tmp_path / "elsewhere.png")
    return tmp_path / "pile"


def test_what_is_written_is_read_as_sources(pile, tmp_path):
    images = ImageSet.read(pile)
    every = named(images)
    told = []
    places = write_sources(images, {"one": every[:4], "two": every[4:]}, tmp_path, told.append)
    sources = {one.name: one for one in read_sources(tmp_path) if one.name in places}
    assert {name: {one.sha256 for one in images} for name, images in sources.items()} == {
        "one": {sha256 for _, sha256 in every[:4]}, "two": {sha256 for _, sha256 in every[4:]}
    }  # fmt: skip
    assert sorted(path.name for path in places["one"].iterdir()) == ["0 (2).png", "0.png", "1.png", "2.png"]
    assert sum(told) == len(every) == 7


def test_files_are_linked_and_where_that_cannot_be_copied(pile, tmp_path, monkeypatch):
    images = ImageSet.read(pile)
    (tmp_path / "links").mkdir()
    (tmp_path / "copies").mkdir()
    before = {path: path.read_bytes() for path in images.files}
    linked = write_sources(images, {"x": named(images)}, tmp_path / "links")["x"]
    assert all(path.stat().st_nlink == 2 and not path.is_symlink() for path in linked.iterdir())
    monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError("another file system")))
    copied = write_sources(images, {"x": named(images)}, tmp_path / "copies")["x"]
    assert all(path.stat().st_nlink == 1 for path in copied.iterdir())
    for place in (linked, copied):
        assert sorted(path.read_bytes() for path in place.iterdir()) == sorted(before.values())
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_archives_stay_in_their_folder(tmp_path, rng):
    contents = [encoded(Image.fromarray(pixels)) for pixels in textured(rng, 5)]
    names = ["../../up.png", "/root.png", "a/..", "same.png", "same.png"]
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for name, content in zip(names, contents, strict=True):
            archive.writestr(name, content)
    images = ImageSet.read(tmp_path / "z.zip")
    (tmp_path / "out").mkdir()
    before = set(tmp_path.rglob("*"))
    every = named(images)
    # Of two members of one name, each goes where its content belongs.
    places = write_sources(images, {"..": every[:4], "../../two": every[4:]}, tmp_path / "out")
    written = {path for path in set(tmp_path.rglob("*")) - before if path.is_file()}
    assert {path.parent for path in written} == set(places.values())
    assert {place.parent for place in places.values()} == {tmp_path / "out"}
    assert [path.read_bytes() for path in places["../../two"].iterdir()] == contents[4:]
    assert sorted(path.read_bytes() for path in places[".."].iterdir()) == sorted(contents[:4])


def test_tars_and_arrays_are_written_without_loss(tmp_path, rng):
    pixels = textured(rng, 3)
    np.save(tmp_path / "a.npy", pixels)
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        content = encoded(Image.fromarray(pixels[0]), "JPEG")
        info = tarfile.TarInfo("in/one.jpg")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    for file in ("a.npy", "t.tar"):
        images = ImageSet.read(tmp_path / file)
        (tmp_path / f"of {file}").mkdir()
        place = write_sources(images, {"x": named(images)}, tmp_path / f"of {file}")["x"]
        found = [np.asarray(Image.open(path)) for path in sorted(place.iterdir())]
        assert np.array_equal(found, [one.pixels for one in images])


def test_names_are_made_safe_and_told_apart(tmp_path, rng):
    images = ImageSet.of(textured(rng, 4), "n" * 300)
    every = named(images)
    sources = {name: [one] for name, one in zip(["A", "a", ".hid\x1b[2Kden", ""], every, strict=True)}
    places = write_sources(images, sources, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A", "_", "a (2)", "hid_[2Kden"]
    assert all(len(list(place.iterdir())) == 1 for place in places.values())


def test_only_an_empty_folder_beside_the_pile_is_taken(pile, tmp_path):
    images = ImageSet.read(pile)
    check_empty(tmp_path / "new" / "folder", images)
    check_empty(tmp_path / "new" / "folder", images)  # made, and still empty
    (tmp_path / "new" / "folder" / "x").touch()
    for wrong, why in (
        (tmp_path / "new" / "folder", "not an empty folder"),
        (tmp_path / "elsewhere.png", "not an empty folder"),
        (pile / "groups", "lies in"),
    ):
        with pytest.raises(ValueError, match=why):
            check_empty(wrong, images)
    assert not (pile / "groups").exists()
