"""Validation of a gallery by its own images, on features whose truth is known."""

from itertools import pairwise

import numpy as np
import pytest

from genprint.evaluation.answers import identified, shares
from genprint.evaluation.gallery import Division, validate
from genprint.evaluation.validation import span
from genprint.fingerprints.conditions import ORIGINAL, named
from tests.conftest import Told, given, model_of_sources

SIZE = 8


@pytest.fixture
def apart(rng):
    """Ten sources far from each other, 24 images each, and their model."""
    centres = rng.normal(0, 12, (10, SIZE))
    sources = {f"s{i}": given(rng.normal(centre, 1, (24, SIZE)), f"s{i}") for i, centre in enumerate(centres)}
    return model_of_sources(144 * np.eye(SIZE)), sources


def test_half_of_the_images_are_held_back(apart):
    _, sources = apart
    division = Division.of(sources)
    for name, source in sources.items():
        known, held = set(division.known[name].digests), set(division.held[name].digests)
        assert known | held == set(source.digests)
        assert not known & held
        assert len(held) == 12
    assert Division.of(sources, seed=1).held["s0"].digests != division.held["s0"].digests


def test_half_of_the_originals_are_held_back(apart, rng):
    _, sources = apart
    values = rng.normal(size=(24, SIZE))
    some = given(values[:8], conditions={named("JPEG 75"): values[:8]}).originals
    source = given(values, "s0", originals=some)
    division = Division.of({**sources, "s0": source})
    assert len(division.held["s0"].kept()) == len(division.known["s0"].kept()) == 4


def test_an_image_under_two_names_is_held_back_of_both(apart):
    _, sources = apart
    division = Division.of({**sources, "twin": sources["s3"]})
    assert division.held["twin"].digests == division.held["s3"].digests


def test_too_small_a_gallery_is_refused(apart):
    _, sources = apart
    few = {name: source[np.arange(3 if i > 2 else 24)] for i, (name, source) in enumerate(sources.items())}
    with pytest.raises(ValueError, match=r"takes 4 sources of 4 images or more.*there are 3"):
        Division.of(few)


def test_it_counts_what_attribution_answers(apart):
    model, sources = apart
    division = Division.of(sources)
    progress = Told()
    found = validate(model, division, division.deliveries(model, {}), [1, 4, 13], 0.1, most=3, progress=progress)
    assert [(one.condition, one.images) for one in found.rates] == [(ORIGINAL, 1), (ORIGINAL, 4)]
    for one in found.rates:
        assert (one.right.sets, one.right.mean.sources, one.enough) == (30, 10, True)
        parts = [np.arange(at, at + one.images) for at in range(0, 3 * one.images, one.images)]
        probes = {name: [held[part] for part in parts] for name, held in division.held.items()}
        false, right, wrong = shares(identified(model, division.known, probes, {n: n for n in sources}, 0.1)[1])
        for share, expected in ((one.false, false), (one.right, right), (one.wrong, wrong)):
            assert share.count == pytest.approx(3 * expected.sum())
            assert share.mean.mean == pytest.approx(expected.mean())
    assert found.rates[0].right.count > 5
    assert [one.images for one in found.ratios] == [1, 4]
    for one in found.ratios:
        assert one.found.cap == pytest.approx(np.log(9))  # one is left out
        assert len(one.to_dict()["same"]["percentiles"]) == 101
    assert progress.expected == [sum(progress.done)] == [120]
    assert found.lacking == (
        "Condition original: sets of 13 could not be asked, for no source has more than 12 images to hold back.",
    )


def test_sources_that_come_in_pairs_are_taken_for_each_other_when_unknown(rng):
    model = model_of_sources(144 * np.eye(SIZE))
    centres = np.repeat(rng.normal(0, 12, (5, SIZE)), 2, axis=0)
    pairs = {f"s{i}": given(rng.normal(centre, 1, (24, SIZE)), f"s{i}") for i, centre in enumerate(centres)}
    division = Division.of(pairs)
    found = validate(model, division, division.deliveries(model, {}), [4], 0.1)
    assert found.rates[0].right.count + found.rates[0].wrong.count < 20  # none can be told from its twin
    assert 0.9 < found.ratios[0].found.cllr.mean < 1.1  # and the ratios say nothing


def test_sets_whose_images_are_enrolled_elsewhere_do_not_count(apart):
    model, sources = apart
    division = Division.of(sources)
    stolen = given(division.held["s0"].values, "thief", division.held["s0"].digests)
    known = {**division.known, "thief": stolen}
    found = validate(model, Division(known, division.held, 11), {ORIGINAL: division.held}, [4])
    assert found.rates[0].right.sets == 27
    assert found.rates[0].right.mean.sources == 9


def test_a_condition_without_originals_is_told(apart):
    model, sources = apart
    division = Division.of(sources)
    asked = division.deliveries(model, {"JPEG 75": named("JPEG 75")})
    found = validate(model, division, asked, [4], 0.1)
    assert {one.condition for one in found.rates} == {ORIGINAL}
    assert found.lacking == (
        "Condition JPEG 75: 10 sources could not be asked about, for no whole originals are kept.",
    )


def test_octaves_of_sizes_follow_each_other():
    named_so = [span(side) for side in (16, 17, 32, 33, 64, 65)]
    assert named_so == ["9 to 16", "17 to 32", "17 to 32", "33 to 64", "33 to 64", "65 to 128"]
    assert all(int(one.split()[0]) <= int(other.split()[0]) for one, other in pairwise(named_so))
    assert span(None) == ""
