"""What is kept while sources are read, and what comes of those that cannot be used."""

import pytest

from genprint.baselines.content import ColourQuantiles
from genprint.fingerprints.cache import Cache
from genprint.gallery.enrolling import read_all, reading
from genprint.images.sets import ImageSet, ImageSetError
from tests.conftest import textured


def stopped(gallery):
    with reading(gallery) as cache:
        cache.put("maker", ["image"], [b"features"])
        raise KeyboardInterrupt


def test_what_was_read_is_kept_until_all_went_well(tmp_path):
    gallery = tmp_path / "g.sqlite"
    with pytest.raises(KeyboardInterrupt):
        stopped(gallery)
    with reading(gallery) as cache:
        assert cache.get("maker", ["image"]) == [b"features"]
    assert not list(tmp_path.iterdir())


def test_of_two_that_enroll_at_once_one_does_without(tmp_path):
    with reading(tmp_path / "g.sqlite") as first:
        assert isinstance(first, Cache)
        with reading(tmp_path / "g.sqlite") as second:
            assert second is None
        first.put("maker", ["image"], [b"features"])
        assert first.get("maker", ["image"]) == [b"features"]


def test_a_cache_that_is_given_is_kept(tmp_path):
    own = Cache(tmp_path / "own.sqlite")
    with reading(None, own) as cache:
        assert cache is own
    assert own.path.exists()


def test_a_folder_that_cannot_be_written_is_no_hindrance(tmp_path):
    with reading(tmp_path / "nowhere" / "g.sqlite") as cache:
        assert cache is None


def test_one_of_several_sources_that_cannot_be_used_is_left_out(tmp_path, rng):
    (tmp_path / "empty").mkdir()
    sets = [ImageSet.from_array(textured(rng, 2), "a"), ImageSet.read(tmp_path / "empty")]
    found, unusable = read_all(ColourQuantiles(), sets)
    assert list(found) == ["a"]
    assert [(one.source, one.images) for one in unusable] == [("empty", 0)]
    assert "there is no file in it" in unusable[0].reason
    for asked, strict in ((sets, True), (sets[1:], False)):
        with pytest.raises(ImageSetError, match="there is no file in it"):
            read_all(ColourQuantiles(), asked, strict)
