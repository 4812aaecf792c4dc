"""Leaving images out by low-rank changes: as if the scorer had been adapted anew."""

import numpy as np
import pytest

from genprint.images.sets import ImageSet
from genprint.scoring.frame import deviations
from genprint.scoring.lda import LDA
from genprint.scoring.plda import PLDA
from tests.conftest import given


@pytest.fixture
def sources(rng):
    """Six sources of 20 images with eight features in two parts."""
    return [given(rng.normal(rng.normal(0, 2, 8), 1, (20, 8)), f"s{i}") for i in range(6)]


@pytest.fixture
def plda(rng):
    def covariance():
        root = rng.normal(size=(4, 4))
        return root @ root.T / 4 + np.eye(4)  # not so wide that it would be narrowed

    return PLDA(
        rng.normal(size=8), np.stack([covariance() for _ in range(2)]), 3 * np.stack([covariance() for _ in range(2)])
    )


def in_two_parts(fingerprints):
    from dataclasses import replace

    return [replace(fingerprint, parts=2) for fingerprint in fingerprints]


def test_deviations_are_what_leaving_out_takes_from_the_scatter(sources):
    source = sources[0]
    out, rest = source[np.arange(7)], source[np.arange(7, 20)]
    rows, freedom = deviations([(out, rest)])
    assert np.allclose(rows.T @ rows, (source.scatter - rest.scatter)[0])
    assert freedom == 7
    rows, freedom = deviations([(source, None)])
    assert np.allclose(rows.T @ rows, source.scatter[0])
    assert freedom == 19


@pytest.mark.parametrize("scorer", ["plda", "lda"])
@pytest.mark.parametrize("size", [1, 5])
def test_a_scorer_without_images_is_one_that_never_saw_them(sources, plda, scorer, size):
    sources = in_two_parts(sources)
    scorer = plda if scorer == "plda" else LDA()
    frame = scorer.adapt(sources).frame()
    taken = [frame.take(source) for source in sources]
    probes = [source[np.arange(size)] for source in sources]
    # A source that is not enrolled for the scorer.
    expected = scorer.adapt(sources[1:]).enroll(sources).llr(probes)
    found = frame.without([(taken[0], None)]).enroll(taken).llr([frame.take(probe) for probe in probes])
    assert np.allclose(found, expected, atol=0.02 * np.abs(expected).max())
    # Some images of every source, which leave the gallery too.
    rest, kept = [source[np.arange(size, 20)] for source in sources], [own[np.arange(size, 20)] for own in taken]
    expected = scorer.adapt(rest).enroll(rest).llr(probes)
    out = [(own[np.arange(size)], left) for own, left in zip(taken, kept, strict=True)]
    found = frame.without(out).enroll(kept).llr([frame.take(probe) for probe in probes])
    assert np.allclose(found, expected, atol=0.02 * np.abs(expected).max())
    assert not np.allclose(found, frame.enroll(taken).llr([frame.take(probe) for probe in probes]), atol=1e-3)


def test_the_whole_gallery_scores_as_its_scorer_does(sources, plda):
    sources = in_two_parts(sources)
    adapted = plda.adapt(sources)
    frame = adapted.frame()
    taken = [frame.take(source) for source in sources]
    probes = [source[np.arange(3)] for source in sources]
    assert np.allclose(
        frame.enroll(taken).llr([frame.take(probe) for probe in probes]), adapted.enroll(sources).llr(probes)
    )


def test_thresholds_of_real_generators_are_those_of_scorers_adapted_anew(small_model, golden_images):
    """As the cohort was once made: a scorer adapted anew for every source that is left out."""
    from genprint.scoring.cohort import Cohort

    names = ("vae-conv-s0", "gan-dcgan-s0", "flow-wavelet-s0", "score-ddim-s0", "gan-dcgan-s1")
    known = [small_model.fingerprint(ImageSet.from_array(golden_images[name][:16], name)).ordered() for name in names]
    cohort = Cohort(small_model.scorer.adapt(known), known)
    found, sets = cohort.nontarget_scores(4), cohort.sets(4)
    for i in range(len(known)):
        others = known[:i] + known[i + 1 :]
        expected = small_model.scorer.adapt(others).enroll(known).llr(sets[i])
        kept = np.arange(len(known)) != i
        assert np.allclose(found[i][:, kept], expected[:, kept], atol=0.01 * np.abs(expected).max())
