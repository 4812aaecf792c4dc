"""Simulated sources of pictures, and what the model for these is learned from."""

import numpy as np
import pytest
import torch

from genprint.encoder.network import SetNetwork
from genprint.encoder.training import pictures
from genprint.encoder.training.publishing import Published, draw_processing
from genprint.images.processing import Jpeg, Scale, Shift, WebP
from genprint.scoring.plda import PLDA


@pytest.fixture(scope="module")
def photographs():
    rough = np.random.default_rng(0).integers(0, 256, (8, 20, 20, 3))
    return [np.kron(one, np.ones((12, 12, 1))).astype(np.uint8) for one in rough]


def test_publishers_do_all_kinds_of_things_and_nothing():
    drawn = [draw_processing(np.random.default_rng(seed)) for seed in range(200)]
    assert {type(step) for chain in drawn for step in chain.steps} == {Jpeg, Scale, Shift, WebP}
    assert 0.1 < np.mean([not chain.steps for chain in drawn]) < 0.3


def test_groups_are_repeatable_and_of_the_side_that_was_asked_for(photographs):
    published = Published(photographs, side=64, sources=3, images=2, seed=3)
    first, again = ([np.stack(group) for group in published.groups(4)] for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert one.shape == (3, 2, 64, 64, 3)
        assert (one == other).all()
    assert not (first[0] == first[1]).all()
    (other_seed,) = Published(photographs, side=64, sources=3, images=2, seed=4).groups(1)
    assert not (first[0] == np.stack(other_seed)).all()


def test_what_a_group_shares_is_no_difference_between_sources():
    rng = np.random.default_rng(0)
    moments = pictures._Moments(1)
    for _ in range(300):
        sources = 100 * rng.normal(size=2) + rng.normal(size=(6, 2)) * [2, 1]
        moments.add([(one + rng.normal(size=(40, 2)) * [1, 3]).astype(np.float32) for one in sources])
    plda = moments.plda()
    assert np.sqrt(np.diag(plda.between[0])) == pytest.approx([2, 1], rel=0.1)
    assert np.sqrt(np.diag(plda.within[0])) == pytest.approx([1, 3], rel=0.05)


def test_the_head_gives_the_strongest_discriminants(monkeypatch):
    monkeypatch.setattr(pictures, "FEATURES", 64)
    network = SetNetwork((8, 8), 64, front_ends=(("raw",),), blocks=True)
    rng, each = np.random.default_rng(1), network.head[-1].out_features // 2
    between = np.stack([np.diag(rng.uniform(1, 9, 64)) for _ in range(2)])
    pictures._set_head(network, PLDA(np.zeros(128), np.stack([np.eye(64)] * 2), between))
    mean = rng.normal(size=(1, 128)).astype(np.float32)
    with torch.inference_mode():
        found = network.embed(torch.from_numpy(mean), torch.ones(1, 128))[0].numpy()
    scaled = mean[0] / np.sqrt(np.concatenate([np.diag(part) for part in between]) + 1 / pictures._TYPICAL)
    wanted = np.concatenate([scaled[:each], scaled[64 : 64 + each]])
    assert found == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-5)
