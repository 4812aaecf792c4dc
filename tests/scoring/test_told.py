"""Told: what the files of a probe, and the pixels of large images, say of its condition."""

import numpy as np
import pytest
from PIL import Image

from genprint.baselines.content import ColourQuantiles
from genprint.fingerprints.conditions import SHIFTS
from genprint.images.history import History
from genprint.images.processing import Chain, Jpeg, Shift
from genprint.images.sets import ImageSet
from genprint.scoring.conditions import candidates
from genprint.scoring.found import HEADER, PIXELS, SEARCH, ConditionFound
from genprint.scoring.lda import LDA
from genprint.scoring.told import _LOOKED_AT, Told
from tests.conftest import pictures, textured
from tests.fingerprints.test_originals import Counted


@pytest.fixture(scope="module")
def images():
    return pictures(np.random.default_rng(5), 4)


def done(images, *steps):
    return [Chain(steps)(pixels[None])[0] for pixels in images]


def probe_of(folder, images, kind="png", **options):
    """The fingerprint of images that were saved as files."""
    folder.mkdir(exist_ok=True)
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{kind}{i}.{kind}", **options)
    return ColourQuantiles().extract(ImageSet.read(folder, "probe"))


def test_a_jpeg_that_was_cropped_and_saved_as_png_is_told_by_its_pixels(tmp_path, images):
    probe = probe_of(tmp_path / "a", done(images, Jpeg(75), Shift(5, 3)))
    told = Told.of([probe])
    assert (told.saved, told.earlier) == (None, None)
    assert told.last == Chain((Jpeg(75), Shift(5, 3)))
    alone = Told.of([probe[[i]] for i in range(4)])  # as sets of one image each
    assert alone.last == told.last
    found = ConditionFound.of(told, told.last)
    assert (found.name, found.by, found.files, found.matched) == ("JPEG 75, shift 5,3", PIXELS, {"lossless": 4}, True)
    assert found.nats > 100
    assert found.said == (
        "The probe is in the condition JPEG 75, shift 5,3, as its pixels show (log likelihood ratio "
        f"{found.nats:.0f}).",
        "It was compared with the enrolled images after JPEG 75, shift 5,3.",
    )


def test_a_jpeg_before_another_is_told_by_pixels_and_the_last_by_headers(tmp_path, images):
    told = Told.of([probe_of(tmp_path / "a", done(images, Jpeg(70), Shift(5, 3)), "jpg", quality=92)])
    assert told.saved == told.last == Jpeg(92)
    *_, jpeg, shift, last = told.earlier.steps
    assert (abs(jpeg.quality - 70) <= 2, shift, last) == (True, Shift(5, 3), Jpeg(92))
    assert ConditionFound.of(told, told.earlier, 30.0).by == PIXELS
    header = ConditionFound.of(told, Jpeg(92))
    assert (header.by, header.nats) == (HEADER, None)
    assert header.said[0] == "The probe is in the condition JPEG 92, as the headers and sizes of its files say."
    searched = ConditionFound.of(told, Chain((Shift(1, 1), Jpeg(92))), 30.0)
    assert (searched.by, searched.nats) == (SEARCH, 30)


def test_an_earlier_jpeg_is_a_candidate_beside_those_of_the_last(tmp_path, images):
    probe = probe_of(tmp_path / "a", done(images, Jpeg(70), Shift(5, 3)), "jpg", quality=92)
    told, scorer = Told.of([probe]), LDA()
    found = candidates(told, scorer.adapt([probe, probe]).enroll([probe, probe]), scorer, None)
    ends = [Jpeg(92)], list(told.earlier.steps)
    assert found == [
        one
        for end in ends
        for one in (end[0] if len(end) == 1 else Chain(tuple(end)), *(Chain((shift, *end)) for shift in SHIFTS))
    ]
    once = Told.of([probe_of(tmp_path / "b", images, "jpg", quality=92)])
    assert len(candidates(once, scorer.adapt([probe, probe]).enroll([probe, probe]), scorer, None)) == 1 + len(SHIFTS)


