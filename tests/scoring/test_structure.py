"""The reader of structure: what it excludes, and that it is what was saved."""

import json

import numpy as np
import pytest

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.structure import (
    ANSWERS,
    DOUBLING,
    JPEG,
    SHIPPED,
    SIZES,
    Classifier,
    Known,
    StructureError,
    StructureReader,
    shipped_reader,
)
from genprint.storage.weights import WeightsError


def made(least=0.1, farthest=9.0) -> Classifier:
    slopes, size = np.array([2.0, 0.0]), len(SIZES)
    return Classifier(
        np.zeros(2), np.ones(2), slopes, 0.0, (least,) * size, (farthest,) * size, (Known("here", 3, 1, 2, 2, 2, 10),)
    )


def test_an_unlikely_answer_is_excluded():
    assert made().excluded(np.array([2.0, 0.0]), 5) == (True, False)
    assert made().excluded(np.array([-2.0, 0.0]), 5) == (False, True)
    assert made().excluded(np.array([0.1, 0.0]), 5) == (False, False)


def test_only_a_trace_that_is_seen_is_stated():
    assert made().stated(DOUBLING, np.array([-2.0, 0.0]), 5)
    assert not made().stated(DOUBLING, np.array([2.0, 0.0]), 5)
    assert not made().stated(JPEG, np.array([-2.0, 0.0]), 5)
    assert made().stated(JPEG, np.array([2.0, 0.0]), 5)


def test_nothing_is_left_of_a_set_unlike_all_simulated_ones():
    assert made().excluded(np.array([2.0, 50.0]), 5) == (True, True)


def test_thresholds_go_by_the_largest_size_that_is_reached():
    one = Classifier(np.zeros(1), np.ones(1), np.ones(1), 0.0, (0.4, 0.3, 0.2, 0.1), (9.0,) * 4)
    at = np.array([np.log(0.25 / 0.75)])  # probability of the second answer: one in four
    assert [one.excluded(at, count)[1] for count in (1, 3, 4, 11, 12, 500)] == [True, True, True, True, False, False]


def test_it_is_what_was_saved_and_refuses_what_is_not(tmp_path):
    reader = StructureReader("some extractor", dict.fromkeys(ANSWERS, made()))
    reader.save(tmp_path, "card")
    again = StructureReader.load(tmp_path)
    assert again.extractor == reader.extractor
    for question in ANSWERS:
        one, other = again.classifiers[question], reader.classifiers[question]
        assert one.probability(np.ones(2)) == other.probability(np.ones(2))
        assert (one.least, one.farthest, one.known) == (other.least, other.farthest, other.known)
    config = json.loads((tmp_path / "config.json").read_text())
    config["extractor"] = "another"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="damaged"):
        StructureReader.load(tmp_path)


def test_the_shipped_one_belongs_to_the_shipped_encoder_alone(shipped, small_model):
    assert shipped_reader().extractor == shipped.fingerprinter.extractor_id
    assert set(shipped_reader().classifiers) == set(ANSWERS)
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 200_000
    other = Fingerprint("mine", np.zeros((1, 3), np.float32), ("a",), small_model.fingerprinter.extractor_id)
    with pytest.raises(StructureError, match=r"mine: .*thumbnails only"):
        shipped_reader().check(other)
