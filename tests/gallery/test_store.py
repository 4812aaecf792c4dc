"""The gallery: what is enrolled stays, search is exact, a large one is compared by its nearest sources."""

import sqlite3

import numpy as np
import pytest

from genprint.answers import attribution
from genprint.answers.attribution import GalleryIdentifier, Identifier
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.fingerprint import Features
from genprint.gallery.store import Gallery, GalleryError, Index
from genprint.images.sets import ImageSet
from genprint.scoring.base import ByFingerprint
from genprint.scoring.conditions import HISTORIES, NONE, common
from tests.conftest import textured

ENCODER = SetEncoder.from_pretrained()


def made_up(rng, sources, images=6, after=()):
    size = len(ENCODER.plda_.mean)

    def values(centre):
        return (centre + 0.3 * rng.normal(size=(images, size))).astype(np.float32)

    for i in range(sources):
        centre = 3 * rng.normal(size=size)
        digests = tuple(f"{rng.integers(2**60):x}" for _ in range(images))
        yield f"source {i:03d}", Features(values(centre), digests, after={name: values(-centre) for name in after})


def test_a_gallery_of_another_encoder_is_refused(tmp_path):
    other = SetEncoder.from_pretrained()
    other.weights_digest_ = "another"
    Gallery(tmp_path / "g.sqlite", ENCODER)
    with pytest.raises(GalleryError, match="another encoder"):
        Gallery(tmp_path / "g.sqlite", other)
    (tmp_path / "no.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(GalleryError, match=r"no\.sqlite"):
        Gallery(tmp_path / "no.sqlite", ENCODER)


def test_histories_are_kept_where_all_images_of_a_source_have_them(tmp_path, rng):
    images = textured(rng, 12)
    some = {"JPEG 90": HISTORIES["JPEG 90"], "blur 1": HISTORIES["blur 1"]}
    parts = [ImageSet.from_array(images[at : at + 4], "a") for at in (0, 4, 8)]
    store = Gallery(tmp_path / "g.sqlite", ENCODER)
    store.enroll("a", ENCODER.features(parts[0], histories=some))
    store.enroll("a", ENCODER.features(parts[1], histories={"JPEG 90": some["JPEG 90"]}))
    whole = Gallery(tmp_path / "g.sqlite", ENCODER).features()["a"]
    expected = ENCODER.features(ImageSet.from_array(images[:8], "a"), histories=some)
    assert list(whole.after) == ["JPEG 90"]
    assert np.allclose(whole.after["JPEG 90"], expected.after["JPEG 90"], atol=1e-4)
    assert store.enroll("a", ENCODER.features(parts[0])) == 0  # nothing new: nothing lost
    assert common([store.features()["a"]]) == [NONE, "JPEG 90"]
    with pytest.raises(GalleryError, match="would be lost"):
        store.enroll("a", ENCODER.features(parts[2]))
    assert common([store.features()["a"]]) == [NONE, "JPEG 90"]
    store.remove("a")
    store.enroll("a", ENCODER.features(parts[2]))
    assert not store.features()["a"].after
    assert store.enroll("a", ENCODER.features(parts[2], histories=some)) == 0  # the same images, looked at again
    assert list(store.features()["a"].after) == list(some)


def test_sources_without_histories_are_named(tmp_path, rng):
    store = Gallery(tmp_path / "g.sqlite", ENCODER)
    assert store.without_histories() == []
    store.enroll_all(made_up(rng, 2, after=("JPEG 90",)))
    assert store.without_histories() == []
    store.enroll("bare", next(iter(made_up(rng, 1)))[1])
    assert store.without_histories() == ["bare"]


def test_histories_of_a_gallery_are_left_out_if_so_wanted(tmp_path, rng):
    store = Gallery(tmp_path / "g.sqlite", ENCODER)
    store.enroll_all(made_up(rng, 3, after=("JPEG 90",)))
    probe = next(iter(made_up(rng, 1)))[1]
    for histories, kept in ((True, [NONE, "JPEG 90"]), (False, [NONE])):
        identifier = GalleryIdentifier(ENCODER, store, histories=histories).near(store, probe)
        assert common(list(identifier.features.values())) == kept


def test_a_database_of_something_else_is_left_as_it_is(tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (value)")
    content = path.read_bytes()
    with pytest.raises(GalleryError, match="something else"):
        Gallery(path, ENCODER)
    assert path.read_bytes() == content


@pytest.mark.parametrize("after", [(), ("JPEG 90", "blur 1")])
def test_search_is_exact(tmp_path, rng, after):
    store, sources = Gallery(tmp_path / "g.sqlite", ENCODER), dict(made_up(rng, 40, after=after))
    store.enroll_all(sources.items())
    index = Gallery(tmp_path / "g.sqlite", ENCODER).index()
    states = {
        name: np.stack([ENCODER.summarise(own.with_history(h), "").vector for h in (NONE, *after)])
        for name, own in sources.items()
    }
    for _ in range(5):
        asked = rng.normal(size=96)
        expected = sorted(states, key=lambda name: -(states[name] @ asked).max())
        assert index.nearest(asked, 7) == expected[:7]
    assert index.nearest(asked, 99) == expected


def test_search_over_many_blocks_is_exact(rng):
    vectors = rng.normal(size=(5000, 8)).astype(np.float32)
    index = Index(tuple(map(str, range(5000))), vectors, np.arange(5000))
    for count in (1, 5, 200, 5000):
        asked = rng.normal(size=8).astype(np.float32)
        assert index.nearest(asked, count) == [str(i) for i in np.argsort(-(vectors @ asked), kind="stable")[:count]]


def test_many_are_enrolled_or_none(tmp_path, rng):
    store = Gallery(tmp_path / "g.sqlite", ENCODER)
    store.enroll_all(made_up(rng, 3))
    before = store.state()

    def failing():
        yield from made_up(rng, 5)
        raise RuntimeError("the disk is on fire")

    with pytest.raises(RuntimeError, match="fire"):
        store.enroll_all(failing())
    assert (len(store), store.state()) == (3, before)
    store.remove("source 001")
    assert store.index().names == ("source 000", "source 002")
    assert store.state() != before


def test_a_large_gallery_answers_by_its_nearest_sources(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(attribution, "CLOSELY", 8)
    store, sources = Gallery(tmp_path / "g.sqlite", ENCODER), dict(made_up(rng, 30, images=12))
    store.enroll_all((name, own[np.arange(8)]) for name, own in sources.items())
    large = GalleryIdentifier(ENCODER, store, rate=0.2)
    for i, (name, own) in enumerate(sources.items()):
        near = large.near(Gallery(tmp_path / "g.sqlite", ENCODER), probe := own[np.arange(8, 12)])
        assert len(near.features) == 8
        scores = ByFingerprint(ENCODER, ENCODER.plda_).score([probe], list(near.features.values()))
        assert list(near.features)[scores.argmax()] == name
        if i % 5 == 0:  # a whole answer takes many seconds; its first candidate is the one with the best score
            assert near.identify("probe", probe).candidates[0].source == name
    few = Gallery(tmp_path / "few.sqlite", ENCODER)
    few.enroll_all((name, own[np.arange(8)]) for name, own in list(sources.items())[:8])
    whole = GalleryIdentifier(ENCODER, few, rate=0.2).near(few, probe)
    assert whole.identify("probe", probe) == Identifier(ENCODER, few.features(), 0.2).identify("probe", probe)
    with pytest.raises(ValueError, match="no source is enrolled"):
        GalleryIdentifier(ENCODER, Gallery(None, ENCODER))


@pytest.mark.parametrize("table", ["source", "history"])
def test_changed_features_are_refused(tmp_path, rng, table):
    store = Gallery(tmp_path / "g.sqlite", ENCODER)
    images = ImageSet.from_array(textured(rng, 6), "a")
    store.enroll("a", ENCODER.features(images, histories={"blur": lambda own: own}))
    assert len(store.features()["a"]) == 6
    store._connection.execute(f"UPDATE {table} SET features = zeroblob(length(features))")
    with pytest.raises(GalleryError, match=r"g\.sqlite: damaged .*not those that were enrolled.*enroll anew"):
        store.features()
    if table == "history":
        assert len(store.features(histories=False)["a"]) == 6
