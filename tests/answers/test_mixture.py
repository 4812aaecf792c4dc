"""What a probe is made of."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from genprint.answers.mixture import unmix
from genprint.cli.app import app
from genprint.encoder.encoder import SetEncoder
from genprint.evaluation.mixture import mixtures
from genprint.fingerprints.fingerprint import Features
from genprint.images.sets import ImageSet, ImageSetError

from tests.conftest import textured

GRAINS = {"fine": 4.0, "middle": 16.0, "coarse": 60.0}
ENCODER = SetEncoder.from_pretrained()


def features(images):
    return ENCODER.features(ImageSet.from_array(images, "set"))


@pytest.fixture(scope="module")
def enrolled():
    rng = np.random.default_rng(1)
    return {name: features(textured(rng, 40, grain=grain)) for name, grain in GRAINS.items()}


def test_shares_of_three_sources(enrolled, rng):
    counts = {"fine": 50, "middle": 20, "coarse": 30}
    probe = features(np.concatenate([textured(rng, n, grain=GRAINS[name]) for name, n in counts.items()]))
    result = unmix(ENCODER, enrolled, "pile", probe)
    assert result.answer == "mixed"
    assert sum(share.share for share in result.shares) == pytest.approx(1)
    for share in result.shares:
        assert share.share == pytest.approx(counts[share.source] / 100, abs=0.05)
        assert share.low <= share.share <= share.high
    owners = np.repeat(list(counts), list(counts.values()))
    assert np.mean([member.source == owner for member, owner in zip(result.members, owners, strict=True)]) > 0.9


def test_one_source_is_not_called_mixed(enrolled, rng):
    result = unmix(ENCODER, enrolled, "pure", features(textured(rng, 50, grain=GRAINS["middle"])))
    assert result.answer == "single"
    assert (result.shares[0].source, result.mixed_p > 0.05) == ("middle", True)


def test_a_few_strangers_are_found(enrolled, rng):
    images = [textured(rng, 57, grain=GRAINS["fine"]), textured(rng, 3, grain=GRAINS["coarse"])]
    assert unmix(ENCODER, enrolled, "pile", features(np.concatenate(images))).mixed_p <= 0.05


def test_what_is_not_enrolled_is_unknown(enrolled, rng):
    stripes = textured(rng, 40, grain=5.0)
    stripes[:, ::2] //= 2
    assert unmix(ENCODER, enrolled, "stripes", features(stripes)).answer == "unknown"


def test_images_that_are_enrolled_are_left_out(enrolled, rng):
    own = enrolled["fine"]
    fresh = features(textured(rng, 20, grain=GRAINS["fine"]))
    both = Features(np.concatenate([fresh.values, own.values[:5]]), fresh.digests + own.digests[:5])
    found = unmix(ENCODER, enrolled, "probe", both)
    assert found.images == 20
    assert [left["reason"] for left in found.left_out] == ["the same file is enrolled, as of fine"] * 5
    assert found.shares == unmix(ENCODER, enrolled, "probe", fresh).shares
    with pytest.raises(ImageSetError, match="all 40 images are enrolled"):
        unmix(ENCODER, enrolled, "probe", own)


def test_one_source_has_no_shares(enrolled):
    with pytest.raises(ValueError, match="two enrolled sources"):
        unmix(ENCODER, {"fine": enrolled["fine"]}, "pile", enrolled["coarse"])


def test_measure_of_shares(rng):
    sources = {name: features(textured(rng, 60, grain=grain)) for name, grain in {**GRAINS, "rough": 110.0}.items()}
    found = mixtures(sources, ENCODER, enrolled=30, images=40, draws=3)
    assert found.error.mean < 0.05
    assert found.owners.mean > 0.9
    assert found.unknown.mean == 1
    with pytest.raises(ValueError, match="4 are needed"):
        mixtures(sources, ENCODER, enrolled=50, images=40)
