"""Shares of false, right and wrong answers."""

import numpy as np
import pytest

from genprint.evaluation.answers import answers
from tests.conftest import drawn_digests, given, model_of_sources


@pytest.mark.slow
def test_answers_count_false_right_and_wrong():
    rng, size = np.random.default_rng(0), 6
    model = model_of_sources(25 * np.eye(size))
    centres = 5 * rng.normal(size=(16, size))
    centres[1] = centres[0]  # twins: each is taken for the other when that alone is enrolled
    known = {
        f"{i}": given(centre + rng.normal(size=(52, size)), f"{i}", drawn_digests(rng, 52))
        for i, centre in enumerate(centres)
    }
    alone = answers(model, known, {name: name for name in known}, rate=0.2)
    together = answers(model, known, {name: "01" if name in "01" else name for name in known}, rate=0.2)
    assert alone.rate == 0.2
    assert together.false.mean < alone.false.mean
    assert alone.false.mean == pytest.approx(2 / 16, abs=0.05)
    assert alone.right.mean > 0.7
    assert alone.wrong.mean < 0.1
    again = answers(model, known, {name: name for name in known}, rate=0.2, seed=1)
    both = answers(model, known, {name: name for name in known}, rate=0.2, repeats=2)
    assert both.right.mean == pytest.approx((alone.right.mean + again.right.mean) / 2)
    assert alone.right.mean != again.right.mean


def test_too_few_images_are_told(rng):
    model = model_of_sources(np.eye(3))
    few = {name: given(rng.normal(size=(12, 3))) for name in "abc"}
    with pytest.raises(ValueError, match="a: 12 images: too few to enroll 8 and probe with 5"):
        answers(model, few, {name: name for name in few}, 8, 5)
