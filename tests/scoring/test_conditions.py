"""Histories: probes that went through something are compared with enrolled images that did too."""

import numpy as np
import pytest

from genprint.answers.attribution import Identifier
from genprint.answers.mixture import unmix
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.cache import FeatureCache
from genprint.generators.collection import demonstrated, load, sample
from genprint.images.processing import chain, jpeg, shift
from genprint.images.sets import ImageSet
from genprint.scoring.base import ByFingerprint
from genprint.scoring.conditions import HISTORIES, NONE, Matched, Matcher
from tests.conftest import textured

ENCODER = SetEncoder.from_pretrained()
ENROLLED = 24


@pytest.fixture(scope="module")
def images():
    """Real samples of shipped generators, none of them a flow (these sample slowly)."""
    folders = [folder for folder in demonstrated() if not folder.name.startswith("flow")][:5]
    return {folder.name: sample(load(folder)[0], folder.name, ENROLLED + 20) for folder in folders}


@pytest.fixture(scope="module")
def gallery(images):
    return {
        name: ENCODER.features(ImageSet.from_array(own[:ENROLLED], name), histories=HISTORIES)
        for name, own in images.items()
    }


def probe(images, change):
    return {name: ENCODER.features(ImageSet.from_array(change(own[ENROLLED:]), name)) for name, own in images.items()}


def test_a_jpeg_probe_is_told_by_a_lossless_gallery(images, gallery):
    plain = {name: own.with_history(NONE) for name, own in gallery.items()}
    blind, matched = Identifier(ENCODER, plain), Identifier(ENCODER, gallery)
    asked = probe(images, jpeg(60))
    nearest = [blind.identify("", own).candidates[0].source == name for name, own in asked.items()]
    answers = {name: matched.identify("", own) for name, own in asked.items()}
    assert np.mean(nearest) < 0.5
    assert np.mean([answer.candidates[0].source == name for name, answer in answers.items()]) > 0.7
    unmixed = [unmix(ENCODER, gallery, "", own, draws=50) for own in asked.values()]
    assert {found.history for found in [*answers.values(), *unmixed]} <= {"JPEG 70", "JPEG 50"}


def test_a_probe_cropped_and_saved_is_taken_for_that(images, gallery):
    asked = probe(images, chain(shift(3, 5), jpeg(75)))
    matcher = Matcher(ENCODER, ENCODER.plda_, list(gallery.values()))
    found = matcher.match([ENCODER.summarise(own, name, vector=False, scatter=False) for name, own in asked.items()])
    assert set(found) == {"shift 1,1, JPEG 82"}


def test_lossless_probes_are_compared_with_the_images_as_they_are(images, gallery):
    plain = {name: own.with_history(NONE) for name, own in gallery.items()}
    asked = probe(images, lambda own: own)
    matched, blind = Identifier(ENCODER, gallery), Identifier(ENCODER, plain)
    for own in asked.values():
        answer = matched.identify("", own)
        assert answer.history == NONE
        assert answer == blind.identify("", own)
    scores = [
        comparer.score(list(asked.values()), list(gallery.values()))
        for comparer in (Matched(ENCODER, ENCODER.plda_), ByFingerprint(ENCODER, ENCODER.plda_))
    ]
    assert np.allclose(*scores)


def test_features_after_a_history_are_those_of_the_changed_images(rng):
    images = textured(rng, 5)
    features = ENCODER.features(ImageSet.from_array(images, "a"), histories=HISTORIES, batch=2)
    for name, change in HISTORIES.items():
        changed = ENCODER.features(ImageSet.from_array(change(images), "a"))
        assert np.allclose(features.with_history(name).values, changed.values, atol=1e-4), name
    assert np.allclose(features[[3]].after["JPEG 90"], features.after["JPEG 90"][3:4])


def test_features_after_histories_are_cached(tmp_path, rng):
    cache, images = FeatureCache(tmp_path / "c.sqlite"), ImageSet.from_array(textured(rng, 4), "a")
    some = {"JPEG 90": HISTORIES["JPEG 90"], "blur 1": HISTORIES["blur 1"]}
    first, again = (ENCODER.features(images, cache=cache, histories=some) for _ in range(2))
    assert all((first.after[name] == again.after[name]).all() for name in some)
    assert not np.allclose(first.after["JPEG 90"], first.after["blur 1"])
