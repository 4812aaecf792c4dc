"""The cache gives what was computed, and computes only what is not there."""

import numpy as np
import pytest
from typer.testing import CliRunner

from genprint.baselines.content import ColourQuantiles
from genprint.cli import common
from genprint.cli.app import app
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.cache import CacheError, FeatureCache
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
    cache, plain = FeatureCache(tmp_path / "c.sqlite"), ColourQuantiles().features(ImageSet.from_array(images, "x"))
    Counting.seen = 0
    for count, seen in ((5, 5), (5, 5), (9, 9)):
        features = Counting().features(ImageSet.from_array(images[:count], "x"), cache=cache, batch=4)
        assert Counting.seen == seen
        assert (features.values == plain.values[:count]).all()
        assert features.digests == plain.digests[:count]
    again = FeatureCache(tmp_path / "c.sqlite").get(Counting().maker(), plain.digests)
    assert (np.stack(again) == plain.values).all()


def test_what_made_the_features_is_part_of_the_key():
    encoder, other = SetEncoder.from_pretrained(), SetEncoder.from_pretrained()
    assert encoder.maker() == other.maker()
    assert other.set_params(patches_per_image=2).maker() != encoder.maker()
    other = SetEncoder.from_pretrained()
    other.weights_digest_ = "another"
    assert other.maker() != encoder.maker() != ColourQuantiles().maker()


def test_a_file_that_is_no_cache_is_told(tmp_path):
    (tmp_path / "c.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(CacheError, match="remove it"):
        FeatureCache(tmp_path / "c.sqlite")


def test_commands_use_it(folder, tmp_path):
    path = tmp_path / "deep" / "c.sqlite"
    command = ["--cache", str(path), "families", str(folder), "--support", "0", "-o", str(tmp_path / "out"), "--json"]
    try:
        first, again = (CliRunner().invoke(app, command) for _ in range(2))
    finally:
        common.use_cache(None)
    assert first.exit_code == again.exit_code == 0, first.output
    assert first.stdout == again.stdout
    assert path.exists()
