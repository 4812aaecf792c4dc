"""Validations that a gallery keeps."""

import pytest

from genprint.gallery.store import GalleryStore
from genprint.gallery.validations import ValidationError, latest, note
from genprint.storage.sqlite import tables_of
from tests.conftest import given, model_of_sources


@pytest.fixture
def gallery(tmp_path, rng):
    store = GalleryStore(tmp_path / "g.sqlite", model_of_sources(rng.normal(size=(4, 4))))
    store.add("a", given(rng.normal(size=(3, 4))))
    return store


def of(written):
    return {"written": written, "sha256": f"digest of {written}", "model": "m"}


def test_the_latest_is_told_and_whether_it_still_holds(gallery, rng):
    path, state = gallery.path, gallery.state()
    note(path, of("2026-01-01"), state)
    note(path, of("2026-01-02"), state)
    found = latest(path, "m")
    assert (found.written, found.sha256, found.current) == ("2026-01-02", "digest of 2026-01-02", True)
    assert found.said == "validated 2026-01-02 (SHA-256 digest of 2026-01-02)"
    assert gallery.state() == state
    assert not latest(path, "another").current
    gallery.add("b", given(rng.normal(size=(3, 4))))
    assert "has changed since" in latest(path, "m").said


def test_asking_leaves_a_gallery_that_was_never_validated_as_it_is(gallery):
    assert latest(gallery.path, "m") is None
    assert "validation" not in tables_of(gallery.path)


def test_what_is_no_gallery_is_told(tmp_path):
    (tmp_path / "g.sqlite").write_text("no database" * 100)
    with pytest.raises(ValidationError, match=r"g\.sqlite: whether it was validated cannot be read"):
        latest(tmp_path / "g.sqlite", "m")
    with pytest.raises(ValidationError, match="cannot be kept in it"):
        note(tmp_path / "g.sqlite", of("2026"), "")
