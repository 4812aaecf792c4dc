"""Child or relative?"""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from genprint.answers.lineage import lineage
from genprint.cli.app import app
from genprint.fingerprints.fingerprint import Features
from genprint.generators import collection
from genprint.images.sets import ImageSetError

from tests.conftest import encoder_of_sources

SIZE = 8


@pytest.fixture
def encoder():
    return encoder_of_sources(np.eye(SIZE))


def model(rng, centre, n=150):
    return Features(
        (centre + rng.normal(size=(n, SIZE))).astype(np.float32), tuple(f"{rng.integers(2**60):x}" for _ in range(n))
    )


def test_a_child_is_derived_and_a_sibling_of_the_other_is_apart(encoder, rng):
    parent, other = rng.normal(0, 1, (2, SIZE))
    sets = {"child": model(rng, parent + 0.2), "parent": model(rng, parent), "other": model(rng, other)}
    found = lineage(encoder, ("child", sets["child"]), ("parent", sets["parent"]), {"other": sets["other"]})
    assert (found.answer, found.rate) == ("derived", 0.5)
    assert found.margin[1] < found.margin[0] < found.margin[2]
    assert found.distance == pytest.approx(0.2 * SIZE**0.5, abs=0.3)
    turned = lineage(encoder, ("child", sets["child"]), ("other", sets["other"]), {"parent": sets["parent"]})
    assert turned.answer == "apart"


def test_in_the_middle_it_is_inconclusive(encoder, rng):
    parent, other = rng.normal(0, 1, (2, SIZE))
    answers = []
    for _ in range(40):
        middle = model(rng, (parent + other) / 2)
        found = lineage(encoder, ("m", middle), ("p", model(rng, parent)), {"o": model(rng, other)})
        answers.append(found.answer)
    assert answers.count("derived") <= 6


def test_so_many_trained_apart_come_out_derived_as_is_said(encoder, rng):
    derived = []
    for _ in range(150):
        child, parent, *apart = (model(rng, rng.normal(0, 1, SIZE), 60) for _ in range(5))
        others = {str(i): own for i, own in enumerate(apart)}
        found = lineage(encoder, ("c", child), ("p", parent), others, draws=100)
        derived.append(found.answer == "derived")
    assert np.mean(derived) <= found.rate + 0.08
    assert found.rate == 0.25


def test_needs_somebody_apart_and_enough_images(encoder, rng):
    a, b = model(rng, np.zeros(SIZE)), model(rng, np.zeros(SIZE), 5)
    with pytest.raises(ValueError, match="trained apart"):
        lineage(encoder, ("a", a), ("a2", a), {})
    with pytest.raises(ValueError, match="too few"):
        lineage(encoder, ("a", a), ("a2", model(rng, np.zeros(SIZE))), {"b": b})


def test_a_child_that_shares_images_with_another_set_is_refused(encoder, rng):
    a, b, c = (model(rng, np.zeros(SIZE)) for _ in range(3))
    for sets in ((a, {"c": c}), (b, {"c": c, "a": a})):
        with pytest.raises(ImageSetError, match="in both"):
            lineage(encoder, ("child", a), ("parent", sets[0]), sets[1])


@pytest.mark.parametrize(("parents", "others"), [(200, 12), (12, 200)])
def test_unequal_sets_favour_nobody(encoder, rng, parents, others):
    answers = []
    for _ in range(40):
        child, parent, other = (model(rng, np.zeros(SIZE), n) for n in (200, parents, others))
        found = lineage(encoder, ("c", child), ("p", parent), {"o": other}, draws=200)
        assert found.margin[1] <= found.margin[0] <= found.margin[2]
        answers.append(found.answer)
    assert answers.count("derived") <= 8
    assert answers.count("apart") <= 8
