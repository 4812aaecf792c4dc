"""Real or generated: populations of sources, of which what is asked about is left out."""

from dataclasses import replace

import numpy as np
import pytest

from genprint.evaluation.real import (
    Populations,
    RealOrGenerated,
    both_ways,
    less,
    real_or_generated,
    turns,
)
from genprint.fingerprints.fingerprint import ExtractorError
from tests.conftest import given

REAL, MADE = ("camera-a", "camera-b", "camera-c"), tuple(f"model-{i}" for i in range(6))
APART = Populations({name: name for name in REAL}, {name: name for name in MADE})


def sources(rng, population=0.0, own=0.0, images=40, wide=24):
    """Real and generated images lie so far apart along the first axis; each source lies so far along one of its own."""
    found = {}
    for i, name in enumerate((*REAL, *MADE)):
        centre = own * np.eye(wide)[1 + i] + population * np.eye(wide)[0] * (0.5 if name in REAL else -0.5)
        found[name] = given(rng.normal(0, 1, (images, wide)) + centre, name)
    return found


def test_what_all_of_a_population_have_in_common_is_found_in_unseen_sources(rng):
    told = real_or_generated(sources(rng, population=4, own=2), APART, 16, (1, 5), 2)
    assert told[1].auroc.mean > 0.9
    assert told[5].auroc.mean > 0.97 >= 0.5
    assert told[5].auroc.mean > told[1].auroc.mean
    assert set(told[5].by_publisher) == set(REAL)
    assert told[5].sets == (3 * 4, 6 * 4)  # 24 of 40 images are asked


def test_what_is_a_sources_own_tells_seen_publishers_and_no_unseen_ones(rng):
    told = real_or_generated(sources(rng, own=6), APART, 16, (5,))[5]
    assert told.publisher_seen.mean > 0.9
    assert told.auroc.mean < 0.7


def test_without_any_difference_it_is_chance(rng):
    told = real_or_generated(sources(rng, images=200), APART, 16, (1,))[1]
    assert told.auroc.mean == pytest.approx(0.5, abs=0.05)
    assert told.publisher_seen.mean == pytest.approx(0.5, abs=0.05)


def test_sources_of_one_publisher_or_generator_are_left_out_together(rng, monkeypatch):
    learned, fit = [], RealOrGenerated.fit

    def recorded(self, sources, real):
        learned.append(frozenset(source.source for source in sources))
        return fit(self, sources, real)

    monkeypatch.setattr(RealOrGenerated, "fit", recorded)
    joined = Populations(
        {name: "one" if name in REAL[:2] else name for name in REAL},
        {name: "one" if name in MADE[:4] else name for name in MADE},
    )
    told = real_or_generated(sources(rng, images=20), joined, 16, (2,), repeats=1)[2]
    assert list(told.by_pair) == ["one", "camera-c"]
    assert list(told.by_pair["one"]) == ["one", "model-4", "model-5"]
    everything = {*REAL, *MADE}
    left = [everything - names for names in learned]
    real, made = [set(), set(REAL[:2]), set(REAL[2:])], [set(MADE[:4]), set(MADE[4:5]), set(MADE[5:])]
    assert sorted(map(sorted, left)) == sorted(sorted(one | other) for one in real for other in made)
    assert (turns(joined), turns(APART)) == (len(learned), 4 * 6)


def test_populations_and_their_sources_weigh_alike(rng):
    """Of three times as many images, a source pulls no harder."""
    few = sources(rng, population=3, own=3)
    wide = {**few, "model-0": few["model-0"] + few["model-0"] + few["model-0"]}
    real = [name in REAL for name in few]
    probes = list(few.values())
    one, other = (RealOrGenerated().fit(list(own.values()), real).score(probes) for own in (few, wide))
    np.testing.assert_allclose(one, other, atol=0.02)


def test_a_sets_score_is_the_mean_over_its_images(rng):
    found = sources(rng, population=2)
    scorer = RealOrGenerated().fit(list(found.values()), [name in REAL for name in found])
    (whole,) = scorer.score([found["camera-a"]])
    each = scorer.score([found["camera-a"][[i]] for i in range(40)])
    assert whole == pytest.approx(each.mean())


def test_methods_are_paired_over_the_same_pairs(rng):
    good, poor = (real_or_generated(sources(rng, population=far), APART, 16, (1,))[1] for far in (4, 0))
    gain = less(good, poor)
    assert gain.low > 0.2
    assert gain.mean == pytest.approx(good.auroc.mean - poor.auroc.mean)
    assert less(good, good) == less(poor, poor)
    assert less(good, good).high == 0


def test_intervals_draw_publishers_and_generators():
    of_publishers = both_ways(np.array([[0.4] * 5, [0.8] * 5]))
    assert (of_publishers.mean, of_publishers.low, of_publishers.high) == pytest.approx((0.6, 0.4, 0.8))
    of_generators = both_ways(np.array([[0.4, 0.8] * 3] * 2))
    assert 0.4 < of_generators.low < 0.55
    assert of_generators.sources == 8


def test_what_cannot_be_asked_is_told(rng):
    found = sources(rng, images=20)
    with pytest.raises(ValueError, match=r"1 group of publishers of real images.*two or more"):
        Populations({"camera-a": "x", "camera-b": "x"}, APART.generators)
    with pytest.raises(ValueError, match="camera-a: both real and generated"):
        Populations(APART.publishers, {**APART.generators, "camera-a": "x"})
    with pytest.raises(ValueError, match="camera-a: 20 images: too few to learn from 18 and ask about 5"):
        real_or_generated(found, APART, 18, (5, 10))
    assert list(real_or_generated(found, APART, 14, (1, 5, 10))) == [1, 5]
    with pytest.raises(ValueError, match="further: either not among"):
        real_or_generated({**found, "further": found["camera-a"]}, APART, 8, (1,))
    with pytest.raises(ExtractorError):
        RealOrGenerated().fit([found["camera-a"], replace(found["model-0"], extractor="other")], [True, False])
