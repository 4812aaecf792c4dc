"""Robustness: every processing on both sides, and on the probes alone."""

import numpy as np

from genprint.baselines.content import ColourQuantiles
from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.evaluation.robustness import PROCESSINGS, robustness
from genprint.scoring.base import ByScorer
from genprint.scoring.lda import LDA
from tests.conftest import textured


def test_every_processing_has_its_rows(rng):
    images = {name: textured(rng, 14, side=24, grain=grain) for name, grain in (("a", 3.0), ("b", 40.0))}
    found = dict(robustness(images, NeighbourhoodCovariance(), ByScorer(LDA()), 8, (2,), repeats=1))
    assert list(found) == list(PROCESSINGS)
    for rows in found.values():
        assert list(rows) == ["both", "probe only"]
        assert all(list(rates) == [2] for rates in rows.values())
    assert found["nothing"]["both"] == found["nothing"]["probe only"]
    assert found["nothing"]["both"][2].mean == 1


def test_colour_does_not_mind_a_crop(rng):
    images = {
        name: (textured(rng, 14, grain=2.0) // 2 + np.uint8(level)).astype(np.uint8)
        for name, level in (("a", 0), ("b", 120))
    }
    found = dict(robustness(images, ColourQuantiles(), ByScorer(LDA()), 8, (2,), repeats=1))
    assert found["inner crop"]["probe only"][2].mean == 1
