"""What a probe is made of."""

import numpy as np
import pytest

from genprint.answers.mixture import unmix
from genprint.images.sets import ImageSet, ImageSetError
from tests.conftest import textured

GRAINS = {"fine": 4.0, "middle": 16.0, "coarse": 60.0}


@pytest.fixture(scope="module")
def read(small_model):
    return lambda images, name="set": small_model.fingerprint(ImageSet.from_array(images, name))


@pytest.fixture(scope="module")
def enrolled(read):
    rng = np.random.default_rng(1)
    return {name: read(textured(rng, 40, grain=grain), name) for name, grain in GRAINS.items()}


def test_shares_of_three_sources(small_model, read, enrolled, rng):
    counts = {"fine": 50, "middle": 20, "coarse": 30}
    probe = read(np.concatenate([textured(rng, n, grain=GRAINS[name]) for name, n in counts.items()]))
    result = unmix(small_model, enrolled, probe)
    assert result.decision == "mixed"
    assert sum(share.share for share in result.shares) == pytest.approx(1)
    for share in result.shares:
        assert share.share == pytest.approx(counts[share.source] / 100, abs=0.05)
        assert share.low <= share.share <= share.high
    owners = np.repeat(list(counts), list(counts.values()))
    assert np.mean([member.source == owner for member, owner in zip(result.members, owners, strict=True)]) > 0.9


def test_one_source_is_not_called_mixed(small_model, read, enrolled, rng):
    result = unmix(small_model, enrolled, read(textured(rng, 50, grain=GRAINS["middle"])))
    assert result.decision == "single"
    assert (result.shares[0].source, result.mixed_p > 0.05) == ("middle", True)


def test_a_few_strangers_are_found(small_model, read, enrolled, rng):
    images = [textured(rng, 57, grain=GRAINS["fine"]), textured(rng, 3, grain=GRAINS["coarse"])]
    assert unmix(small_model, enrolled, read(np.concatenate(images))).mixed_p <= 0.05


def test_what_is_not_enrolled_is_unknown(small_model, read, enrolled, rng):
    stripes = textured(rng, 40, grain=5.0)
    stripes[:, ::2] //= 2
    assert unmix(small_model, enrolled, read(stripes)).decision == "unknown"


def test_images_that_are_enrolled_are_left_out(small_model, read, enrolled, rng):
    own = enrolled["fine"]
    fresh = read(textured(rng, 20, grain=GRAINS["fine"]))
    found = unmix(small_model, enrolled, fresh + own[np.arange(5)])
    assert found.images == 20
    assert [left.reason for left in found.left_out] == ["the same file is enrolled, as of fine"] * 5
    assert found.shares == unmix(small_model, enrolled, fresh).shares
    with pytest.raises(ImageSetError, match="all 40 images are enrolled"):
        unmix(small_model, enrolled, own)


def test_one_source_has_no_shares(small_model, enrolled):
    with pytest.raises(ValueError, match="two enrolled sources"):
        unmix(small_model, {"fine": enrolled["fine"]}, enrolled["coarse"])
