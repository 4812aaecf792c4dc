"""What every comparer has in common, whatever it compares."""

from dataclasses import replace

import numpy as np
import pytest

from genprint.baselines.vote import Vote
from genprint.evaluation.methods import METHODS
from genprint.fingerprints.fingerprint import ExtractorError
from genprint.images.sets import ImageSet
from genprint.scoring.base import ByScorer, Comparer
from genprint.scoring.lda import LDA
from tests.conftest import given, textured

# Those that train a network on each gallery have tests of their own.
CHEAP = [name for name in METHODS if name not in ("yu", "wang", "dnadet", "rpa", "manifpt_rgb", "manifpt_frequency")]
GRAINS = {"fine": 3.0, "middle": 15.0, "coarse": 60.0}
GENERATORS = ("vae-conv-s0", "gan-dcgan-s0", "score-ddim-s0")
# Colours of three generators trained on the same images are much alike, and arrays have no headers.
NO_TRACE = ("colour", "thumbnail", "mccloskey", "header")


def reader_of(images):
    """Enrolled images and probes of each source, by what makes their fingerprints: each image is read once."""
    read = {}

    def by(fingerprinter):
        if fingerprinter.extractor_id not in read:
            whole = [fingerprinter.extract(ImageSet.from_array(own, name)) for name, own in images.items()]
            read[fingerprinter.extractor_id] = [[own[part] for own in whole] for part in np.split(np.arange(40), [24])]
        return read[fingerprinter.extractor_id]

    return by


@pytest.fixture(scope="module")
def made_up():
    rng = np.random.default_rng(3)
    return reader_of({name: textured(rng, 40, grain=grain) for name, grain in GRAINS.items()})


@pytest.fixture(scope="module")
def generated(golden_images):
    return reader_of({name: golden_images[name] for name in GENERATORS})


@pytest.fixture(params=CHEAP)
def compared(request, small_model, made_up):
    method = METHODS[request.param]
    return method.comparer(small_model), *made_up(method.reader(small_model, None))


def test_scores_are_numbers_by_probe_and_source(compared):
    comparer, gallery, probes = compared
    assert isinstance(comparer, Comparer)
    asked = [*probes, probes[0][[3]], probes[1][[0, 1]]]  # of any size, a single image too
    scores = comparer.score(asked, gallery)
    assert scores.shape == (5, 3)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()


def test_the_order_of_a_probes_images_changes_nothing(compared, rng):
    comparer, gallery, probes = compared
    turned = [own[rng.permutation(len(own))] for own in probes]
    # Larger sets than a cohort's are asked about by random parts, which an order draws otherwise.
    small = [[own[np.arange(6)] for own in probes], [own[rng.permutation(6)] for own in probes]]
    for asked, again in ((probes, turned), small):
        scores = comparer.score(asked, gallery)
        spread = max(1.0, float(np.abs(scores).max()))
        assert np.allclose(comparer.score(again, gallery), scores, atol=1e-4 * spread)


def test_a_probe_is_scored_alike_whatever_is_asked_beside_it(compared):
    comparer, gallery, probes = compared
    whole = comparer.score(probes, gallery)
    spread = max(1.0, float(np.abs(whole).max()))
    for i, probe in enumerate(probes):
        assert np.allclose(comparer.score([probe], gallery)[0], whole[i], atol=1e-5 * spread)


def test_sources_go_with_their_columns(compared):
    comparer, gallery, probes = compared
    whole = comparer.score(probes, gallery)
    spread = max(1.0, float(np.abs(whole).max()))
    # principal components of many features are found by random projections, to a per cent or so
    assert np.allclose(comparer.score(probes, gallery[::-1])[:, ::-1], whole, atol=2e-2 * spread)


def test_distances_are_symmetric_and_of_nothing_from_itself(compared):
    comparer, gallery, _ = compared
    apart = comparer.distances(gallery)
    assert apart.shape == (3, 3)
    assert np.isfinite(apart).all()
    assert np.allclose(apart, apart.T, atol=1e-6 * max(1.0, float(apart.max())))
    assert (np.diag(apart) == 0).all()
    assert (apart >= 0).all()


@pytest.mark.parametrize("name", [name for name in CHEAP if name not in NO_TRACE])
def test_most_probes_of_three_generators_are_told(name, small_model, generated):
    method = METHODS[name]
    gallery, probes = generated(method.reader(small_model, None))
    right = method.comparer(small_model).score(probes, gallery).argmax(1) == np.arange(3)
    assert right.sum() >= 2


def test_a_comparer_refuses_fingerprints_of_two_extractors(rng):
    one, other = (replace(given(rng.normal(0, 1, (4, 3))), extractor=name) for name in ("a", "b"))
    for comparer in (ByScorer(LDA()), Vote(ByScorer(LDA()))):
        with pytest.raises(ExtractorError, match="cannot be compared"):
            comparer.score([one], [one, other])
