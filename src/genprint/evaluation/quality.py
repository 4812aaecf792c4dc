"""Quality of generated images: how far their distribution is from that of real ones, and whether it covers it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.neighbors import NearestNeighbors
from torch import nn

from genprint.fingerprints.fingerprint import Fingerprint

_NEIGHBOURS = 5


@dataclass(frozen=True)
class Quality:
    """Distances of a set of images from real ones; lower is nearer.

    Attributes:
        images: generated images measured.
        frechet: Frechet distance of Gaussians fitted to the features (Heusel et al., 2017).
        kernel: squared maximum mean discrepancy, cubic kernel (Binkowski et al., 2018), mean of subsets.
        kernel_deviation: standard deviation over the subsets.
        coverage: share of real images with a generated one among their nearest neighbours (Naeem et al., 2020);
            a collapsed generator covers few.
    """

    images: int
    frechet: float
    kernel: float
    kernel_deviation: float
    coverage: float


def quality(generated: Fingerprint, real: Fingerprint, seed: int = 0, subset: int = 500) -> Quality:
    """Compares generated with real images by features such as those of ``ImageNetFeatures``."""
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    a, b = generated.values, real.values
    size = min(subset, len(a), len(b))
    frechet = FrechetInceptionDistance(feature=_Ready(b.shape[1]))
    kernel = KernelInceptionDistance(feature=_Ready(b.shape[1]), subsets=50, subset_size=size)
    for metric in (frechet, kernel):
        metric.update(torch.from_numpy(b), real=True)
        metric.update(torch.from_numpy(a), real=False)
    with torch.random.fork_rng(devices=[]):  # the kernel distance draws its subsets by torch's global state
        torch.manual_seed(seed)
        mean, deviation = kernel.compute()
    reach = NearestNeighbors(n_neighbors=_NEIGHBOURS + 1).fit(b).kneighbors(b)[0][:, -1]
    nearest = NearestNeighbors(n_neighbors=1).fit(a).kneighbors(b)[0][:, 0]
    return Quality(
        len(a), float(frechet.compute()), float(mean), float(deviation),
        float((nearest <= reach).mean()),
    )  # fmt: skip


class _Ready(nn.Module):
    """Stands where the metrics want a feature extractor, when the features are there already."""

    def __init__(self, num_features: int):
        super().__init__()
        self.num_features = num_features

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features
