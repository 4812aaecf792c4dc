"""Conditions: probes that went through something are compared with enrolled images that did too."""

import numpy as np
import pytest

from benchmarks import golden
from genprint.answers.attribution import Identifier
from genprint.answers.mixture import unmix
from genprint.fingerprints.conditions import CONDITIONS, ORIGINAL
from genprint.gallery.enrolled import Enrolled
from genprint.generators.collection import demonstrated, load, sample
from genprint.images.processing import Chain, Jpeg, Shift
from genprint.images.sets import ImageSet
from genprint.scoring.base import ByScorer
from genprint.scoring.conditions import MARGIN, Matched, match, match_mixed
from tests.conftest import drawn_digests, given, model_of_sources, textured

ENROLLED = 24


def real_samples():
    """Samples of shipped generators, none of them a flow (these sample slowly)."""
    folders = [folder for folder in demonstrated() if not folder.name.startswith("flow")][:5]
    return {folder.name: sample(load(folder)[0], folder.name, ENROLLED + 20) for folder in folders}


@pytest.fixture(scope="module")
def images():
    return real_samples()


@pytest.fixture(scope="module")
def middle_model(images, shipped):
    """The shipped model cut to 192 discriminants a tower: it finds conditions as the whole does, in far less time."""
    return golden.small_model(shipped, {name: own[:4] for name, own in list(images.items())[:2]}, 192)


@pytest.fixture(scope="module")
def gallery(images, middle_model):
    return {
        name: middle_model.fingerprint(ImageSet.from_array(own[:ENROLLED], name), conditions=True)
        for name, own in images.items()
    }


@pytest.fixture
def probes(images, middle_model):
    def after(processing):
        return {
            name: middle_model.fingerprint(ImageSet.from_array(processing(own[ENROLLED:]), name))
            for name, own in images.items()
        }

    return after


@pytest.mark.slow
def test_a_jpeg_probe_is_told_by_a_lossless_gallery(middle_model, gallery, probes):
    plain = {name: own.under(ORIGINAL) for name, own in gallery.items()}
    blind, matched = Identifier(middle_model, plain), Identifier(middle_model, gallery)
    asked = probes(Jpeg(60))
    nearest = [blind.identify(own).evidence.candidates[0].source == name for name, own in asked.items()]
    answers = {name: matched.identify(own) for name, own in asked.items()}
    assert np.mean(nearest) < 0.5
    assert np.mean([answer.evidence.candidates[0].source == name for name, answer in answers.items()]) > 0.7
    unmixed = [unmix(middle_model, gallery, own, draws=50) for own in asked.values()]
    assert {found.condition for found in [*answers.values(), *unmixed]} <= {"JPEG 70", "JPEG 50"}


@pytest.mark.slow
def test_a_probe_cropped_and_saved_is_taken_for_that(middle_model, gallery, probes):
    asked = probes(Chain((Shift(3, 5), Jpeg(75))))
    states = {name: Enrolled(middle_model.scorer, gallery, name).known for name in (ORIGINAL, *CONDITIONS)}
    found = match(states, list(asked.values()))
    assert set(found) == {"shift 1,1, JPEG 82"}


@pytest.mark.slow
def test_lossless_probes_are_compared_with_the_images_as_they_are(middle_model, gallery, probes):
    plain = {name: own.under(ORIGINAL) for name, own in gallery.items()}
    asked = probes(Chain(()))
    matched, blind = Identifier(middle_model, gallery), Identifier(middle_model, plain)
    for own in asked.values():
        answer = matched.identify(own)
        assert answer.condition == ORIGINAL
        assert answer == blind.identify(own)
    scores = [
        comparer.score(list(asked.values()), list(gallery.values()))
        for comparer in (Matched(middle_model.scorer), ByScorer(middle_model.scorer))
    ]
    assert np.allclose(*scores)


