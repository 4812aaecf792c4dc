"""Attribution: the decision as a table, and what it takes to be attributed."""

import itertools
import json

import numpy as np
import pytest

from benchmarks import golden
from genprint.answers.attribution import Identifier
from genprint.answers.decision import Reason, decide
from genprint.answers.results import ATTRIBUTED, INCONCLUSIVE, UNKNOWN
from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.images.sets import ImageSet, ImageSetError
from genprint.model import Model
from genprint.scoring.exchangeability import ALPHA
from genprint.scoring.lda import LDA
from genprint.scoring.likelihood_ratio import support
from tests.conftest import drawn_digests, given, model_of_sources

# score, threshold, p, posterior of the best, whether a rival is near, p of the rival, log likelihood ratio if there is
# one: decision and reason
ROWS = {
    "all tests passed": ((0.8, 0.5, 0.6, 0.9, False, None), ATTRIBUTED, Reason.PASSED),
    "just so": ((0.5, 0.5, 0.051, 0.75, True, None), ATTRIBUTED, Reason.PASSED),
    "no threshold": ((None, None, 0.6, 0.9, False, None), INCONCLUSIVE, Reason.NO_THRESHOLD),
    "no threshold, whatever else": ((None, None, 0.001, 0.2, True, 0.9), INCONCLUSIVE, Reason.NO_THRESHOLD),
    "a threshold but no score": ((None, 0.5, 0.6, 0.9, False, None), INCONCLUSIVE, Reason.NO_THRESHOLD),
    "a score but no threshold": ((0.8, None, 0.6, 0.9, False, None), INCONCLUSIVE, Reason.NO_THRESHOLD),
    "below": ((0.49, 0.5, 0.6, 0.9, False, None), UNKNOWN, Reason.BELOW_THRESHOLD),
    "below, not exchangeable either": ((0.4, 0.5, 0.01, 0.9, False, None), UNKNOWN, Reason.BELOW_THRESHOLD),
    "below, a rival near": ((0.4, 0.5, 0.6, 0.5, True, None), UNKNOWN, Reason.BELOW_WITH_RIVAL),
    "below, a rival that fits": ((0.4, 0.5, 0.01, 0.5, True, 0.9), UNKNOWN, Reason.BELOW_WITH_RIVAL),
    "not exchangeable": ((0.8, 0.5, 0.05, 0.9, False, None), UNKNOWN, Reason.NOT_EXCHANGEABLE),
    "not exchangeable, nor is the rival": ((0.8, 0.5, 0.01, 0.6, True, 0.05), UNKNOWN, Reason.NOT_EXCHANGEABLE),
    "not exchangeable, the rival not asked": ((0.8, 0.5, 0.01, 0.6, True, None), UNKNOWN, Reason.NOT_EXCHANGEABLE),
    "not exchangeable, but the rival is": ((0.8, 0.5, 0.01, 0.6, True, 0.06), INCONCLUSIVE, Reason.RIVAL_FITS),
    "a rival that fits, but is not near": ((0.8, 0.5, 0.01, 0.9, False, 0.9), UNKNOWN, Reason.NOT_EXCHANGEABLE),
    "a rival explains it as well": ((0.8, 0.5, 0.6, 0.74, True, None), INCONCLUSIVE, Reason.RIVAL_NEAR),
    "several rivals, none near": ((0.8, 0.5, 0.6, 0.6, False, None), INCONCLUSIVE, Reason.RIVAL_NEAR),
    "passed, and supported": ((0.8, 0.5, 0.6, 0.9, False, None, 0.1), ATTRIBUTED, Reason.PASSED),
    "passed, but not supported": ((0.8, 0.5, 0.6, 0.9, False, None, 0.0), INCONCLUSIVE, Reason.NOT_SUPPORTED),
    "below, not supported": ((0.4, 0.5, 0.6, 0.9, False, None, -0.1), UNKNOWN, Reason.BELOW_THRESHOLD),
    "below, but supported": ((0.4, 0.5, 0.6, 0.9, False, None, 0.1), INCONCLUSIVE, Reason.SUPPORTED_BELOW),
    "below, supported, a rival near": (
        (0.4, 0.5, 0.6, 0.5, True, None, 2.0),
        INCONCLUSIVE,
        Reason.SUPPORTED_WITH_RIVAL,
    ),
    "not exchangeable, but supported": ((0.8, 0.5, 0.01, 0.9, False, None, 1.0), INCONCLUSIVE, Reason.RELATED),
}


@pytest.mark.parametrize("row", ROWS)
def test_decisions(row):
    given, decision, reason = ROWS[row]
    *tests, llr = given if len(given) > 6 else (*given, None)
    assert decide(*tests, 0.75, llr) == (decision, reason)


