"""Errors of verification of both kinds, on sources of which two are one."""

import numpy as np
import pytest

from genprint.evaluation.verification import by_the_others, verified
from tests.conftest import drawn_digests, given, model_of_sources


@pytest.mark.slow
def test_verification_counts_false_and_right_of_both_kinds():
    rng, size = np.random.default_rng(0), 12
    model = model_of_sources(4 * np.eye(size))
    centres = 2 * rng.normal(size=(24, size))
    centres[1] = centres[0]  # twins: no population of others can tell them apart
    known = {
        f"{i}": given(centre + rng.normal(size=(40, size)), f"{i}", drawn_digests(rng, 40))
        for i, centre in enumerate(centres)
    }
    found = verified(model, known, known, 20, by_the_others(model, known))
    assert found.false_same.mean == pytest.approx(2 / 24 / 23, abs=0.01)
    assert found.false_different.mean <= 0.1
    # one source in five gets no answer, being unlike the others, nor has a pair that it is of
    assert found.same.mean > 0.7
    assert found.different.mean > 0.8**2
    assert found.given > 0.8**2
    assert found.cllr < 0.3
    with pytest.raises(ValueError, match="twice 30 images"):
        verified(model, known, known, 30)
