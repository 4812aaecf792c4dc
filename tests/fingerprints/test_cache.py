"""The cache gives what was computed, and computes only what is not there."""

from dataclasses import dataclass

import numpy as np
import pytest

from genprint.baselines.content import ColourQuantiles
from genprint.fingerprints.cache import CacheError, Cache
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
    again = Cache(tmp_path / "c.sqlite").get(Counting().extractor_id, plain.digests)
    assert (np.stack(again) == plain.values).all()


def test_features_in_conditions_are_cached_too(tmp_path, rng):
    cache, images = Cache(tmp_path / "c.sqlite"), ImageSet.from_array(textured(rng, 4), "a")
    some = {"JPEG 90": Jpeg(90), "blur 1": Blur(1)}
    Counting.seen = 0
    first, again = (Counting().extract(images, cache=cache, conditions=some) for _ in range(2))
    assert Counting.seen == 4 * 3
    assert all((first.conditions[name] == again.conditions[name]).all() for name in some)
    assert not np.allclose(first.conditions["JPEG 90"], first.conditions["blur 1"])


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
    for processing in (one, other, one):
        found = ColourQuantiles().extract(images, cache=cache, conditions={"the same name": processing})
        plain = ColourQuantiles().extract(images, conditions={"the same name": processing})
        assert (found.conditions["the same name"] == plain.conditions["the same name"]).all()
    assert not np.array_equal(
        *(ColourQuantiles().extract(images, conditions={"x": own}).conditions["x"] for own in (one, other))
    )


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