def test_every_reason_is_in_the_table_and_every_decision_follows_from_one():
    assert {reason for *_, reason in ROWS.values()} == set(Reason) - {Reason.TWINS}
    scores, thresholds = (None, 0.2, 0.8), (None, 0.5)
    ps, posteriors, rivals = (0.001, ALPHA, 0.5), (0.4, 0.75, 1.0), (None, 0.001, 0.5)
    decisions: dict[Reason, set[str]] = {}
    for row in itertools.product(scores, thresholds, ps, posteriors, (False, True), rivals, (None, -1.0, 0.0, 1.0)):
        *tests, llr = row
        decision, reason = decide(*tests, 0.75, llr)
        assert (decision, llr is not None and llr <= 0) != (ATTRIBUTED, True)
        assert (decision, llr is not None and llr > 0) != (UNKNOWN, True)
        decisions.setdefault(reason, set()).add(decision)
        if decision == ATTRIBUTED:  # only what passes every test
            score, threshold, p, posterior, *_ = row
            assert score is not None
            assert threshold is not None
            assert (score >= threshold, p > ALPHA, posterior >= 0.75) == (True, True, True)
    assert set(decisions) == set(Reason) - {Reason.TWINS}
    assert all(len(own) == 1 for own in decisions.values())


@pytest.mark.parametrize("row", ROWS)
def test_a_twin_turns_nothing_but_an_attribution(row):
    given, decision, reason = ROWS[row]
    *tests, llr = given if len(given) > 6 else (*given, None)
    expected = (INCONCLUSIVE, Reason.TWINS) if decision == ATTRIBUTED else (decision, reason)
    assert decide(*tests, 0.75, llr, twinned=True) == expected


def test_levels_are_those_that_are_asked_for():
    assert decide(0.8, 0.5, 0.04, 0.9, False, None, 0.75, alpha=0.01)[0] == ATTRIBUTED
    assert decide(0.8, 0.5, 0.6, 0.5, True, None, min_posterior=0.4)[0] == ATTRIBUTED


SIZE = 6


@pytest.fixture(scope="module")
def model():
    return model_of_sources(25 * np.eye(SIZE))


def source(rng, name, centre, images=30):
    return given(centre + rng.normal(size=(images, SIZE)), name, drawn_digests(rng, images))


@pytest.fixture
def known(rng):
    return {name: source(rng, name, 5 * rng.normal(size=SIZE)) for name in "abcdefghij"}


def test_the_reason_names_the_sources(model, known, rng):
    identifier = Identifier(model, known, rate=0.1)
    centre = known["c"].mean
    found = identifier.identify(source(rng, "probe", centre, 10))
    assert (found.decision, found.source, found.probe, found.images) == (ATTRIBUTED, "c", "probe", 10)
    assert found.reason == "c passes the threshold and no other source comes near"
    assert found.verdict == f"probe: attributed to c, with {support(found.llr)} ({found.reason})"
    assert "relative of c" in found.changes
    assert "--stress" in found.next_step
    far = identifier.identify(source(rng, "probe", centre + 30, 10))
    assert (far.decision, far.source) == (UNKNOWN, None)
    best = far.evidence.candidates[0].source
    assert far.reason in (
        Reason.BELOW_THRESHOLD.format(best=best), Reason.NOT_EXCHANGEABLE.format(best=best)
    )  # fmt: skip
    twins = {**known, "twin": source(rng, "twin", centre)}
    between = Identifier(model, twins, rate=0.1).identify(source(rng, "probe", centre, 2))
    assert {candidate.source for candidate in between.evidence.candidates[:2]} == {"c", "twin"}
    if between.decision != ATTRIBUTED:
        assert "c and twin" in between.reason or "twin and c" in between.reason
        assert "{" not in between.reason


def test_the_evidence_is_whole(model, known, rng):
    found = Identifier(model, known, rate=0.1).identify(source(rng, "probe", known["c"].mean, 10))
    evidence = found.evidence
    assert [candidate.source for candidate in evidence.candidates[:1]] == ["c"]
    assert {candidate.source for candidate in evidence.candidates} == set(known)
    assert sum(candidate.posterior for candidate in evidence.candidates) == pytest.approx(1)
    llrs = [candidate.raw_llr for candidate in evidence.candidates]
    assert llrs == sorted(llrs, reverse=True)
    assert evidence.score >= evidence.threshold
    assert (evidence.rate, evidence.calibrated_at) == (0.1, 10)
    assert 0 < evidence.p <= 1
    assert found.llr == evidence.ratio.llr
    unweighed = Identifier(model, known, rate=0.1).identify(source(rng, "probe", known["c"].mean, 10), grown=False)
    assert (unweighed.decision, unweighed.llr) == (found.decision, found.llr)
    assert list(unweighed.evidence.ratio.by_images) == [10]
    assert unweighed.evidence.ratio.low == found.evidence.ratio.low


