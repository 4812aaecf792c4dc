"""What enrolled images look like is kept in the gallery, so that copies of them are found in probes."""

import sqlite3

import numpy as np
import pytest
from PIL import Image

from genprint.api import Gallery
from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.images.sets import ImageSet
from genprint.model import Model
from tests.conftest import textured

MODEL = Model(NeighbourhoodCovariance())


@pytest.fixture
def folder(tmp_path, rng):
    for name in "ab":
        (tmp_path / name).mkdir()
        for i, pixels in enumerate(textured(rng, 3)):
            Image.fromarray(pixels).save(tmp_path / name / f"{name}{i}.png")
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "a" / "black.png")
    return tmp_path


@pytest.fixture
def gallery(tmp_path):
    return Gallery(tmp_path / "g.sqlite", MODEL)


def looks(folder):
    return MODEL.fingerprint(ImageSet.read(folder), looks=True).looks


def test_looks_come_back_and_those_of_images_added_later(folder, gallery):
    gallery.enroll(folder / "a", "a")
    gallery.enroll(folder / "b", "a")
    expected = looks(folder / "a") + looks(folder / "b")
    assert gallery.fingerprints()["a"].looks == expected
    assert {one.name for one in expected} == {"a0.png", "a1.png", "a2.png", "black.png", "b0.png", "b1.png", "b2.png"}
    assert [one.hashes for one in expected].count(b"") == 1  # the black one's


def test_a_source_that_is_removed_leaves_no_looks(folder, gallery):
    gallery.enroll(folder / "a", "a")
    gallery.remove("a")
    with sqlite3.connect(gallery.path) as connection:
        assert connection.execute("SELECT count(*) FROM look").fetchone() == (0,)


def test_of_images_enrolled_before_looks_were_kept_nothing_is_known(folder, gallery):
    gallery.enroll(folder / "a", "a")
    with sqlite3.connect(gallery.path) as connection:
        connection.execute("DELETE FROM look")
    assert gallery.fingerprints()["a"].looks == ()
    gallery.enroll(folder / "b", "a")
    assert gallery.fingerprints()["a"].looks == (None,) * 4 + looks(folder / "b")


def test_a_gallery_of_before_that_is_only_read_has_no_such_table(folder, gallery):
    gallery.enroll(folder / "a", "a")
    gallery._connection.execute("DROP TABLE look")
    assert gallery.fingerprints()["a"].looks == ()
    assert len(gallery.fingerprints()["a"]) == 4
