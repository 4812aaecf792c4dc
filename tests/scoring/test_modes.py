"""Whether the images under one name fall into two groups."""

import numpy as np
import pytest

from genprint.scoring.modes import FEWEST, two_modes


@pytest.mark.parametrize("images", [FEWEST, 200])
def test_images_of_one_source_fall_into_one_group(rng, images):
    found = [two_modes(rng.normal(size=(images, 30)) * np.geomspace(4, 0.2, 30)) for _ in range(40)]
    assert sum(own is not None for own in found) <= 2


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_the_images_of_another_source_are_named(rng, share):
    other = round(share * 60)
    rows = rng.normal(size=(60, 30))
    rows[:other] += 10 / np.sqrt(30)
    order = rng.permutation(60)
    found = two_modes(rows[order])
    smaller = set(np.flatnonzero(order < other)) if share < 0.5 else None
    if smaller is None:
        assert set(order[found] < other) in ({True}, {False})
        assert len(found) == 30
    else:
        assert set(found) == smaller


def test_one_odd_image_makes_no_group(rng):
    rows = rng.normal(size=(60, 30))
    rows[7] += 40
    assert two_modes(rows) is None


def test_of_few_images_nothing_is_said(rng):
    rows = np.concatenate([rng.normal(size=(24, 30)), 9 + rng.normal(size=(FEWEST - 25, 30))])
    assert two_modes(rows) is None
    assert two_modes(np.concatenate([rows, rows[-1:]])) is not None
