"""Simulated decoders, and what is learned of them."""

import numpy as np
import pytest
import torch

from genprint.encoder.training.decoders import KINDS, NONE, DecoderStructure, SimulatedDecoder, trained_decoder
from genprint.encoder.training.structures import classifier
from genprint.fingerprints.residuals import to_pixels
from genprint.scoring.structure import SIZES
from tests.conftest import textured


@pytest.mark.parametrize("kind", KINDS)
def test_a_decoder_of_each_kind_learns_and_makes_images(kind, rng):
    structure = DecoderStructure.draw(np.random.default_rng(3), kind)
    assert (structure.doublings == 0) == (kind == NONE)
    images = to_pixels(textured(rng, 40)) / 127.5 - 1
    torch.manual_seed(0)
    decoder = SimulatedDecoder(structure)
    before = np.abs(decoder.train_on(images, 0, steps=0).sample(images, 1) - textured_levels(images)).mean()
    after = np.abs(decoder.train().train_on(images, 0, steps=25).sample(images, 1) - textured_levels(images)).mean()
    assert after < before


def textured_levels(images: torch.Tensor) -> np.ndarray:
    return ((images + 1) * 127.5).permute(0, 2, 3, 1).numpy()


def test_structures_and_decoders_are_repeated_by_their_seeds(rng):
    one, other = (DecoderStructure.draw(np.random.default_rng([7, 0]), KINDS[0]) for _ in range(2))
    assert one == other
    images = textured(rng, 30)
    made = [trained_decoder(one, images, 5, steps=2).sample(to_pixels(images[:4]) / 127.5 - 1, 5) for _ in range(2)]
    assert np.array_equal(*made)
    assert made[0].shape == (4, 32, 32, 3)


def drawn(rng, answer: int) -> np.ndarray:
    """Features of a source, of which the first tells the answer."""
    features = rng.normal(0, 1, (40, 5))
    features[:, 0] += 2.0 * answer + rng.normal(0, 0.8)
    return features


def test_a_classifier_finds_what_separates_and_excludes_few_true_answers(rng):
    truth = np.repeat([0, 1], 60)
    features = [drawn(rng, answer) for answer in truth]
    found = classifier(features, truth, range(120), 0.1, rng)
    fresh = [drawn(rng, answer) for answer in truth]
    for size in SIZES:
        out = np.array(
            [found.excluded(own[:size].mean(0), size)[answer] for own, answer in zip(fresh, truth, strict=True)]
        )
        assert out.mean() < 0.15
    right = [(found.probability(own.mean(0)) > 0.5) == answer for own, answer in zip(fresh, truth, strict=True)]
    assert np.mean(right) > 0.8
