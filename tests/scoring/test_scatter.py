"""Pooled scatter is the sum of the sources'."""

import numpy as np
import pytest

from genprint.scoring import scatter
from genprint.scoring.scatter import pooled_scatter
from tests.conftest import given


@pytest.mark.parametrize("block", [1, 25, 1024])
def test_scatter_is_the_sum_over_sources(rng, block, monkeypatch):
    monkeypatch.setattr(scatter, "_BLOCK", block)
    sources = [given(rng.normal(i, 1, (n, 6)), parts=2) for i, n in enumerate((12, 1, 20, 8))]
    expected = sum(source.scatter for source in sources)
    for known in (sources, [source.pooled() for source in sources], [sources[0].pooled(), *sources[1:]]):
        found, freedom = pooled_scatter(iter(known))
        assert np.allclose(found, expected)
        assert freedom == 11 + 19 + 7
