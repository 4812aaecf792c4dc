"""Which sources count as one: those that share files, and those that no test tells apart."""

import numpy as np
import pytest

from genprint.scoring.twins import FEWEST, Twins, shared_files
from tests.conftest import drawn_digests, given

SIZE = 40


def sources(rng, centres, images=32):
    """Sources around these points, and their features, which vary with one."""
    rows = [centre + rng.normal(size=(images, SIZE)) for centre in centres]
    return [given(own, digests=drawn_digests(rng, images)) for own in rows], rows


def test_sources_that_are_apart_are_no_twins(rng):
    known, white = sources(rng, 2 * rng.normal(size=(6, SIZE)))
    twins = Twins.of(known, white)
    assert (len(twins), twins.groups, twins.shared, twins.name) == (6, [[i] for i in range(6)], {}, "")
    assert np.array_equal(twins.same, np.eye(6, dtype=bool))


def test_one_source_under_two_names_is_found_by_its_files(rng):
    known, _ = sources(rng, 2 * rng.normal(size=(4, SIZE)))
    copy = given(known[1].values[:12], digests=known[1].digests[:12])
    twins = Twins.of([*known, copy])
    assert twins.groups == [[0], [1, 4], [2], [3]]
    assert twins.shared == {(1, 4): 12}
    assert not twins.alike_two(1, 4)


def test_one_file_in_common_joins_no_sources_of_many(rng):
    known, _ = sources(rng, 2 * rng.normal(size=(3, SIZE)))
    both = known[0] + known[1][[0]]
    twins = Twins.of([both, *known[1:]])
    assert twins.shared == {(0, 1): 1}
    assert len(twins) == 3


def test_whoever_shares_files_with_a_twin_is_one_of_them():
    known = [given(np.eye(4), digests=tuple(own)) for own in ("abcd", "cdef", "efgh", "ijkl")]
    assert Twins.of(known).groups == [[0, 1, 2], [3]]
    assert shared_files([source.digests for source in known]) == {(0, 1): 2, (1, 2): 2}


@pytest.mark.parametrize("swap", [False, True])
def test_other_images_of_one_source_are_found_by_a_test(rng, swap):
    centres = 2 * rng.normal(size=(5, SIZE))
    found = []
    for _ in range(20):
        known, white = sources(rng, [*centres, centres[2]][:: -1 if swap else 1])
        found.append(Twins.of(known, white).alike)
    right = frozenset({(0, 3)} if swap else {(2, 5)})
    assert found.count(right) >= 16  # one in twenty is rejected
    assert set(found) <= {right, frozenset()}


def test_of_few_images_no_test_says_anything(rng):
    centres = np.zeros((2, SIZE))
    assert len(Twins.of(*sources(rng, centres, FEWEST - 1))) == 2
    assert len(Twins.of(*sources(rng, centres, FEWEST))) == 1


def test_the_ends_of_a_chain_of_near_sources_stay_apart(rng):
    step = np.zeros(SIZE)
    step[:4] = 0.28
    for _ in range(30):
        twins = Twins.of(*sources(rng, [i * step for i in range(5)]))
        if len(twins.alike) >= 3:
            break
    assert len(twins.alike) >= 3
    for group in twins.groups:
        assert all((i, j) in twins.alike for i in group for j in group if i < j)
    assert len(twins) >= 2


def test_who_is_joined_is_in_the_name_that_scores_are_kept_under(rng):
    known, _ = sources(rng, 2 * rng.normal(size=(3, SIZE)))
    assert Twins.of([*known, known[0]]).name != Twins.of([known[1], *known]).name != ""
