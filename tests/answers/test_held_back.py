"""Held back: what a gallery's own sets say of answers to come."""

import numpy as np
import pytest

from genprint.answers.attribution import Identifier
from genprint.answers.expected import Expected
from genprint.answers.held_back import expected
from genprint.fingerprints.cache import Cache
from tests.conftest import drawn_digests, given, model_of_sources

SIZE, IMAGES = 6, 24


def source(rng, name, centre, images=IMAGES):
    return given(centre + rng.normal(size=(images, SIZE)), name, drawn_digests(rng, images))


def gallery(rng, count, apart, images=IMAGES):
    names = [f"s{i}" for i in range(count)]
    return {name: source(rng, name, apart * rng.normal(size=SIZE), images) for name in names}


def asked(known, apart, rng, size=6, rate=0.2, cache=None):
    identifier = Identifier(model_of_sources(apart**2 * np.eye(SIZE)), known, rate, cache=cache)
    probe = source(rng, "probe", next(iter(known.values())).mean, size)
    return expected(identifier, identifier.identify(probe, grown=False))


def test_sets_of_sources_far_apart_are_expected_to_be_named_right(rng):
    found = asked(gallery(rng, 8, 8.0), 8.0, rng)
    assert (found.images, found.condition, found.sets, found.sources) == (6, "original", 32, 8)
    assert found.right >= 0.6 * found.sets
    assert (found.wrong, found.unknown_sets, found.unknown_sources, found.enough) == (0, 32, 8, True)
    assert found.attributed <= 0.3 * found.unknown_sets
    assert found.said == (
        f"What to expect: of this gallery's own sets of 6 images, held back in turn, {found.right} of 32 from 8 "
        "sources were attributed to their source and 0 to another; of sets whose source was left out, "
        f"{found.attributed} of 32 were attributed."
    )


def test_sets_of_sources_that_are_hardly_apart_are_not(rng):
    near, far = asked(gallery(rng, 8, 0.15), 0.15, rng), asked(gallery(rng, 8, 8.0), 8.0, rng)
    assert near.right < far.right / 2


def test_what_is_expected_is_what_comes_about(rng):
    """Over galleries of sources of all distances, as often as fresh sets are named right, within chance."""
    right = sets = hits = asked_of = 0
    for apart in (0.5, 0.8, 1.2, 2.0, 4.0):
        centres = {f"s{i}": apart * rng.normal(size=SIZE) for i in range(8)}
        known = {name: source(rng, name, centre) for name, centre in centres.items()}
        identifier = Identifier(model_of_sources(apart**2 * np.eye(SIZE)), known, 0.2)
        answers = [
            identifier.identify(source(rng, name, centre, 6), grown=False)
            for name, centre in centres.items() for _ in range(4)
        ]  # fmt: skip
        found = expected(identifier, answers[0])
        right, sets = right + found.right, sets + found.sets
        hits += sum(answer.source == name for answer, name in zip(answers, np.repeat(list(centres), 4), strict=True))
        asked_of += len(answers)
    assert abs(right / sets - hits / asked_of) < 0.12


@pytest.mark.parametrize(("count", "images"), [(4, 60), (8, 13)])
def test_of_few_sets_or_few_sources_it_says_that_they_are_too_few(rng, count, images):
    found = asked(gallery(rng, count, 8.0, images), 8.0, rng, rate=0.3)
    assert not found.enough
    assert found.said.startswith("What to expect: too few to say. This gallery can hold back ")
    assert f"{found.sets} sets of 6 images from {count} sources; it takes 20 from 5" in found.said


def test_without_a_threshold_nothing_is_expected(rng):
    assert asked(gallery(rng, 2, 8.0), 8.0, rng) is None


def test_sources_of_a_single_set_are_none_to_hold_back(rng):
    known = {**gallery(rng, 6, 8.0), "single": source(rng, "single", 8 * rng.normal(size=SIZE), 1)}
    found = asked(known, 8.0, rng, size=1)
    assert (found.sources, found.unknown_sources) == (6, 7)


def test_it_is_counted_once_and_kept(rng, tmp_path, monkeypatch):
    known = gallery(rng, 8, 8.0)
    first = asked(known, 8.0, np.random.default_rng(1), cache=Cache(tmp_path / "c"))
    monkeypatch.setattr("genprint.answers.held_back._Rule.of_known", lambda *_: pytest.fail("counted again"))
    assert asked(known, 8.0, np.random.default_rng(1), cache=Cache(tmp_path / "c")) == first


def test_the_condition_is_named_where_it_is_not_the_original():
    assert "sets of 1 image in this condition (JPEG 75), held back" in Expected.of(
        1, "JPEG 75", (20, 5, 9, 1), (20, 5, 2)
    ).said  # fmt: skip


def test_of_a_larger_gallery_it_says_that_it_is_of_the_nearest_sources():
    found = Expected.of(6, "original", (30, 10, 28, 1), (30, 10, 2), nearest=200)
    assert found.nearest
    assert found.said.startswith(
        "What to expect: of the own sets of the 200 sources nearest to the probe, of 6 images, held back in turn, 28 of"
    )
    few = Expected.of(6, "original", (3, 3, 2, 1), (3, 3, 2), nearest=200)
    assert "The 200 sources nearest to the probe can hold back 3 sets" in few.said
    assert not Expected.of(6, "original", (30, 10, 28, 1), (30, 10, 2)).nearest
