"""Mean noise residual of Marra et al., "Do GANs leave artificial fingerprints?" (MIPR 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genprint.artifacts import to_pixels, wavelet_residual
from genprint.fingerprint import Fingerprinter
from genprint.images import Image, ImageSetError


class MeanResidual(Fingerprinter):
    """A source's fingerprint is the average of its images' wavelet residuals; sets compare by correlation.

    All images must be of one size. The probe's residuals are averaged too.
    """

    method = "marra"
    keeps_scatter = False

    def _features(self, images: Sequence[Image]) -> np.ndarray:
        pixels = np.stack([image.pixels for image in same_size(images)])
        residual = wavelet_residual(to_pixels(pixels))
        return residual.flatten(1).numpy()

    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        centred = mean - mean.mean()
        return centred / max(float(np.linalg.norm(centred)), 1e-12)


def same_size(images: Sequence[Image]) -> Sequence[Image]:
    """The images as they are.

    Raises:
        ImageSetError: they are of different sizes.
    """
    sizes = {image.pixels.shape for image in images}
    if len(sizes) > 1:
        raise ImageSetError(f"this method needs images of one size; {images[0].name} and others have {sorted(sizes)}")
    return images
