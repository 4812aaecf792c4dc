"""Augmentation of Wang et al., "CNN-generated images are surprisingly easy to spot... for now" (CVPR 2020)."""

from __future__ import annotations

import numpy as np
import torch

from genprint.fingerprints.residuals import Pixels, to_images, to_pixels
from genprint.images.processing import Blur, Jpeg


def blur_and_jpeg(pixels: Pixels, rng: np.random.Generator, chance: float = 0.5) -> Pixels:
    """Each image blurred with that chance, sigma up to 3, then saved as JPEG with that chance, quality 30 to 100.

    Mirrored by halves first. Theirs is for images of 224 px and a ResNet-50; here a small network learns from them.
    """
    images = to_images(pixels)
    changed = []
    for image in images:
        one = image[None, :, ::-1] if rng.random() < 0.5 else image[None]
        if rng.random() < chance:
            one = Blur(rng.uniform(0, 3))(one)
        if rng.random() < chance:
            one = Jpeg(int(rng.integers(30, 101)))(one)
        changed.append(one)
    return to_pixels(np.concatenate(changed)).to(torch.float32)
