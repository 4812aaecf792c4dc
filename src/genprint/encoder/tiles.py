"""Tiles: which parts of an image the encoder looks at."""

from __future__ import annotations

import numpy as np

from genprint.images.decoding import Image

TILE, _GRID = 32, 8


def cut_tiles(image: Image, count: int, seed: int) -> list[np.ndarray]:
    """The image itself if no side is over 32 px, else ``count`` 32 px tiles at native resolution.

    Where they lie follows from the image's content and the seed, in steps of 8 px, so that the pixel phases of
    up-sampling and the blocks of JPEG lie alike in all.
    """
    height, width = image.pixels.shape[:2]
    if height <= TILE and width <= TILE:
        return [image.pixels]
    rng = np.random.default_rng([seed, int(image.sha256[:16], 16)])
    tops, lefts = (_GRID * rng.integers(max(0, side - TILE) // _GRID + 1, size=count) for side in (height, width))
    return [image.pixels[top : top + TILE, left : left + TILE] for top, left in zip(tops, lefts, strict=True)]
