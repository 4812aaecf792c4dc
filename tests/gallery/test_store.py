"""The gallery: what is enrolled stays, and only what one extractor made comes together."""

import copy
import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from genprint.answers import attribution
from genprint.answers.attribution import GalleryIdentifier, Identifier
from genprint.fingerprints.conditions import CONDITIONS
from genprint.fingerprints.fingerprint import ExtractorError
from genprint.gallery.enrolling import merge
from genprint.gallery.store import GalleryError, GalleryStore
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer
from tests.conftest import drawn_digests, given, model_of_sources, textured

SIZE = 24


@pytest.fixture(scope="module")
def model():
    return model_of_sources(9 * np.eye(SIZE))


def made_up(rng, sources, images=6, conditions=None):
    for i in range(sources):
        values = 3 * rng.normal(size=SIZE) + 0.3 * rng.normal(size=(images, SIZE))
        name = f"source {i:03d}"
        yield name, given(values, name, drawn_digests(rng, images), conditions=conditions)


def asked_with(model: Model, **parameters) -> Model:
    """The model whose encoder has other parameters, and the same weights."""
    return replace(model, fingerprinter=copy.deepcopy(model.fingerprinter).set_params(**parameters))


def test_a_gallery_of_another_extractor_is_refused_with_the_difference(tmp_path, rng, small_model):
    images = ImageSet.from_array(textured(rng, 4, side=48), "a")
    store = GalleryStore(tmp_path / "g.sqlite", small_model)
    store.add("a", small_model.fingerprint(images))
    one_tile = asked_with(small_model, tiles=1)
    assert one_tile.weights_digest == small_model.weights_digest
    with pytest.raises(GalleryError, match=r"g\.sqlite: enrolled with another model.*tiles=8.*tiles=1.*--model"):
        GalleryStore(tmp_path / "g.sqlite", one_tile)
    with pytest.raises(GalleryError, match=r"seed=0.*seed=4"):
        GalleryStore(tmp_path / "g.sqlite", asked_with(small_model, seed=4))
    with pytest.raises(ExtractorError, match=r"(?=.*tiles=8)(?=.*tiles=1)"):
        store.add("b", one_tile.fingerprint(images))
    assert store.counts() == {"a": 4}  # nothing of it was enrolled
    assert GalleryStore(tmp_path / "g.sqlite", small_model).fingerprints()["a"].extractor == (
        small_model.fingerprinter.extractor_id
    )


def test_a_gallery_of_other_weights_is_refused(tmp_path, rng, small_model, shipped):
    empty = GalleryStore(tmp_path / "g.sqlite", shipped)
    images = small_model.fingerprint(ImageSet.from_array(textured(rng, 2), "a"))
    GalleryStore(tmp_path / "g.sqlite", small_model).add("a", images)
    with pytest.raises(GalleryError, match="another model"):
        empty.add("b", shipped.fingerprint(ImageSet.from_array(textured(rng, 2), "b")))  # opened before that
    assert empty.fingerprints()["a"].extractor == small_model.fingerprinter.extractor_id
    assert empty.counts() == {"a": 2}
    with pytest.raises(GalleryError, match="another model"):
        GalleryStore(tmp_path / "g.sqlite", shipped)
    GalleryStore(tmp_path / "g.sqlite", replace(small_model, population=None))  # features are the same


