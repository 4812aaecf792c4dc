"""Leaving images out by low-rank changes: as if the scorer had been adapted anew."""

import numpy as np
import pytest

from genprint.images.sets import ImageSet
from genprint.scoring import frame as frames
from genprint.scoring.frame import Sources
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

    within, between = (np.stack([covariance() for _ in range(2)]) for _ in range(2))
    return PLDA(rng.normal(size=8), within, 3 * between, weights=np.array([1.0, 2.0]))


def in_two_parts(fingerprints):
    from dataclasses import replace

    return [replace(fingerprint, parts=2) for fingerprint in fingerprints]


def without(source, chosen):
    return source[np.delete(np.arange(len(source)), chosen)]


def test_what_leaving_out_takes_from_the_scatter_and_the_means(sources):
    left = [np.arange(3, 10), np.array([], int), np.arange(20), *[np.array([19])] * 3]
    known = Sources.of([source.values.astype(float) for source in sources])
    rest = known.without(left)
    kept = [without(source, chosen) for source, chosen in zip(sources, left, strict=True)]
    rows = rest.lost(known.deviations)
    gone = sum(source.scatter for source in sources) - sum(own.scatter for own in kept if len(own))
    assert np.allclose(rows.T @ rows, gone[0])
    assert rest.freedom == 7 + 19 + 3
    # One that has lost all stays.
    kept[2] = sources[2]
    assert rest.counts.tolist() == [len(own) for own in kept]
    assert np.allclose(rest.means, [own.mean for own in kept])
    assert np.flatnonzero(~rest.kept).tolist() == [*range(3, 10), 79, 99, 119]
    # What is linear in the deviations: their products with each other.
    products = known.deviations @ known.deviations.T
    assert np.allclose(rest.lost(products), rows @ known.deviations.T)


def test_means_of_sets(sources):
    known = Sources.of([source.values.astype(float) for source in sources])
    sets = np.array([[0, 5, 2], [7, 7, 1]])
    assert np.allclose(known.means_of(3, sets), sources[3].values[sets].mean(1), atol=1e-6)


@pytest.mark.parametrize("scorer", ["plda", "lda"])
@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("most", [0, 2048])
def test_a_scorer_without_images_is_one_that_never_saw_them(sources, plda, scorer, size, most, monkeypatch):
    monkeypatch.setattr(frames, "_MOST_PRODUCTS", most)
    sources = in_two_parts(sources)
    scorer = plda if scorer == "plda" else LDA()
    frame = scorer.adapt(sources).enroll(sources).frame()
    out = np.arange(size)
    probes = [source[out] for source in sources]
    means = np.stack([frame.take(probe).mean(0) for probe in probes])
    # A source that is not enrolled for the scorer.
    expected = scorer.adapt(sources[1:]).enroll(sources).llr(probes)
    found = frame.without([np.arange(20), *[np.array([], int)] * 5]).llr(means, size)
    assert np.allclose(found, expected, atol=0.02 * np.abs(expected).max())
    # Some images of every source, which leave the gallery too; of one, more.
    left = [np.arange(size + 4), *[out] * 5]
    rest = [without(source, chosen) for source, chosen in zip(sources, left, strict=True)]
    expected = scorer.adapt(rest).enroll(rest).llr(probes)
    found = frame.without(left).llr(means, size)
    assert np.allclose(found, expected, atol=0.02 * np.abs(expected).max())
    assert not np.allclose(found, frame.llr(means, size), atol=1e-3)


def test_the_whole_gallery_scores_as_its_scorer_does(sources, plda):
    sources = in_two_parts(sources)
    probes = [source[np.arange(3)] for source in sources]
    for scorer in (plda, LDA()):
        known = scorer.adapt(sources).enroll(sources)
        frame = known.frame()
        means = np.stack([frame.take(probe).mean(0) for probe in probes])
        assert np.allclose(frame.llr(means, 3), known.llr(probes))


def test_moments_alone_cannot_be_asked_without_images(sources, plda):
    piles = [source.pooled() for source in in_two_parts(sources)]
    for scorer in (plda, LDA()):
        with pytest.raises(ValueError, match="moments"):
            scorer.adapt(piles).enroll(piles).frame()


def test_thresholds_of_real_generators_are_those_of_scorers_adapted_anew(small_model, golden_images):
    """As the cohort was once made: a scorer adapted anew for every source that is left out."""
    from genprint.scoring.cohort import Cohort

    names = ("vae-conv-s0", "gan-dcgan-s0", "flow-wavelet-s0", "score-ddim-s0", "gan-dcgan-s1")
    known = [small_model.fingerprint(ImageSet.from_array(golden_images[name][:16], name)).ordered() for name in names]
    cohort = Cohort(small_model.scorer.adapt(known).enroll(known), known)
    found, sets = cohort.nontarget_scores(4), cohort.sets(4)
    for i in range(len(known)):
        others = known[:i] + known[i + 1 :]
        expected = small_model.scorer.adapt(others).enroll(known).llr([known[i][drawn] for drawn in sets[i]])
        kept = np.arange(len(known)) != i
        assert np.allclose(found[i][:, kept], expected[:, kept], atol=0.01 * np.abs(expected).max())