def test_neither_order_of_images_nor_of_sources_changes_an_answer(model, known, rng):
    probe = source(rng, "probe", known["c"].mean, 10)
    found = Identifier(model, known, rate=0.1).identify(probe)
    turned = {name: own[rng.permutation(len(own))] for name, own in reversed(known.items())}
    again = Identifier(model, turned, rate=0.1).identify(probe[rng.permutation(10)])
    assert (again.decision, again.source) == (found.decision, found.source)
    assert again.evidence.score == pytest.approx(found.evidence.score, abs=0.02)
    same_sources = {name: own[rng.permutation(len(own))] for name, own in known.items()}
    assert Identifier(model, same_sources, rate=0.1).identify(probe[rng.permutation(10)]) == found


def test_enrolled_images_of_a_probe_are_left_out(model, known, rng):
    probe = source(rng, "probe", known["c"].mean, 10)
    identifier = Identifier(model, known, rate=0.1)
    found = identifier.identify(probe + known["a"][[0, 1]])
    assert found.images == 10
    assert [left.reason for left in found.left_out] == ["the same file is enrolled, as of a"] * 2
    assert found.evidence == identifier.identify(probe).evidence
    with pytest.raises(ImageSetError, match="all 2 images are enrolled"):
        identifier.identify(known["a"][[0, 1]])


def test_without_a_source_nobody_is_identified(model):
    with pytest.raises(ValueError, match="no source is enrolled"):
        Identifier(model, {})


def test_one_enrolled_source_has_no_rival(model, known, rng):
    found = Identifier(model, {"c": known["c"]}).identify(source(rng, "probe", known["c"].mean, 10))
    assert (found.decision, found.source) == (INCONCLUSIVE, None)
    assert found.reason == Reason.NO_THRESHOLD


def test_a_fingerprinter_without_any_learning_attributes(golden_images):
    """Linear discriminants need nothing but the gallery: known probes are attributed, an unknown one is not."""
    model = Model(NeighbourhoodCovariance())
    assert isinstance(model.scorer, LDA)
    assert model.population is None
    enrolled = ("vae-conv-s0", "gan-dcgan-s0", "flow-wavelet-s0", "score-ddim-s0")
    found = {
        name: model.fingerprint(ImageSet.from_array(golden_images[name], name)) for name in (*enrolled, "gan-dcgan-s1")
    }
    identifier = Identifier(model, {name: found[name][np.arange(24)] for name in enrolled}, conditions=False)
    answers = {name: identifier.identify(own[np.arange(24, 40)]) for name, own in found.items()}
    for name in enrolled:
        assert (answers[name].decision, answers[name].source) == (ATTRIBUTED, name), answers[name].verdict
        assert answers[name].evidence.ratio is None  # of four sources
    stranger = answers["gan-dcgan-s1"]  # a sibling of an enrolled one
    assert stranger.decision in (UNKNOWN, INCONCLUSIVE), stranger.verdict
    noise = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
    noisy = identifier.identify(model.fingerprint(ImageSet.from_array(noise, "noise")))
    assert noisy.decision == UNKNOWN, noisy.verdict


GOLDEN = [
    *(f"attribute 12 of {name}" for name in golden.SOURCES),
    "attribute 4 of vae-conv-s0", "attribute, enrolled images among it", "attribute, two enrolled",
]  # fmt: skip


@pytest.fixture(scope="module")
def golden_answers():
    answers = json.loads(golden.ANSWERS.read_text())
    return {name.removeprefix("small: "): own for name, own in answers.items() if name.startswith("small: ")}


@pytest.fixture(scope="module")
def golden_fingerprints(small_model, golden_images):
    return {name: small_model.fingerprint(ImageSet.from_array(own, name)) for name, own in golden_images.items()}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_answers(name, small_model, golden_answers, golden_fingerprints):
    """What was answered before is answered still; numbers to what another machine's arithmetic may change."""
    known = {other: golden_fingerprints[other][np.arange(golden.ENROLLED)] for other in golden.KNOWN}
    if name == "attribute, two enrolled":
        known = dict(list(known.items())[:2])
        probe = golden_fingerprints["vae-conv-s0"][np.arange(20, 26)]
    elif name == "attribute, enrolled images among it":
        probe = golden_fingerprints["gan-dcgan-s0"][np.arange(golden.ENROLLED - 4, golden.ENROLLED + 6)]
    else:
        _, size, _, source = name.split()
        probe = golden_fingerprints[source][np.arange(golden.ENROLLED, golden.ENROLLED + int(size))]
    then, found = golden_answers[name], Identifier(small_model, known, conditions=False).identify(probe)
    evidence = found.evidence
    assert (found.decision, found.source, found.images) == (then["decision"], then["source"], then["images"])
    assert found.condition == then["condition"]
    assert evidence.calibrated_at == then["size"]
    assert evidence.p == pytest.approx(then["p"], abs=1e-2)
    assert evidence.candidates[0].source == then["candidates"][0][0]
    for value, expected in ((evidence.score, then["score"]), (evidence.threshold, then["threshold"])):
        assert (value is None) == (expected is None)
        assert value is None or value == pytest.approx(expected, abs=1e-2)
    assert (found.llr is None) == (then["lr"] is None)
    assert found.llr is None or found.llr / np.log(10) == pytest.approx(then["lr"][0], abs=1e-2)
