"""Shared pieces: a small untrained encoder, so that properties are tested apart from what was learned."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from genprint.encoder.encoder import SetEncoder
from genprint.scoring.plda import PLDA

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))


def textured(rng: np.random.Generator, n: int, side: int = 32, grain: float = 20.0) -> np.ndarray:
    """Smooth colour fields with grain: images of a made-up source."""
    fields = rng.normal(128, 40, (n, 1, 1, 3)) + rng.normal(0, grain, (n, side, side, 3))
    return fields.clip(0, 255).astype(np.uint8)


class _OnePart(SetEncoder):
    parts = 1


def encoder_of_sources(between: np.ndarray, prior_images: float = 600) -> SetEncoder:
    """A set encoder of features that are given: sources vary like this ``(d, d)``, images of one with the identity."""
    encoder, size = _OnePart.from_pretrained(), len(between)
    encoder.plda_ = PLDA(np.zeros(size), np.eye(size)[None], between[None], prior_images)
    return encoder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path, rng):
    """ImageFolder layout: three sources with different grain, 24 PNG files each."""
    root = tmp_path / "data"
    for name, grain in (("fine", 4.0), ("middle", 16.0), ("coarse", 60.0)):
        (root / name).mkdir(parents=True)
        for i, pixels in enumerate(textured(rng, 24, grain=grain)):
            Image.fromarray(pixels).save(root / name / f"{i:03d}.png")
    return root
