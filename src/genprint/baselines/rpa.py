"""Raw-patch attribution of Livne, Jevnisek & Avidan, "Scalable Black-Box Model Attribution for Images" (2026).

(RPA, arXiv 2608.15652.) What the authors' public configurations say: raw patches of 64 px; three convolutions of
stride 2 with 256, 512 and 1,024 channels (5.9 million weights, which makes the kernels 3x3), their spatial mean,
dropout of 0.5, and a linear layer; an image's logits are those of all its patches, averaged so that every pixel counts
alike (equation 3); cross-entropy, 256 patches a step, a learning rate that falls from 1e-3 as a cosine, weight decay
of 1e-3, 75 epochs; images mirrored by halves, and with a chance of a half each saved as JPEG of quality 60 to 90,
blurred with sigma 0.1 to 4, brought to a short edge of 384 to 768 px from 1024.

Our reading: batch normalisation and ReLU after each convolution; AdamW, with the decay of our other peers; blur, then
resizing, then JPEG, of the whole image; resizing to 3/8 to 3/4 of whatever size there is, never below a patch; four
patches of an image in a step; images smaller than a patch are one as they are, where theirs are enlarged.

The budget: a quarter of the channels and 300 steps, which take one core six to eight minutes at 384 px, and show each
of 16 images of 22 sources 55 times, by four patches. Both are parameters, ``RPANetwork.channels`` and
``Classifier.steps``.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from genprint.baselines.classifier import Attributor
from genprint.fingerprints.residuals import Pixels, raw, to_images, to_pixels
from genprint.images.processing import Blur, Jpeg, Scale

_PATCH, _PATCHES = 64, 4
_JPEG, _BLUR, _SHARE = (60, 90), (0.1, 4.0), (3 / 8, 3 / 4)


class RPANetwork(Attributor):
    """Three strided convolutions on patches of 64 px; an image's logits are the mean over all of its patches.

    The mean log-probability over a set's images differs from their mean logit by one number for all sources of a probe.
    """

    def __init__(self, sources: int, channels: tuple[int, ...] = (64, 128, 256)):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((3, *channels)):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(channels[-1], sources)

    def forward(self, pixels: Pixels) -> Float[Tensor, "n sources"]:
        """Mean logits of patches that cover the image, of pixel levels."""
        side = min(_PATCH, *pixels.shape[2:])
        rows, columns = (places(length, side) for length in pixels.shape[2:])
        logits = torch.zeros(len(pixels), self.head.out_features)
        for top, down in rows:
            for left, across in columns:
                maps = self.body(raw(pixels[:, :, top : top + side, left : left + side]))
                logits = logits + down * across * self.head(self.drop(maps.mean((2, 3))))
        return logits


def places(length: int, side: int) -> list[tuple[int, float]]:
    """Where the fewest parts of one side that cover a length begin, and the share of each, overlaps divided."""
    starts = np.linspace(0, length - side, -(-length // side)).round().astype(int)
    covered = np.zeros(length)
    for start in starts:
        covered[start : start + side] += 1
    return [(int(start), float((1 / covered[start : start + side]).sum() / length)) for start in starts]


def corrupted_patches(pixels: Pixels, rng: np.random.Generator, chance: float = 0.5) -> Pixels:
    """Four random patches of each image, one image after the other, each image corrupted by their recipe first."""
    images = to_images(pixels)
    side = min(_PATCH, *images.shape[1:3])
    patches = []
    for image in images:
        one = image[None, :, ::-1] if rng.random() < 0.5 else image[None]
        if rng.random() < chance:
            one = Blur(rng.uniform(*_BLUR))(one)
        if rng.random() < chance:
            one = Scale(max(rng.uniform(*_SHARE), side / min(one.shape[1:3])))(one)
        if rng.random() < chance:
            one = Jpeg(int(rng.integers(_JPEG[0], _JPEG[1] + 1)))(one)
        for _ in range(_PATCHES):
            top, left = (rng.integers(length - side + 1) for length in one.shape[1:3])
            patches.append(one[0, top : top + side, left : left + side])
    return to_pixels(np.stack(patches))


def of_patches(network: Attributor, pixels: Pixels, sources: Int[Tensor, " n"]) -> Tensor:
    """Cross-entropy of naming the source of each image's patches, which come one after the other."""
    return F.cross_entropy(network(pixels), sources.repeat_interleave(len(pixels) // len(sources)))
