"""How enrolled files were saved is kept in the gallery, for images that are kept as parts do not say it any more."""

import sqlite3

import pytest
from PIL import Image

from genprint.api import Gallery
from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.images.saving import saving
from genprint.images.sets import ImageSet
from genprint.model import Model
from tests.conftest import textured

MODEL = Model(NeighbourhoodCovariance())
SIDE = 96


def write(folder, images, kind="jpg", **options):
    folder.mkdir(exist_ok=True, parents=True)
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{len(list(folder.iterdir()))}{i}.{kind}", **options)
    return folder


@pytest.fixture
def gallery(tmp_path):
    return Gallery(tmp_path / "g.sqlite", MODEL)


def test_each_images_saving_comes_back_and_nothing_else_of_its_header(tmp_path, rng, gallery):
    write(tmp_path / "a", textured(rng, 3, SIDE), quality=80)
    write(tmp_path / "a", textured(rng, 2, SIDE), qtables=[[7] * 64, [9] * 64], comment="by hand")
    write(tmp_path / "a", textured(rng, 2, SIDE), "webp", quality=80)
    write(tmp_path / "a", textured(rng, 1, SIDE), "png")
    gallery.enroll(tmp_path / "a", "a")
    write(tmp_path / "b", textured(rng, 1, SIDE), quality=55, subsampling="4:4:4")
    gallery.enroll(tmp_path / "b", "a")  # more images of the same
    expected = MODEL.fingerprint(ImageSet.read(tmp_path / "a")) + MODEL.fingerprint(ImageSet.read(tmp_path / "b"))
    own = gallery.fingerprints()["a"]
    assert own.digests == expected.digests
    assert [saving(one) for one in own.facts] == [saving(one) for one in expected.facts]
    assert [one.format for one in own.facts] == [one.format for one in expected.facts]
    assert any(one.metadata for one in expected.facts)
    assert not any(one.metadata for one in own.facts)
    gallery.remove("a")
    assert gallery._connection.execute("SELECT count(*) FROM saving").fetchone() == (0,)
    gallery.enroll({"array": textured(rng, 2, SIDE)})
    assert gallery.fingerprints()["array"].facts == (None, None)


@pytest.mark.parametrize("originals", [True, False])
def test_a_lossless_probe_is_compared_as_the_gallery_is_saved(tmp_path, rng, gallery, originals):
    for i, grain in enumerate((4.0, 12.0, 30.0)):
        write(tmp_path / f"{i}", textured(rng, 5, SIDE, grain), quality=60)
        gallery.enroll(tmp_path / f"{i}", f"{i}", originals=originals)
    probe = write(tmp_path / "probe", textured(rng, 4, SIDE, 12.0), "png")
    answer = gallery.attribute(probe)
    assert (answer.condition, answer.evidence.candidates[0].source) == ("JPEG 60", "1")
    assert answer.to_dict()["evidence"]["condition"]["brought_to"] == "JPEG 60"
    assert gallery.attribute(probe, conditions=False).condition == "original"


def test_a_gallery_of_before_does_not_know_it(tmp_path, rng, gallery):
    write(tmp_path / "a", textured(rng, 3, SIDE), quality=80)
    gallery.enroll(tmp_path / "a", "a")
    gallery._connection.close()
    with sqlite3.connect(tmp_path / "g.sqlite") as file:
        file.execute("DROP TABLE saving")
    (tmp_path / "g.sqlite").chmod(0o444)
    assert Gallery(tmp_path / "g.sqlite", MODEL).fingerprints()["a"].facts == ()
    (tmp_path / "g.sqlite").chmod(0o644)
    again = Gallery(tmp_path / "g.sqlite", MODEL)  # now it can be written
    assert again.fingerprints()["a"].facts == ()
    write(tmp_path / "b", textured(rng, 1, SIDE), quality=80)
    again.enroll(tmp_path / "b", "a")
    assert again.fingerprints()["a"].facts == ()  # of some images alone, it says nothing
    again.enroll(tmp_path / "b", "b")
    assert len(again.fingerprints()["b"].facts) == 1
