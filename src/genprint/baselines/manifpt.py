"""Artifacts of Song, Khayatkhoei & AbdAlmageed, "ManiFPT: Defining and Analyzing Fingerprints of Generative Models".

(CVPR 2024, arXiv 2402.10401)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch

from genprint.baselines.pixels import FixedSize
from genprint.fingerprints.residuals import Pixels, to_pixels
from genprint.images.sets import ImageSet, ImageSetError
from genprint.storage.files import digest

# Log-amplitudes differ by a few units; pixels by a hundred.
_FREQUENCY_GAIN = 32.0


class NearestReal(FixedSize):
    """An image's artifact is what it lacks to its nearest real image: the manifold is as many real images as there are.

    Artifacts are given as pixel levels, half of each about the middle, so that a network for images takes them. Theirs
    are attributed by a ResNet50 with ImageNet weights; here the network of the other learned peers does it.

    Args:
        space: in which images are near and differences are taken: 'rgb', or 'frequency', the log-amplitudes of each
            channel's discrete Fourier transform.
        side: as every ``FixedSize`` has it; of real images too.

    Attributes:
        real_: real images in that space, float32 ``(n, 3 h w)``.
    """

    keeps_scatter = False

    def __init__(self, space: str = "rgb", side: int | None = None):
        super().__init__(side)
        self.space = space

    @property
    def method(self) -> str:  # type: ignore[override]
        return f"manifpt_{self.space}"

    def fit(self, sets: Sequence[ImageSet], sources: Sequence[str]) -> Self:  # noqa: ARG002
        """Learns the manifold from real images, all of one size or cut to one."""
        pixels = self._of_one_size(image for images in sets for image in images)
        self.real_ = torch.cat(
            [self._embed(to_pixels(part)) for part in np.array_split(pixels, len(pixels) // 512 + 1)]
        )
        return self

    def _learned_digest(self) -> str:
        return digest(self.real_.numpy().tobytes())

    def _embed(self, pixels: Pixels) -> torch.Tensor:
        if self.space == "frequency":
            pixels = torch.fft.fftshift(torch.fft.fft2(pixels), dim=(2, 3)).abs().log1p()
        return pixels.flatten(1)

    def describe(self, pixels: Pixels) -> np.ndarray:
        height, width = pixels.shape[2:]
        if height != width or 3 * height * width != self.real_.shape[1]:
            raise ImageSetError(f"{self.method}: images of {width} x {height} px are not of the real images' size")
        embedded = self._embed(pixels)
        artifacts = embedded - self.real_[torch.cdist(embedded, self.real_).argmin(1)]
        gain = _FREQUENCY_GAIN if self.space == "frequency" else 0.5
        return (127.5 + gain * artifacts).numpy()
