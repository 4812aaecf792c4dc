"""Child or relative?"""

import numpy as np
import pytest

from genprint.answers.lineage import lineage
from genprint.images.sets import ImageSetError
from tests.conftest import drawn_digests, given, model_of_sources

SIZE = 8


@pytest.fixture
def model():
    return model_of_sources(np.eye(SIZE))


def made(rng, name, centre, n=150):
    return given(centre + rng.normal(size=(n, SIZE)), name, drawn_digests(rng, n))


def test_a_child_is_derived_and_a_sibling_of_the_other_is_apart(model, rng):
    parent, other = rng.normal(0, 1, (2, SIZE))
    child, parent, other = made(rng, "child", parent + 0.2), made(rng, "parent", parent), made(rng, "other", other)
    found = lineage(model, child, parent, [other])
    assert (found.decision, found.rate) == ("derived", 0.5)
    assert (found.child, found.parent, list(found.others)) == ("child", "parent", ["other"])
    assert found.images == {"child": 150, "parent": 150, "other": 150}
    assert found.margin[1] < found.margin[0] < found.margin[2]
    assert found.distance == pytest.approx(0.2 * SIZE**0.5, abs=0.3)
    assert lineage(model, child, other, [parent]).decision == "apart"


def test_in_the_middle_it_is_inconclusive(model, rng):
    parent, other = rng.normal(0, 1, (2, SIZE))
    answers = []
    for _ in range(40):
        middle = made(rng, "m", (parent + other) / 2)
        answers.append(lineage(model, middle, made(rng, "p", parent), [made(rng, "o", other)]).decision)
    assert answers.count("derived") <= 6


def test_so_many_trained_apart_come_out_derived_as_is_said(model, rng):
    derived = []
    for _ in range(150):
        child, parent, *apart = (made(rng, str(i), rng.normal(0, 1, SIZE), 60) for i in range(5))
        found = lineage(model, child, parent, apart, draws=100)
        derived.append(found.decision == "derived")
    assert np.mean(derived) <= found.rate + 0.08
    assert found.rate == 0.25


def test_needs_somebody_apart_and_enough_images(model, rng):
    a, b = made(rng, "a", np.zeros(SIZE)), made(rng, "b", np.zeros(SIZE), 5)
    with pytest.raises(ValueError, match="trained apart"):
        lineage(model, a, made(rng, "c", np.zeros(SIZE)), [])
    with pytest.raises(ValueError, match="b: 5 images: too few"):
        lineage(model, a, made(rng, "c", np.zeros(SIZE)), [b])


def test_a_child_that_shares_images_with_another_set_is_refused(model, rng):
    a, b, c = (made(rng, name, np.zeros(SIZE)) for name in "abc")
    for parent, apart in ((a, [c]), (b, [c, a])):
        with pytest.raises(ImageSetError, match="in both"):
            lineage(model, a, parent, apart)


@pytest.mark.parametrize(("parents", "others"), [(200, 12), (12, 200)])
def test_unequal_sets_favour_nobody(model, rng, parents, others):
    answers = []
    for _ in range(40):
        child, parent, other = (
            made(rng, n, np.zeros(SIZE), m) for n, m in zip("cpo", (200, parents, others), strict=True)
        )
        found = lineage(model, child, parent, [other], draws=200)
        assert found.margin[1] <= found.margin[0] <= found.margin[2]
        answers.append(found.decision)
    assert answers.count("derived") <= 8
    assert answers.count("apart") <= 8
