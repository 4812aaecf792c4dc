"""Outlines of enrolled sources: what is kept of each, so that a new one is looked at without reading all."""

import numpy as np
import pytest

from genprint.gallery.outlines import Outline
from genprint.gallery.store import GalleryError, GalleryStore
from genprint.scoring.twins import FEWEST
from tests.conftest import drawn_digests, given, model_of_sources

SIZE = 12


def source(rng, name, images=FEWEST):
    return given(rng.normal(size=(images, SIZE)), name, drawn_digests(rng, images))


@pytest.fixture
def store():
    return GalleryStore(None, model_of_sources(4 * np.eye(SIZE)))


@pytest.fixture
def read(store, monkeypatch):
    """Names of the sources whose features are read."""
    names, read_features = [], store._read

    def noted(connection, name, maker):
        names.append(name)
        return read_features(connection, name, maker)

    monkeypatch.setattr(store, "_read", noted)
    return names


def assert_same(one, other):
    assert (one.source, one.digests, one.side, one.count) == (other.source, other.digests, other.side, other.count)
    assert (one.centre is None) == (other.centre is None)
    if one.centre:
        assert np.array_equal(one.centre.mean, other.centre.mean)
        assert one.centre.noise == other.centre.noise


def test_features_of_a_source_are_read_once(store, read, rng):
    store.add_all([(name, source(rng, name)) for name in "ba"])
    store.outlines()
    store.add("c", source(rng, "c"))
    store.add("few", source(rng, "few", FEWEST - 1))
    read.clear()
    found = store.outlines()
    assert read == ["c"]
    known = store.fingerprints()
    assert [one.source for one in found] == ["a", "b", "c", "few"]
    for one in found:
        assert_same(one, Outline.of(known[one.source], store.model.scorer))
    assert found[3].centre is None


def test_more_images_of_a_source_move_its_centre(store, read, rng):
    store.add("a", source(rng, "a"))
    (before,) = store.outlines()
    store.add("a", source(rng, "a", 3))
    (after,) = store.outlines()
    assert_same(after, Outline.of(store.fingerprints()["a"], store.model.scorer))
    assert after.count == before.count + 3
    store.remove("a")
    assert store.outlines() == []


def test_centres_are_of_one_model(tmp_path, rng):
    one, other = (model_of_sources(between * np.eye(SIZE)) for between in (4, 9))
    assert one.identity != other.identity
    GalleryStore(tmp_path / "g.sqlite", one).add("a", source(rng, "a"))
    GalleryStore(tmp_path / "g.sqlite", one).outlines()
    store = GalleryStore(tmp_path / "g.sqlite", other)
    store.outlines()
    assert store._connection.execute("SELECT source, model FROM centre").fetchall() == [("a", other.identity)]


def test_damage_is_told(store, rng):
    store.add("a", source(rng, "a"))
    store._connection.execute("UPDATE source SET features = zeroblob(length(features))")
    with pytest.raises(GalleryError, match="the features of a are not those"):
        store.outlines()
