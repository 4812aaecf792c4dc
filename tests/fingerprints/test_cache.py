"""The cache gives what was computed, computes only what is not there, and stays within its size."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

from genprint.baselines.content import ColourQuantiles
from genprint.fingerprints.cache import Cache, CacheError
from genprint.images.processing import Blur, Jpeg, Noise, Processing
from genprint.images.sets import ImageSet
from tests.conftest import textured


class Counting(ColourQuantiles):
    method = "counting"
    seen = 0

    def _features(self, images):
        Counting.seen += len(images)
        return super()._features(images)


def test_only_new_images_are_computed(tmp_path, rng):
    images = textured(rng, 9)
    cache, plain = Cache(tmp_path / "c.sqlite"), ColourQuantiles().extract(ImageSet.from_array(images, "x"))
    Counting.seen = 0
    for count, seen in ((5, 5), (5, 5), (9, 9)):
        found = Counting().extract(ImageSet.from_array(images[:count], "x"), cache=cache, batch=4)
        assert Counting.seen == seen
        assert (found.values == plain.values[:count]).all()
        assert found.digests == plain.digests[:count]
    again = Cache(tmp_path / "c.sqlite").features(Counting().extractor_id, plain.digests)
    assert (np.stack(again) == plain.values).all()


def test_features_in_conditions_are_cached_too(tmp_path, rng):
    cache, images = Cache(tmp_path / "c.sqlite"), ImageSet.from_array(textured(rng, 4), "a")
    Counting.seen = 0
    whole = Counting().extract(images, cache=cache)
    first, again = ([whole.under(processing).values for processing in (Jpeg(90), Blur(1))] for _ in range(2))
    assert Counting.seen == 4 * 3
    assert np.array_equal(first, again)
    assert not np.allclose(*first)
    whole[[1, 2]].under(Jpeg(90))
    assert Counting.seen == 4 * 3


@dataclass(frozen=True)
class Brighter(Processing):
    """Its name does not say by how much."""

    levels: int

    @property
    def name(self):
        return "brighter"

    def __call__(self, images):
        return images + np.uint8(self.levels)


@pytest.mark.parametrize(
    ("one", "other"), [(Brighter(1), Brighter(9)), (Noise(2), Noise(2, seed=1)), (Jpeg(90), Jpeg(90, "4:4:4"))]
)
def test_processings_that_go_by_one_name_share_no_rows(tmp_path, rng, one, other):
    cache, images = Cache(tmp_path / "c.sqlite"), ImageSet.from_array(textured(rng, 4) // 2, "a")
    found = {}
    for processing in (one, other, one):
        found[processing] = ColourQuantiles().extract(images, cache=cache, processing=processing).values
        assert (found[processing] == ColourQuantiles().extract(images, processing=processing).values).all()
    assert not np.array_equal(found[one], found[other])


def test_extractors_share_no_rows(tmp_path, rng):
    cache, images = Cache(tmp_path / "c.sqlite"), ImageSet.from_array(textured(rng, 3), "a")
    Counting.seen = 0
    ColourQuantiles().extract(images, cache=cache)
    Counting().extract(images, cache=cache)
    assert Counting.seen == 3


def test_a_file_that_is_no_cache_is_told(tmp_path):
    (tmp_path / "c.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(CacheError, match="remove it"):
        Cache(tmp_path / "c.sqlite")


def numbered(*numbers):
    return [f"{number:04d}" for number in numbers]


VALUE = bytes(6144)  # as large as the features of the shipped model


def test_values_are_kept_by_maker_and_what_they_are_about(tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    cache.put("one", ["a", "b"], [b"1a", b"1b"])
    cache.put("other", ["a"], [b"2a"])
    cache.put("one", ["a"], [b"new"])
    assert cache.get("one", ["b", "c", "a"]) == [b"1b", None, b"new"]
    assert cache.get("other", ["a", "b"]) == [b"2a", None]
    cache.forget(["a", "never heard of"])
    assert cache.get("one", ["a", "b"]) == [None, b"1b"]
    assert cache.get("other", ["a"]) == [None]


@pytest.mark.parametrize("size", [2**18, 2**19])
def test_it_stays_within_its_size_and_drops_what_was_not_used_for_longest(tmp_path, size):
    cache = Cache(tmp_path / "c.sqlite", size)
    many = size // len(VALUE) * 3  # much more than there is room for
    for number in range(many):
        cache.put("x", numbered(number), [VALUE])
        assert cache.get("x", numbered(0)) == [VALUE]  # in use, and so never dropped
    held = [number for number, value in enumerate(cache.get("x", numbered(*range(many)))) if value]
    assert held == [0, *range(many - len(held) + 1, many)]  # beside that, the latest
    assert 0.5 * size < len(held) * len(VALUE) < size
    cache._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (tmp_path / "c.sqlite").stat().st_size < 1.2 * size
    unbounded = Cache(tmp_path / "all.sqlite")
    for number in range(many):
        unbounded.put("x", numbered(number), [VALUE])
    assert None not in unbounded.get("x", numbered(*range(many)))


def test_threads_share_it(tmp_path):
    cache, together = Cache(tmp_path / "c.sqlite", 2**20), threading.Barrier(4)

    def work(number):
        together.wait()
        for i in range(20):
            cache.put("x", numbered(100 * number + i), [bytes([number]) * 100])
            assert cache.get("x", numbered(100 * number + i)) == [bytes([number]) * 100]
        together.wait()
        return cache.get("x", numbered(*(100 * other for other in range(4))))

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(work, range(4)))
    assert found == [[bytes([other]) * 100 for other in range(4)]] * 4