def test_features_in_a_condition_are_those_of_the_processed_images(small_model, rng):
    images = textured(rng, 5)
    encoder = small_model.fingerprinter
    found = encoder.extract(ImageSet.from_array(images, "a"), conditions=CONDITIONS, batch=2)
    for name, processing in CONDITIONS.items():
        processed = encoder.extract(ImageSet.from_array(processing(images), "a"))
        # In batches of another size, float32 comes out up to 5e-5 apart; no two conditions come nearer than 0.9.
        assert np.allclose(found.under(name).values, processed.values, atol=1e-3), name
    assert np.allclose(found[[3]].conditions["JPEG 90"], found.conditions["JPEG 90"][3:4])
    whole = small_model.fingerprint(ImageSet.from_array(images, "a"), conditions=True)
    assert list(whole.conditions) == list(CONDITIONS)
    assert small_model.fingerprint(ImageSet.from_array(images, "a")).conditions == {}


SIZE = 12


@pytest.fixture
def model():
    return model_of_sources(4 * np.eye(SIZE))


def known_in(rng, *conditions, sources=4, images=30):
    """Sources known in conditions that take each of them somewhere else."""
    found = {}
    for i in range(sources):
        values = 2 * rng.normal(size=SIZE) + rng.normal(size=(images, SIZE))
        moved = {name: (values + 6 * (j + 1)).astype(np.float32) for j, name in enumerate(conditions)}
        found[f"s{i}"] = given(values, f"s{i}", drawn_digests(rng, images), conditions=moved)
    return found


def test_a_probe_is_matched_with_the_condition_that_explains_it(model, rng):
    known = known_in(rng, "near", "far")
    states = {name: Enrolled(model.scorer, known, name).known for name in (ORIGINAL, "near", "far")}
    asked = [own[[0, 1, 2, 3]].under(name) for own in known.values() for name in states]
    assert match(states, asked) == list(states) * len(known)
    assert match({ORIGINAL: states[ORIGINAL]}, asked) == [ORIGINAL] * len(asked)
    # a pile of several sources' images in one condition
    pile = [own.under("far")[[i]] for own in known.values() for i in range(5)]
    assert match_mixed(states, pile) == "far"
    assert match_mixed({ORIGINAL: states[ORIGINAL]}, pile) == ORIGINAL


def test_a_condition_has_to_explain_a_probe_by_the_margin(model, rng):
    known = known_in(rng, "near")
    states = {name: Enrolled(model.scorer, known, name).known for name in (ORIGINAL, "near")}
    (probe,) = (own[[0, 1, 2, 3]] for own in [next(iter(known.values()))])

    def moved(share):
        return given(probe.values + share * 6, "moved")

    def gain(asked):
        densities = [np.logaddexp.reduce(state.log_density([asked])[0]) for state in states.values()]
        return densities[1] - densities[0]

    shares = np.linspace(0, 1, 60)
    gains = [gain(moved(share)) for share in shares]
    found = [match(states, [moved(share)])[0] for share in shares]
    assert found == [ORIGINAL if more <= MARGIN else "near" for more in gains]
    assert {ORIGINAL, "near"} == set(found)
    assert any(0 < more <= MARGIN for more in gains)


def test_scores_are_those_of_the_matched_condition(model, rng):
    known = known_in(rng, "near", "far")
    gallery = list(known.values())
    asked = [own[[0, 1, 2, 3]].under("far") for own in gallery] + [own[[4, 5]] for own in gallery]
    scores = Matched(model.scorer).score(asked, gallery)
    far = [own.under("far") for own in gallery]
    assert np.allclose(scores[:4], ByScorer(model.scorer).score(asked[:4], far))
    assert np.allclose(scores[4:], ByScorer(model.scorer).score(asked[4:], gallery))
    bare = [own.under(ORIGINAL) for own in gallery]
    assert np.allclose(Matched(model.scorer).score(asked, bare), ByScorer(model.scorer).score(asked, bare))


def test_only_conditions_that_all_sources_are_known_in_count(model, rng):
    known = known_in(rng, "near", "far")
    known["s0"] = given(
        known["s0"].values, "s0", known["s0"].digests, conditions={"near": known["s0"].conditions["near"]}
    )
    identifier = Identifier(model, known)
    probe = known_in(rng, "near", "far")["s0"].under("far")[np.arange(4)]
    assert identifier.enrolled_for(probe).condition in (ORIGINAL, "near")
    asked = given(known["s1"].conditions["near"][:5] + 0.01, "probe")
    answer = identifier.identify(asked, weigh=False)
    assert (answer.condition, answer.evidence.candidates[0].source) == ("near", "s1")
