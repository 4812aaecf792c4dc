"""Processings by their names."""

import pytest

from genprint.evaluation.robustness import PROCESSINGS
from genprint.fingerprints.conditions import CONDITIONS, named
from genprint.images.processing import Chain, Grey, Jpeg, Scale, WebP


@pytest.mark.parametrize("processing", [*CONDITIONS.values(), Grey(), Scale(0.5), Chain((Grey(), Jpeg(75, "4:2:2")))])
def test_each_is_found_by_its_name(processing):
    assert named(processing.name) == processing


def test_names_of_the_table_of_robustness():
    for name in PROCESSINGS:
        if name not in ("nothing", "inner crop", "one-pixel shift"):
            assert named(PROCESSINGS[name].name) == named(name) == PROCESSINGS[name]


def test_webp_by_quality():
    assert named("webp 80").name == "WebP 80"
    assert isinstance(named("WebP 80"), WebP)


@pytest.mark.parametrize("text", ["", "JPEG", "JPEG 75 4:1:1", "blur", "JPEG 75,blur 1", "sepia"])
def test_others_are_refused(text):
    with pytest.raises(ValueError, match="no such processing"):
        named(text)
