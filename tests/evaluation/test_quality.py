"""Quality measures against what they should say of distributions that are known."""

import pytest
import torch

from genprint.evaluation.quality import quality
from tests.conftest import given

pytest.importorskip("torchmetrics")


def of(values):
    return given(values.numpy())


@pytest.mark.filterwarnings("ignore:Metric")
def test_nearer_distributions_score_better_and_collapse_shows_in_coverage():
    rng = torch.Generator().manual_seed(0)
    real, same, far = (torch.randn(600, 16, generator=rng) + shift for shift in (0, 0, 1))
    collapsed = torch.randn(1, 16, generator=rng).repeat(600, 1) + 0.01 * torch.randn(600, 16, generator=rng)
    a, b, c = (quality(of(other), of(real)) for other in (same, far, collapsed))
    assert a.frechet < b.frechet
    assert abs(a.kernel) < 2 * a.kernel_deviation
    assert b.kernel > 10 * a.kernel_deviation
    assert a.coverage > 0.9
    assert c.coverage < 0.1
    # two unit Gaussians whose means are 1 apart in each of 16 dimensions
    assert b.frechet == pytest.approx(16, rel=0.15)
