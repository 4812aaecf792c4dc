"""The measure of shares finds what is there."""

import pytest

from genprint.evaluation.mixture import mixtures
from tests.answers.test_mixture import GRAINS, read
from tests.conftest import textured

__all__ = ["read"]


def test_measure_of_shares(rng, small_model, read):
    sources = {name: read(textured(rng, 60, grain=grain)) for name, grain in {**GRAINS, "rough": 110.0}.items()}
    found = mixtures(small_model, sources, enrolled=30, images=40, draws=3)
    assert found.error.mean < 0.05
    assert found.owners.mean > 0.9
    assert found.unknown.mean == 1
    with pytest.raises(ValueError, match="4 are needed"):
        mixtures(small_model, sources, enrolled=50, images=40)
