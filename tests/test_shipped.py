"""The shipped models: what their names mean, and which is chosen where none is named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import genprint
from genprint import api, shipped
from genprint.gallery.store import GalleryError, GalleryStore
from genprint.images import members
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.sklearn import SourceClassifier
from genprint.storage.weights import WeightsError
from tests.conftest import png_header, textured


def sets_of(rng, *sides, images=4):
    """Sets a, b, ... of images of these sides, each of more grain."""
    return [
        ImageSet.from_array(textured(rng, images, side=side, grain=5.0 * 3**i), "abcdef"[i])
        for i, side in enumerate(sides)
    ]


def sized(*sizes, name="sizes"):
    return ImageSet.of([np.zeros((height, width, 3), np.uint8) for height, width in sizes], name)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([[(32, 32)]], "thumbnails"),
        ([[(64, 64)]], "thumbnails"),
        ([[(65, 32)]], "pictures"),  # the longer side counts
        ([[(32, 65)]], "pictures"),
        ([[(200, 200)], [(64, 20)]], "thumbnails"),  # of mixed sizes, the smallest set
        ([[(200, 200)], [(65, 65)]], "pictures"),
        ([[(32, 32), (32, 32), (200, 200)]], "thumbnails"),  # the median
        ([[(32, 32), (200, 200), (200, 200)]], "pictures"),
        ([[(32, 32)] * 5 + [(200, 200)] * 3 + [(300, 300)] * 90], "thumbnails"),  # of the first images
        ([], "thumbnails"),
    ],
)
def test_the_choice_by_sizes(sizes, expected):
    assert shipped.suited([sized(*own) for own in sizes]) == expected


def test_sizes_are_of_few_headers(tmp_path, monkeypatch):
    """No pixel is decoded, and of a large file only the beginning is read."""
    for i in range(50):
        (tmp_path / f"{i:02d}.png").write_bytes(png_header(400, 300) + b"\0" * 2**20)
    read, once = [], members._read_file

    def noted(path, most=-1):
        content = once(path, most)
        read.append((path.name, len(content)))
        return content

    monkeypatch.setattr(members, "_read_file", noted)
    assert shipped.suited([ImageSet.read(tmp_path)]) == "pictures"
    assert [name for name, _ in read] == [f"{i:02d}.png" for i in range(8)]
    assert max(size for _, size in read) < 2**17


def test_a_size_that_the_beginning_of_a_file_does_not_say_is_found(tmp_path):
    Image.new("RGB", (300, 200)).save(tmp_path / "a.tif")  # its header is at the end
    assert (tmp_path / "a.tif").stat().st_size > 2**16
    Image.new("RGB", (40, 30)).save(tmp_path / "b.png")
    (tmp_path / "c.txt").write_text("no image")
    assert list(ImageSet.read(tmp_path).sizes()) == [(200, 300), (30, 40)]


def test_what_cannot_be_used_chooses_nothing(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "broken.zip").write_bytes(b"PK no archive")
    unusable = [ImageSet.read(tmp_path / "notes.txt"), ImageSet.read(tmp_path / "broken.zip")]
    assert shipped.suited(unusable) == "thumbnails"
    assert shipped.suited([*unusable, sized((200, 200))]) == "pictures"


@pytest.mark.parametrize("load", [genprint.load, Model.load, genprint.Model.load])
def test_names(both_shipped, tmp_path, monkeypatch, load):
    monkeypatch.chdir(tmp_path)
    assert [load(name).fingerprinter.tiles for name in ("pictures", "thumbnails")] == [2, 8]
    assert (load("pictures").origin, load("pictures").name) == ("shipped:pictures", "pictures")
    assert load(load("pictures").origin).identity == load("pictures").identity
    assert load().identity == load("thumbnails").identity
    assert load().origin == "shipped:thumbnails"


@pytest.mark.parametrize(("name", "parts"), [("thumbnails", 2), ("pictures", 3)])
def test_both_models_ship(name, parts, rng):
    model = genprint.load(name)
    config = json.loads((shipped.FOLDERS[name] / "config.json").read_text())
    assert (model.name, model.weights_digest, model.fingerprinter.parts) == (name, config["sha256"], parts)
    assert model.fingerprint(sized((96, 80), (100, 120))).values.shape == (2, parts * config["network"]["features"])


def test_each_is_what_images_of_its_size_are_asked_of(monkeypatch, rng):
    monkeypatch.delenv("GENPRINT_MODEL", raising=False)
    for side, name in ((32, "thumbnails"), (96, "pictures")):
        *known, probe = (
            ImageSet.from_array(textured(rng, 12, side, grain), f"grain {grain}") for grain in (3.0, 9.0, 27.0, 9.0)
        )
        answer = genprint.attribute(probe, known, conditions=False)
        assert answer.evidence.candidates[0].source == "grain 9.0"
        assert answer.asked.inputs["model"] == f"shipped:{name}"


def test_the_model_for_pictures_is_not_fine_tuned(rng):
    with pytest.raises(ValueError, match="cannot be fine-tuned"):
        genprint.load("pictures").fit(sets_of(rng, 80, 80, images=10), ["a", "b"], steps=1)


def test_unknown_names_are_told_with_those_there_are(both_shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("picture", "shipped:picture", "shipped:./pictures"):
        with pytest.raises(WeightsError, match=r"no shipped model .*thumbnails, pictures"):
            genprint.load(name)


def test_a_folder_called_like_a_shipped_model(both_shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()  # of images: no model
    assert genprint.load("pictures").origin == "shipped:pictures"
    shutil.copytree(shipped.FOLDERS["thumbnails"], "pictures", dirs_exist_ok=True)
    with pytest.raises(WeightsError, match=r"say shipped:pictures or \./pictures"):
        genprint.load("pictures")
    assert genprint.load("shipped:pictures").fingerprinter.tiles == 2
    for folder in ("./pictures", Path("pictures"), str(tmp_path / "pictures")):
        own = genprint.load(folder)
        assert (own.fingerprinter.tiles, own.origin, own.name) == (8, str(tmp_path / "pictures"), None)


def test_a_model_that_was_changed_has_no_name(both_shipped, rng):
    model = genprint.load("thumbnails")
    known = {images.name: model.fingerprint(images) for images in sets_of(rng, 32, 32, 32, images=12)}
    assert model.calibrated(model.plda, known, "others", ()).name is None


def test_the_environment_goes_before_sizes_and_galleries(both_shipped, small_model_folder, tmp_path, monkeypatch, rng):
    genprint.Gallery(tmp_path / "g.sqlite").enroll(sets_of(rng, 80))
    monkeypatch.setenv("GENPRINT_MODEL", str(small_model_folder))
    assert api.choose(sets_of(rng, 80)).origin == str(small_model_folder)
    with pytest.raises(GalleryError, match="another model"):
        genprint.open(tmp_path / "g.sqlite")


@pytest.fixture
def loaded(monkeypatch):
    """Names of the models that are loaded, as they are."""
    names, load = [], Model.load.__func__

    def noted(cls, directory=None, *more):
        names.append(directory)
        return load(cls, directory, *more)

    monkeypatch.setattr(Model, "load", classmethod(noted))
    return names


@pytest.mark.parametrize(("side", "expected"), [(32, "thumbnails"), (80, "pictures")])
@pytest.mark.parametrize("where", ["in memory", "in a file"])
def test_a_new_gallery_goes_by_sizes_and_an_old_one_by_itself(
    both_shipped, tmp_path, rng, loaded, where, side, expected
):
    path = None if where == "in memory" else tmp_path / "g.sqlite"
    gallery = genprint.Gallery(path)
    assert loaded == []
    gallery.enroll(sets_of(rng, side, side))
    assert loaded == [f"shipped:{expected}"]
    assert gallery.model.name == expected
    gallery.enroll({"c": textured(rng, 4, side=112 - side)})  # of the other kind
    assert gallery.model.name == expected
    if path:
        assert genprint.open(path).model.name == expected
        assert loaded == [f"shipped:{expected}"] * 2  # the other is not even looked at
        assert len(genprint.open(path).fingerprints()) == 3


def test_a_gallery_of_before_there_was_a_choice_keeps_its_model(both_shipped, tmp_path, rng):
    path = tmp_path / "g.sqlite"
    genprint.load("thumbnails").enroll(sets_of(rng, 80, 80), save=path)
    store = GalleryStore(path, None)
    store._connection.execute("DELETE FROM about WHERE key = 'model'")
    again = genprint.open(path)
    assert again.model.name == "thumbnails"
    again.enroll(sets_of(rng, 80, 80, 80)[2:])
    assert list(again.counts()) == ["a", "b", "c"]


def test_what_a_gallery_says_of_its_model_is_checked(both_shipped, tmp_path, rng):
    path = tmp_path / "g.sqlite"
    genprint.load("pictures").enroll(sets_of(rng, 80), save=path)
    store = GalleryStore(path, None)
    assert store.maker.name == "pictures"
    store._connection.execute("UPDATE about SET value = 'thumbnails' WHERE key = 'model'")
    assert genprint.open(path).model.name == "pictures"
    store._connection.execute("UPDATE about SET value = 'another' WHERE key = 'extractor'")
    with pytest.raises(GalleryError, match="enrolled with another model: its features are of another"):
        genprint.open(path)


def test_enrolling_that_fails_binds_a_gallery_to_no_model(both_shipped, tmp_path, rng):
    path = tmp_path / "g.sqlite"
    (tmp_path / "a.txt").write_text("no image")
    with pytest.raises(genprint.images.sets.ImageSetError):
        genprint.Gallery(path).enroll(tmp_path / "a.txt", "a")
    gallery = genprint.Gallery(path)
    assert gallery.model.name == "thumbnails"  # asked before anything is enrolled
    gallery.enroll(sets_of(rng, 80))
    assert gallery.model.name == genprint.open(path).model.name == "pictures"
    gallery.remove("a")
    assert genprint.open(path).model.name == "pictures"  # it stays with that


def test_a_gallery_that_another_one_enrolled_in_meanwhile(both_shipped, tmp_path, rng):
    path = tmp_path / "g.sqlite"
    late, told = genprint.Gallery(path), genprint.Gallery(path, genprint.load("thumbnails"))
    genprint.Gallery(path).enroll(sets_of(rng, 80))
    with pytest.raises(GalleryError, match="another model"):
        told.enroll({"b": textured(rng, 4)})
    late.enroll({"b": textured(rng, 4)})
    assert late.model.name == "pictures"
    assert list(late.counts()) == ["a", "b"]


@pytest.mark.parametrize(("side", "expected"), [(32, "thumbnails"), (80, "pictures")])
def test_answers_choose_by_sizes(both_shipped, loaded, rng, side, expected):
    one, other, *others = sets_of(rng, side, side, side, side, images=10)
    genprint.verify(one, other)
    genprint.lineage(one, other, others)
    genprint.families([one, other])
    genprint.mixture(others[0], [one, other], conditions=False)
    SourceClassifier().fit([one, other], ["a", "b"])
    answer = genprint.attribute(others[0], [one, other], conditions=False)
    assert answer.asked.inputs["model"] == f"shipped:{expected}"
    assert loaded == [f"shipped:{expected}"] * 6


def test_a_model_that_is_given_is_taken(both_shipped, rng):
    model = genprint.load("thumbnails")
    one, other, third = sets_of(rng, 80, 80, 80)
    assert genprint.attribute(third, [one, other], model=model).asked.inputs["model"] == "shipped:thumbnails"
    gallery = genprint.Gallery(model=model)
    gallery.enroll([one])
    assert gallery.model is model
    assert SourceClassifier(model).fit([one, other], ["a", "b"]).model_ is model


def test_which_sets_are_too_small(rng):
    sets = [sized((64, 64), name="small"), sized((65, 65), name="large")]
    assert shipped.too_small("pictures", sets) == ["small"]
    assert shipped.too_small("thumbnails", sets) == []
    assert shipped.too_small(None, sets) == []
