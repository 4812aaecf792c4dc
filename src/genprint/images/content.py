"""What shows of an image's content at a glance. What it can tell apart is no trace."""

from __future__ import annotations

import numpy as np
from PIL import Image


def colour_quantiles(pixels: np.ndarray) -> np.ndarray:
    """Nine quantiles of each colour channel of uint8 ``(h, w, 3)``: float32 ``(27,)``."""
    quantiles: np.ndarray = np.quantile(pixels, np.linspace(0.1, 0.9, 9), axis=(0, 1))
    return quantiles.ravel().astype(np.float32)


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """The image, uint8 ``(h, w, 3)``, averaged down to 8x8 pixels: float32 ``(192,)``."""
    return np.asarray(Image.fromarray(pixels).resize((8, 8), Image.Resampling.BOX), np.float32).ravel()