def test_a_file_that_is_no_gallery_is_refused(tmp_path, model):
    (tmp_path / "no.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(GalleryError, match=r"no\.sqlite"):
        GalleryStore(tmp_path / "no.sqlite", model)


# The tables as they were made before 0.2.
_OLD = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE source (
    name TEXT PRIMARY KEY, rows INTEGER NOT NULL, features BLOB NOT NULL, digests TEXT NOT NULL, sha256 TEXT NOT NULL
);
CREATE TABLE history (
    source TEXT NOT NULL REFERENCES source (name) ON DELETE CASCADE, change TEXT NOT NULL, features BLOB NOT NULL,
    sha256 TEXT NOT NULL, PRIMARY KEY (source, change)
);
CREATE TABLE vector (
    source TEXT NOT NULL REFERENCES source (name) ON DELETE CASCADE, change TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (source, change)
) WITHOUT ROWID;
INSERT INTO about VALUES ('state', hex(randomblob(16)));
"""


@pytest.fixture
def old_gallery(tmp_path, rng, small_model):
    """A gallery as it was before 0.2, which knows its model by the digest of the weights alone."""
    new, path = tmp_path / "new.sqlite", tmp_path / "old.sqlite"
    images = ImageSet.from_array(textured(rng, 5), "a")
    found = small_model.fingerprint(images)
    store = GalleryStore(new, small_model)
    store.add("a", found, originals=False)
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with sqlite3.connect(path) as old:
        old.executescript(_OLD)
        old.execute("ATTACH ? AS new", (str(new),))
        for table in ("source", "vector"):
            old.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")
        old.execute("INSERT INTO history SELECT name, 'JPEG 90', features, sha256 FROM source")
        old.execute("INSERT INTO vector SELECT source, 'JPEG 90', zeroblob(length(value)) FROM vector")
        old.execute("INSERT INTO about VALUES ('weights', ?)", (small_model.weights_digest,))
    return path, found


def test_an_old_gallery_of_the_same_weights_is_opened_and_knows_its_extractor_from_then_on(
    old_gallery, rng, small_model
):
    path, enrolled = old_gallery
    store = GalleryStore(path, small_model)
    again = store.fingerprints()["a"]
    assert (again.digests, again.extractor) == (enrolled.digests, enrolled.extractor)
    assert np.array_equal(again.values, enrolled.values)
    assert store.lacking_originals() == ["a"]  # features in other conditions are of no use any more
    assert store.index().nearest(small_model.fingerprinter.embed(enrolled), 1) == ["a"]
    assert np.allclose(store.vectors()[1], small_model.fingerprinter.embed(enrolled))
    with pytest.raises(GalleryError, match=r"tiles=8.*tiles=1"):
        GalleryStore(path, asked_with(small_model, tiles=1))
    other = small_model.fingerprint(ImageSet.from_array(textured(rng, 2), "b"))
    assert GalleryStore(path, small_model).add("a", other) == 2
    store = GalleryStore(path, small_model)
    assert len(store.fingerprints()["a"]) == 7
    assert store.originals()["a"][0] == 2
    # enrolled once more, its images are there for other conditions, too
    assert store.add("a", small_model.fingerprint(enrolled.originals[0].images)) == 0
    assert len(store.fingerprints()["a"].kept()) == 7
    GalleryStore(path, None).remove("a")
    with sqlite3.connect(path) as old:
        assert old.execute("SELECT (SELECT count(*) FROM history), (SELECT count(*) FROM vector)").fetchone() == (0, 0)


def test_an_old_gallery_of_other_weights_says_how_to_make_it_anew(old_gallery, small_model):
    path, _ = old_gallery
    with sqlite3.connect(path) as old:
        old.execute("UPDATE about SET value = 'feed' WHERE key = 'weights'")
    said = r"old\.sqlite: enrolled with another model.*weights feed.*enroll the images anew in another file"
    with pytest.raises(GalleryError, match=said):
        GalleryStore(path, small_model)
    with sqlite3.connect(path) as old:
        assert dict(old.execute("SELECT key, value FROM about"))["weights"] == "feed"  # left as it was
        assert old.execute("SELECT count(*) FROM source").fetchone() == (1,)


def of(digests):
    return given(np.arange(len(digests), dtype=np.float32)[:, None] + np.zeros((1, 3)), "a", tuple(digests))


# old images, new ones; digests that are kept (None: all stays as it is), images added
MERGES = {
    "the first images": (None, "ab", "ab", 2),
    "no image": ("ab", "", None, 0),
    "the same images": ("ab", "ab", None, 0),
    "the same images in another order": ("ab", "ba", None, 0),
    "some of the same images": ("abc", "ab", None, 0),
    "all and more images": ("ab", "abc", "abc", 1),
    "other images": ("ab", "cd", "abcd", 2),
    "some images again": ("ab", "bc", "abc", 1),
}


@pytest.mark.parametrize("case", MERGES)
def test_what_is_kept_when_images_are_added(case):
    old, new, expected, added = MERGES[case]
    before, images = (None if own is None else of(own) for own in (old, new))
    kept, count = merge(before, images)
    assert count == added
    assert (None if kept is None else "".join(kept.digests)) == expected
    if kept and before:
        assert np.array_equal(kept.values[: len(before)], before.values)


def test_originals_of_a_gallery_in_memory_are_those_of_the_fingerprints(rng, model):
    store = GalleryStore(None, model)
    assert store.lacking_originals() == []
    store.add_all(made_up(rng, 2, conditions={}))
    (more,) = dict(made_up(rng, 1, conditions={})).values()
    store.add("source 000", more)
    assert store.lacking_originals() == []
    assert len(store.fingerprints()["source 000"].kept()) == 12
    store.add("bare", next(iter(made_up(rng, 1)))[1])
    store.add("not kept", next(iter(made_up(rng, 1, conditions={})))[1], originals=False)
    assert store.lacking_originals() == ["bare", "not kept"]
    assert list(store.fingerprints(["source 001", "nobody"])) == ["source 001"]


def test_conditions_are_left_out_if_so_wanted(rng, model):
    store = GalleryStore(None, model)
    store.add_all(made_up(rng, 3, conditions={}))
    probe = next(iter(made_up(rng, 1)))[1]
    for conditions, likely in ((True, list(CONDITIONS.values())), (False, [])):
        identifier = GalleryIdentifier(store, conditions=conditions).near(store, probe)
        assert identifier.enrolled.candidates([probe]) == likely
    store.add("bare", next(iter(made_up(rng, 1)))[1])  # one source without originals, and none is compared after them
    assert GalleryIdentifier(store).near(store, probe).enrolled.candidates([probe]) == []


def test_without_a_model_sources_are_listed_and_removed(tmp_path, rng, model):
    GalleryStore(tmp_path / "g.sqlite", model).add_all(made_up(rng, 3))
    store = GalleryStore(tmp_path / "g.sqlite", None)
    assert store.counts() == {"source 000": 6, "source 001": 6, "source 002": 6}
    store.remove("source 001")
    assert list(GalleryStore(tmp_path / "g.sqlite", model).fingerprints()) == ["source 000", "source 002"]
    with pytest.raises(GalleryError, match=r"g\.sqlite: was opened without a model"):
        store.fingerprints()
    with pytest.raises(GalleryError, match="opened without a model"):
        store.add_all(made_up(rng, 1))


def test_a_database_of_something_else_is_left_as_it_is(tmp_path, model):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (value)")
    content = path.read_bytes()
    with pytest.raises(GalleryError, match="something else"):
        GalleryStore(path, model)
    assert path.read_bytes() == content


def test_many_are_enrolled_or_none(tmp_path, rng, model):
    store = GalleryStore(tmp_path / "g.sqlite", model)
    store.add_all(made_up(rng, 3))
    before = store.state()

    def failing():
        yield from made_up(rng, 5)
        raise RuntimeError("the disk is on fire")

    with pytest.raises(RuntimeError, match="fire"):
        store.add_all(failing())
    assert (len(store), store.state()) == (3, before)
    store.remove("source 001")
    assert store.index().names == ("source 000", "source 002")
    assert store.state() != before
    with pytest.raises(GalleryError, match="source 001: not enrolled"):
        store.remove("source 001")
    with pytest.raises(GalleryError, match="needs a name"):
        store.add("", next(iter(made_up(rng, 1)))[1])


def test_a_large_gallery_answers_by_its_nearest_sources(tmp_path, rng, model, monkeypatch):
    monkeypatch.setattr(attribution, "SHORTLIST", 8)
    store, sources = GalleryStore(tmp_path / "g.sqlite", model), dict(made_up(rng, 30, images=12))
    store.add_all((name, own[np.arange(8)]) for name, own in sources.items())
    large = GalleryIdentifier(store, rate=0.2)
    for name, own in sources.items():
        near = large.near(GalleryStore(tmp_path / "g.sqlite", model), probe := own[np.arange(8, 12)])
        assert len(near.known) == 8
        scores = ByScorer(model.scorer).score([probe], list(near.known.values()))
        assert list(near.known)[scores.argmax()] == name
        assert near.identify(probe, grown=False).evidence.candidates[0].source == name
    few = GalleryStore(tmp_path / "few.sqlite", model)
    few.add_all((name, own[np.arange(8)]) for name, own in list(sources.items())[:8])
    whole = GalleryIdentifier(few, rate=0.2).near(few, probe)
    assert whole.identify(probe) == Identifier(model, few.fingerprints(), 0.2).identify(probe)
    with pytest.raises(ValueError, match="no source is enrolled"):
        GalleryIdentifier(GalleryStore(None, model))


def test_changed_features_are_refused(tmp_path, rng, small_model):
    store = GalleryStore(tmp_path / "g.sqlite", small_model)
    images = ImageSet.from_array(textured(rng, 6), "a")
    store.add("a", small_model.fingerprint(images))
    assert len(store.fingerprints()["a"]) == 6
    store._connection.execute("UPDATE source SET features = zeroblob(length(features))")
    with pytest.raises(GalleryError, match=r"g\.sqlite: damaged .*not those that were enrolled.*enroll anew"):
        store.fingerprints()
