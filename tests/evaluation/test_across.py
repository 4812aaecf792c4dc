"""Across publishers: who is enrolled with whom, and what is asked."""

import numpy as np
import pytest

from genprint.evaluation.across import Label, across, less, over_pairs
from genprint.scoring.base import ByScorer, Comparer
from genprint.scoring.lda import LDA
from tests.conftest import drawn_digests, given

# b has two publishers, a three; c and d one. Names are ``generator-publisher``.
NAMES = ("a-x", "a-y", "a-z", "b-x", "b-y", "c-x", "d-y")
LABELS = {name: Label(*name.split("-")) for name in NAMES}


def sets(rng, publisher=0.0, images=30, names=False):
    """Generators lie 20 apart along their own axes; publishers so far along others."""
    made = {}
    for name in NAMES:
        generator, site = name.split("-")
        centre = 20 * np.eye(7)["abcd".index(generator)] + publisher * np.eye(7)[4 + "xyz".index(site)]
        stems = tuple(f"/{name}/{i:02d}.{'png' if site == 'x' else 'jpg'}" for i in range(images)) if names else ()
        made[name] = given(rng.normal(centre, 1, (images, 7)), name, drawn_digests(rng, images), names=stems)
    return made


class Watching(Comparer):
    """Names the first of the gallery, and remembers what was enrolled and asked."""

    def __init__(self):
        self.seen = []

    def _score(self, probes, gallery):
        self.seen.append(([own.source for own in gallery], {own.source for own in probes}))
        self.images = [
            {name for own in side for name in own.names or own.digests} for side in (gallery, probes)
        ]  # of the last
        assert not self.images[0] & self.images[1]
        return np.tile(-np.arange(len(gallery), dtype=float), (len(probes), 1))


def test_relatives_are_left_out_and_all_others_enrolled(rng):
    watching, done = Watching(), []
    found = across(sets(rng), watching, LABELS, 20, (1, 5, 50), repeats=1, progress=lambda: done.append(1))
    assert [own for own, _ in watching.seen] == [
        [name, "b-x", "b-y", "c-x", "d-y"] for name in ("a-x", "a-y", "a-z")
    ] + [[name, "a-x", "a-y", "a-z", "c-x", "d-y"] for name in ("b-x", "b-y")]
    assert [asked for _, asked in watching.seen] == [{"a-x", "a-y", "a-z"}] * 3 + [{"b-x", "b-y"}] * 2
    assert len(done) == 5
    assert set(found) == {(i, j) for i in "xyz" for j in "xyz"}
    assert found["x", "y"].by_generator[5] == {"a": 1.0, "b": 1.0}
    assert found["x", "y"].chance == pytest.approx((1 / 5 + 1 / 6) / 2)
    assert found["z", "y"].chance == pytest.approx(1 / 5)
    assert list(found["x", "y"].top1) == [1, 5]  # fifty are more than there are
    assert found["x", "y"].top1[1].sources == 2


def test_others_may_be_of_the_enrolled_publisher_alone(rng):
    watching = Watching()
    found = across(sets(rng), watching, LABELS, 20, (1,), repeats=1, alike=True)
    assert [own for own, _ in watching.seen] == [
        ["a-x", "b-x", "c-x", "d-y"],  # d is only to be had of y
        ["a-y", "b-y", "c-x", "d-y"],
        ["a-z", "b-x", "b-y", "c-x", "d-y"],
        ["b-x", "a-x", "c-x", "d-y"],
        ["b-y", "a-y", "c-x", "d-y"],
    ]
    assert found["x", "y"].chance == pytest.approx(1 / 4)


def test_generators_are_found_across_publishers_unless_these_weigh_more(rng):
    near, far = (
        across(sets(rng, publisher), ByScorer(LDA()), LABELS, 20, (1, 5), repeats=2) for publisher in (2.0, 200.0)
    )
    assert all(one.top1[5].mean == 1 for one in near.values())
    assert all(far[one, one].top1[5].mean == 1 for one in "xyz")
    assert far["x", "y"].top1[5].mean == 0  # a set of the same publisher is nearer
    together = over_pairs(near)
    assert together.top1[5].mean == 1
    assert less(together, over_pairs(far))[5].mean == pytest.approx(1 - over_pairs(far).top1[5].mean)


def test_means_over_pairs_leave_out_those_of_one_publisher(rng):
    found = across(sets(rng, 200.0), ByScorer(LDA()), LABELS, 20, (5,), repeats=1)
    assert over_pairs(found).by_generator[5]["b"] == pytest.approx(
        np.mean([found[pair].by_generator[5]["b"] for pair in (("x", "y"), ("y", "x"))])
    )


def test_content_that_is_the_same_is_on_one_side(rng):
    watching = Watching()
    labels = {name: Label(own.generator, own.publisher, "shared") for name, own in LABELS.items()}
    across(sets(rng, names=True), watching, labels, 20, (1,), repeats=1)
    enrolled, asked = ({name.split("/")[-1].split(".")[0] for name in side} for side in watching.images)
    assert (len(enrolled), len(asked)) == (20, 10)
    assert not enrolled & asked
    with pytest.raises(ValueError, match="have no names"):
        across(sets(rng), watching, labels, 20, (1,), repeats=1)


def test_an_image_that_two_published_is_not_on_both_sides(rng):
    found = sets(rng)
    found["a-y"] = given(found["a-y"].values, "a-y", found["a-x"].digests)
    across(found, Watching(), LABELS, 12, (1,), repeats=3)


def test_too_little_is_told(rng):
    few = sets(rng, images=20)
    with pytest.raises(ValueError, match="20 images: too few to enroll 21"):
        across(few, Watching(), LABELS, 21, (1,), 1)
    with pytest.raises(ValueError, match="too few to enroll 18 and probe with 3"):
        across(few, Watching(), LABELS, 18, (3,), 1)
    with pytest.raises(ValueError, match="no generator has image sets of two publishers"):
        across({name: few[name] for name in ("a-x", "b-x")}, Watching(), LABELS, 4, (1,), 1)
    with pytest.raises(ValueError, match="all sets are of one generator"):
        across({name: few[name] for name in ("a-x", "a-y")}, Watching(), LABELS, 4, (1,), 1)
