"""What was found of a probe's condition stands in the answer: as values, in the terminal and on the page."""

import json

import numpy as np
import pytest
from PIL import Image

from genprint.answers.attribution import GalleryIdentifier
from genprint.api import Gallery
from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.cli import text
from genprint.images.processing import Blur, Chain, Jpeg, Shift
from genprint.images.sets import ImageSet
from genprint.model import Model
from tests.conftest import pictures

# What each source leaves: more or less of the finest detail.
SOURCES = {"plain": Chain(()), "soft": Blur(0.4), "softer": Blur(0.6)}
EACH, PROBE = 5, 4


def write(folder, images, kind="png", **options):
    folder.mkdir(parents=True)
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{i}.{kind}", **options)
    return folder


def made(source, images, *steps):
    return [Chain((SOURCES[source], *steps))(pixels[None])[0] for pixels in images]


@pytest.fixture(scope="module")
def images():
    return pictures(np.random.default_rng(11), EACH + PROBE)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory, images):
    """Of lossless images."""
    root = tmp_path_factory.mktemp("known")
    for source in SOURCES:
        write(root / source, made(source, images[:EACH]))
    found = Gallery(root / "g.sqlite", Model(NeighbourhoodCovariance()))
    found.enroll(root)
    return found


@pytest.mark.parametrize("source", SOURCES)
def test_a_jpeg_that_came_as_a_cropped_png_is_compared_after_the_same(tmp_path, gallery, images, source):
    probe = write(tmp_path / "probe", made(source, images[EACH:], Jpeg(70), Shift(5, 3)))
    blind, answer = gallery.attribute(probe, conditions=False), gallery.attribute(probe)
    found = answer.evidence.condition
    assert (answer.condition, found.name, found.by) == (*["JPEG 70, shift 5,3"] * 2, "pixels")
    assert answer.evidence.candidates[0].source == source
    assert blind.evidence.condition is None
    if source == "plain":  # which it would not be otherwise
        assert blind.evidence.candidates[0].source != source
    line = (
        "  The probe is in the condition JPEG 70, shift 5,3, as its pixels show (log likelihood ratio "
        f"{found.nats:.0f}). It was compared with the enrolled images after JPEG 70, shift 5,3."
    )
    assert line in text.attribution(answer).splitlines()
    assert json.loads(answer.to_json())["evidence"]["condition"]["said"] == list(found.said)
    answer.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert line.strip() in page
    record = json.loads((tmp_path / "report.json").read_text())
    assert record["attribution"]["evidence"]["condition"]["files"] == {"lossless": PROBE}


def test_of_a_probe_as_it_was_made_there_is_nothing_to_tell(tmp_path, gallery, images):
    answer = gallery.attribute(write(tmp_path / "probe", made("soft", images[EACH:])))
    assert (answer.condition, answer.evidence.condition) == ("original", None)
    assert "condition" not in text.attribution(answer)


def test_files_of_several_kinds_are_told(tmp_path, gallery, images):
    write(tmp_path / "probe", made("soft", images[EACH + 1 :]), "jpg", quality=85)
    Image.fromarray(made("soft", images[EACH:])[0]).save(tmp_path / "probe" / "one.png")
    answer = gallery.attribute(tmp_path / "probe")
    assert answer.condition.endswith("JPEG 85")
    assert answer.evidence.condition.unmatched == (
        "The probe's files were saved differently (3 JPEG 85, 1 lossless); all were compared as if they were JPEG 85, "
        "as most are.",
    )


def test_in_a_gallery_of_many_sources_the_nearest_are_sought_as_they_are_saved(tmp_path, images, monkeypatch):
    monkeypatch.setattr("genprint.answers.attribution.SHORTLIST", 2)
    gallery = Gallery(tmp_path / "g.sqlite", Model(NeighbourhoodCovariance()))
    for source in SOURCES:
        gallery.enroll(write(tmp_path / source, made(source, images[:EACH]), "jpg", quality=40), source)
    for source in SOURCES:
        probe = gallery.model.fingerprint(ImageSet.read(write(tmp_path / f"of {source}", made(source, images[EACH:]))))
        near = GalleryIdentifier(gallery).near(gallery, probe)
        nearest = gallery.index().nearest(gallery.model.fingerprinter.embed(probe.under(Jpeg(40))), 2)
        assert set(near.known) == set(nearest)
        answer = near.identify(probe)
        assert (answer.condition, answer.evidence.candidates[0].source) == ("JPEG 40", source)
