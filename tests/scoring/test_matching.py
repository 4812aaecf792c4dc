"""Matching: what is compared with what, where enrolled images, the probe or both were saved with loss."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from genprint.answers.attribution import Identifier
from genprint.answers.mixture import unmix
from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.gallery.enrolled import EnrolledIn
from genprint.images.decoding import FileFacts
from genprint.images.processing import Jpeg
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer
from genprint.scoring.matching import Matched
from tests.conftest import textured

MODEL = Model(NeighbourhoodCovariance())
GRAINS = {"a": 5.0, "b": 12.0, "c": 25.0}
EACH, SIDE = 6, 80


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Fingerprints of a source's images, saved in some way; the first are for enrolling."""

    def make(source, kind, quality=None, first=0, count=EACH, side=SIDE):
        folder = tmp_path_factory.mktemp("set")
        rng = np.random.default_rng([list(GRAINS).index(source), side])
        options = {"quality": quality} if quality else {}
        for i, pixels in enumerate(textured(rng, 2 * EACH, side=side, grain=GRAINS[source])[first : first + count]):
            Image.fromarray(pixels).save(folder / f"{i}.{kind}", **options)
        return MODEL.fingerprint(ImageSet.read(folder, source))

    return make


@pytest.fixture(scope="module")
def jpegs(read):
    return {source: read(source, "jpg", 60) for source in GRAINS}


def bare(gallery):
    return {source: replace(own, originals=()) for source, own in gallery.items()}


@pytest.mark.parametrize("kept", [True, False])
def test_where_all_enrolled_images_are_jpegs_a_lossless_probe_becomes_one(jpegs, read, kept):
    gallery = jpegs if kept else bare(jpegs)
    asked = [read(source, "png", first=EACH, count=4) for source in GRAINS]
    saved = [own.under(Jpeg(60)) for own in asked]
    enrolled = EnrolledIn(MODEL, gallery)
    for own, expected in zip(asked, saved, strict=True):
        found, compared = enrolled.match([own])
        assert found is enrolled.original
        assert np.array_equal(compared.probes[0].values, expected.values)
        assert (compared.name, compared.found.brought_to, compared.found.by) == ("JPEG 60", "JPEG 60", None)
        assert not compared.as_they_came
        assert compared.found.said == (
            "The enrolled images were saved as JPEG 60, the probe without loss: both were compared as JPEG 60.",
        )
        answer = Identifier(MODEL, gallery).identify(own)
        assert (answer.condition, answer.evidence.condition) == ("JPEG 60", compared.found)
        assert answer.evidence.candidates[0].source == own.source
    plain, matched = ByScorer(MODEL.scorer), Matched(MODEL.scorer)
    scores = matched.score(asked, list(gallery.values()))
    assert np.allclose(scores, plain.score(saved, list(gallery.values())))
    assert not np.allclose(scores, plain.score(asked, list(gallery.values())))
    blind = Identifier(MODEL, gallery, conditions=False).identify(asked[0])
    assert (blind.condition, blind.evidence.condition) == ("original", None)
    assert unmix(MODEL, gallery, asked[0], draws=20).condition == "JPEG 60"


def test_a_probe_that_cannot_be_read_again_is_compared_as_it_is(jpegs, read):
    probe = read("a", "png", first=EACH)
    for name in probe.originals[0].images.files:
        name.unlink()
    _, compared = EnrolledIn(MODEL, bare(jpegs)).match([probe])
    assert (compared.name, compared.probes) == ("original", [probe])


def test_small_images_are_compared_as_ever(read):
    gallery = {source: read(source, "jpg", 60, side=32) for source in GRAINS}
    compared = EnrolledIn(MODEL, gallery).compared([read("a", "png", first=EACH, side=32)])
    assert (compared.processing, compared.found) == (None, None)


def test_a_jpeg_probe_is_matched_by_enrolled_images_that_had_been_saved_before(jpegs, read):
    compared = EnrolledIn(MODEL, jpegs).compared([read("b", "jpg", 40, first=EACH)])
    assert compared.processing.name.endswith("JPEG 40")  # perhaps after a shift
    assert compared.found.unmatched == (
        "The enrolled images had been saved before (JPEG 60): they have been through more than the probe.",
    )
    alike = EnrolledIn(MODEL, jpegs).compared([read("b", "jpg", 60, first=EACH)])
    assert alike.found.unmatched == ()
    lacking = EnrolledIn(MODEL, bare(jpegs)).compared([read("b", "jpg", 40, first=EACH)])
    assert (lacking.processing, lacking.found.name, lacking.found.matched) == (None, "JPEG 40", False)
    assert lacking.found.said == (
        "The probe is in the condition JPEG 40, as the headers and sizes of its files say.",
        "No originals of a, b and c are kept, so that the enrolled images were compared as they are.",
    )


def test_where_enrolled_images_differ_in_this_the_comparison_is_said_to_be_unequal(jpegs, read):
    mixed = {**jpegs, "c": read("c", "png")}
    probe = read("b", "png", first=EACH)
    compared = EnrolledIn(MODEL, mixed).compared([probe])
    assert (compared.processing, compared.probes) == (None, [probe])
    assert compared.found.said == (
        "The enrolled images of a and b were saved with loss (JPEG 60), the probe otherwise, which cannot be "
        "equalised.",
    )
    assert EnrolledIn(MODEL, bare(mixed)).compared([probe]).found == compared.found
    other = {**jpegs, "c": read("c", "jpg", 90)}
    (said,) = EnrolledIn(MODEL, other).compared([probe]).found.said
    assert said.startswith("The enrolled images were saved with loss (JPEG 60, JPEG 90), the probe otherwise")


def test_how_enrolled_files_were_saved_is_told_by_those_that_are_kept_where_nothing_else_says_it(jpegs, read):
    unsaid = {source: replace(own, facts=()) for source, own in jpegs.items()}
    probe = read("a", "png", first=EACH)
    assert EnrolledIn(MODEL, unsaid).compared([probe]).name == "JPEG 60"
    assert EnrolledIn(MODEL, bare(unsaid)).compared([probe]).name == "original"
    # one file in ten of another kind is passed over, more are not
    for others, name in ((1, "JPEG 60"), (2, "original")):
        lossy = [FileFacts("JPEG", "RGB", 60, "4:2:0")] * 12
        many = {
            source: replace(own + own, facts=(*lossy[others:], *[FileFacts("PNG", "RGB")] * others))
            for source, own in jpegs.items()
        }
        assert EnrolledIn(MODEL, many).compared([probe]).name == name