def test_of_images_that_were_never_jpegs_nothing_is_told(tmp_path, images):
    told = Told.of([probe_of(tmp_path / "a", images)])
    assert (told.saved, told.last, told.earlier, told.history.images) == (None, None, None, 4)
    assert ConditionFound.of(told) is None
    once = Told.of([probe_of(tmp_path / "b", images, "jpg", quality=80)])
    assert (once.last, once.earlier) == (Jpeg(80), None)


def seen(monkeypatch, **more):
    """A probe of four lossless images of 100 x 100 px, whose pixels show this."""
    monkeypatch.setattr("genprint.scoring.told.history", lambda images, saved: History(4, saved, (0, 0), **more))
    return Told.of([ColourQuantiles().extract(ImageSet.of(textured(np.random.default_rng(0), 4, side=100), "x"))])


def test_lines_in_a_photograph_are_not_taken_for_a_jpeg(monkeypatch):
    """They show as much as a few hundredths of a nat by a hundred pixels; a JPEG shows far more."""
    assert seen(monkeypatch, jpeg=Jpeg(70), evidence=300, clarity=110).last is None
    assert seen(monkeypatch, jpeg=Jpeg(70), evidence=900, clarity=399).last is None
    assert seen(monkeypatch, jpeg=Jpeg(70), evidence=900, clarity=401).last == Jpeg(70)
    assert ConditionFound.of(seen(monkeypatch, jpeg=Jpeg(70), evidence=300, clarity=110)) is None


def test_a_jpeg_of_unclear_quality_is_told(monkeypatch):
    told = seen(monkeypatch, evidence=900, clarity=3)
    assert told.last is None
    assert ConditionFound.of(told).said == (
        "The probe's pixels show an earlier JPEG, but not of which quality, so that it was not matched.",
    )
    assert ConditionFound.of(seen(monkeypatch, evidence=300, clarity=3)) is None


def test_pixels_of_small_images_are_not_looked_at(tmp_path, rng):
    told = Told.of([probe_of(tmp_path / "a", list(Jpeg(60)(textured(rng, 4, side=64))))])
    assert not told.large
    assert (told.history, told.last) == (History(0), None)


def test_only_a_few_images_are_read_again():
    members = Counted(list(textured(np.random.default_rng(0), 40, side=72)))
    probe = ColourQuantiles().extract(ImageSet("x", members, "x"))
    members.read.clear()
    told = Told.of([probe])
    assert members.read == []  # on demand
    assert told.history.images == len(members.read) == _LOOKED_AT
    assert (told.last, len(members.read)) == (None, _LOOKED_AT)  # once


def test_only_files_that_were_saved_as_most_are_looked_at(tmp_path, images):
    before = done(images[:3], Jpeg(70), Shift(5, 3))
    probe_of(tmp_path / "a", images[3:], "png")
    told = Told.of([probe_of(tmp_path / "a", before, "jpg", quality=92)])
    assert told.words == {"JPEG 92": 3, "lossless": 1}
    assert told.history.images == 3
    found = ConditionFound.of(told, told.saved)
    assert found.unmatched == (
        "The probe's files were saved differently (3 JPEG 92, 1 lossless); all were compared as if they were JPEG 92, "
        "as most are.",
    )
    half = told.probes[0][[0, int(np.flatnonzero([facts.format == "PNG" for facts in told.probes[0].facts])[0])]]
    undecided = Told.of([half])
    assert (undecided.history, undecided.last) == (History(0), None)
    (said,) = ConditionFound.of(undecided).said
    assert said == "The probe's files were saved differently (1 JPEG 92, 1 lossless), which was not matched."


def test_images_that_are_gone_tell_nothing(tmp_path, images):
    probe = probe_of(tmp_path / "a", done(images, Jpeg(75)))
    for path in (tmp_path / "a").iterdir():
        path.unlink()
    assert Told.of([probe]).last is None
