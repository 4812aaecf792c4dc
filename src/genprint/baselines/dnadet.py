"""Patch-wise contrastive learning of Yang et al., "Deepfake Network Architecture Attribution" (DNA-Det, AAAI 2022)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from genprint.baselines.classifier import Attributor, cross_entropy, train, unchanged
from genprint.fingerprints.residuals import Pixels, raw, to_images, to_pixels
from genprint.images.processing import Blur, Chain, Jpeg, Noise, Processing, Resize

_TEMPERATURE = 0.07
_PREPARING_STEPS = 150

# The families of theirs: compression, blur, resampling, noise, each in several strengths, and nothing.
TRANSFORMATIONS: tuple[Processing, ...] = (
    Chain(()),
    *(Jpeg(quality) for quality in (90, 70, 50)),
    *(Blur(sigma) for sigma in (0.5, 1.0, 2.0)),
    *(Resize(share) for share in (0.75, 0.5)),
    *(Noise(levels) for levels in (3.0, 8.0)),
)


class DNANetwork(Attributor):
    """Their shallow network: 4x4 convolutions of stride 2, each with a 3x3 one, and a projection of patches.

    Three halvings in place of their four, and an image is seen by quarters: at 32 px the borders of a patch weigh
    so much that a network trained on patches alone fails on whole images. Theirs have 512 px, and patches of 64.
    """

    def __init__(self, sources: int, channels: tuple[int, ...] = (3, 48, 96, 192)):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
            layers += [nn.Conv2d(after, after, 3, 1, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        width = channels[-1]
        self.head = nn.Linear(width, sources)
        self.project = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 128))

    def forward(self, pixels: Pixels) -> Float[Tensor, "n sources"]:
        """Mean logits of the four quarters."""
        quarters = [part for half in pixels.chunk(2, 2) for part in half.chunk(2, 3)]
        return torch.stack([super(DNANetwork, self).forward(part) for part in quarters]).mean(0)


def patchwise(network: Attributor, pixels: Pixels, sources: Int[Tensor, " n"]) -> Tensor:
    """Supervised contrastive loss of two random patches of each image, of half its side, and cross-entropy."""
    from pytorch_metric_learning.losses import SupConLoss

    side = pixels.shape[2] // 2
    pixels, sources = pixels.repeat(2, 1, 1, 1), sources.repeat(2)
    corners = torch.randint(0, pixels.shape[2] - side + 1, (len(pixels), 2)).tolist()
    parts = torch.stack([image[:, y : y + side, x : x + side] for image, (y, x) in zip(pixels, corners, strict=True)])
    features = network.body(raw(parts)).mean((2, 3))
    vectors = F.normalize(network.project(features), dim=1)  # type: ignore[operator]
    contrast: Tensor = SupConLoss(_TEMPERATURE)(vectors, sources)
    return contrast + F.cross_entropy(network.head(features), sources)


def tell_transformations(network: Attributor, pixels: Pixels) -> None:
    """Teaches the network which transformation an image went through, before it learns sources."""
    images = to_images(pixels)
    kinds = np.arange(len(images)) % len(TRANSFORMATIONS)
    changed = np.empty_like(images)
    for kind, transform in enumerate(TRANSFORMATIONS):
        if (kinds == kind).any():
            changed[kinds == kind] = transform(images[kinds == kind])
    head, network.head = network.head, nn.Linear(network.head.in_features, len(TRANSFORMATIONS))
    train(
        network, to_pixels(changed), torch.from_numpy(kinds), unchanged, cross_entropy, _PREPARING_STEPS, 1e-3, seed=0
    )
    network.head = head
