"""The 64 px tower of benchmarks/tower64.py as a fingerprinter, also while it is still in training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tower64 import CHECKPOINT, GRID, NETWORK, TILE

from genprint.encoder.network import SetNetwork
from genprint.evaluation.methods import Method
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.fingerprints.residuals import to_pixels
from genprint.images.decoding import Image
from genprint.scoring.base import ByScorer
from genprint.scoring.lda import LDA
from genprint.storage.files import digest
from genprint.storage.weights import load_checkpoint


class Tower64(Fingerprinter):
    """Means over 64 px tiles on the grid of 8, drawn by the image's content, of what the tower was trained to give.

    Args:
        tiles: of an image.
        seed: of where they lie.
        checkpoint: of the training; the state at its best validation is taken.
    """

    method = "tower64"

    def __init__(self, tiles: int = 8, seed: int = 0, checkpoint: str = str(CHECKPOINT)):
        self.tiles, self.seed, self.checkpoint = tiles, seed, checkpoint

    def load(self) -> Tower64:
        """Reads the checkpoint."""
        network = SetNetwork(**NETWORK)
        self.step_, _ = load_checkpoint(Path(self.checkpoint), {"best": network}, {})
        self.network_ = network.eval().fused()
        self.digest_ = digest(Path(self.checkpoint).read_bytes())
        return self

    def _learned_digest(self) -> str:
        return self.digest_

    @torch.inference_mode()
    def _features(self, images: Sequence[Image]) -> np.ndarray:
        return np.stack([self.network_.features(self._tiles(image)).mean(0).numpy() for image in images])

    def _tiles(self, image: Image) -> torch.Tensor:
        rng = np.random.default_rng([self.seed, int(image.sha256[:16], 16)])
        corners = [GRID * rng.integers((side - TILE) // GRID + 1, size=self.tiles) for side in image.pixels.shape[:2]]
        tiles = [image.pixels[top : top + TILE, left : left + TILE] for top, left in zip(*corners, strict=True)]
        return to_pixels(np.stack(tiles))

    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        return mean / max(float(np.linalg.norm(mean)), 1e-12)


def tower64(tiles: int) -> Method:
    """The tower with a scorer that knows nothing but the gallery."""
    front = Tower64(tiles).load()
    return Method("method", lambda _: front, lambda _: ByScorer(LDA()))
