"""Whether a gallery is well: what is said of it, by name and count, with the remedy."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from genprint.answering import Gallery
from genprint.answers import gallery_audit
from genprint.answers.gallery_audit import GalleryAudit, audit_gallery
from genprint.gallery.outlines import Outline
from genprint.gallery.store import NotEnough
from genprint.images.decoding import FileFacts
from tests.conftest import GivenOriginals, drawn_digests, given, model_of_sources, textured

SIZE = 40


@pytest.fixture(scope="module")
def model():
    return model_of_sources(4 * np.eye(SIZE))


def source(rng, name, images=30, centre=None):
    centre = 2 * rng.normal(size=SIZE) if centre is None else centre
    return given(centre + rng.normal(size=(images, SIZE)), name, drawn_digests(rng, images))


@pytest.fixture
def known(rng):
    """Twenty sources that are well."""
    return [source(rng, f"s{i}") for i in range(20)]


def look(model, known, fresh):
    """At fingerprints, by their outlines."""
    outlines, by_name = [Outline.of(one, model.scorer) for one in known], {one.source: one for one in known}
    return gallery_audit.look(model, outlines, fresh, by_name.__getitem__)


def said(concerns):
    return {concern.kind: concern.said for concern in concerns}


def test_a_gallery_that_is_well_is_silent(model, known):
    found = audit_gallery(model, known)
    assert found.concerns == ()
    assert found.verdict == "nothing was found that is not well with this gallery"
    assert found.sources == {f"s{i}": 30 for i in range(20)}
    assert found.to_dict()["well"] is True
    assert look(model, known, ["s1", "s2"]) == ()


def test_the_same_files_under_two_names_are_counted(model, known):
    copy = replace(known[3][np.arange(25)], source="copy")
    (concern,) = look(model, [*known, copy], ["copy"])
    assert (concern.kind, concern.sources) == ("same files", ("s3", "copy"))
    assert concern.said == "s3 and copy share 25 files. They count as one source: remove one, or these files."
    assert look(model, [*known, copy], ["s5"]) == ()  # that was told when it was enrolled
    once = known[3] + known[4][[0]]
    (concern,) = look(model, [*known[4:], replace(once, source="s3")], ["s3"])
    assert concern.said.startswith("s4 and s3 share 1 file. Their scores mix:")


def test_twins_are_told_with_how_well_their_sets_are_named(model, known, rng):
    twin = source(rng, "twin", centre=known[3].values.mean(0))
    (concern,) = audit_gallery(model, [*known, twin]).concerns
    assert (concern.kind, concern.sources) == ("twins", ("s3", "twin"))
    assert "s3 and twin: no test tells them apart (" in concern.said
    assert "of their own sets of" in concern.said
    (cheap,) = look(model, [*known, twin], ["twin"])
    assert cheap.said == "s3 and twin: no test tells them apart. They count as one source: remove one, or join both."


def test_what_few_sources_cost(model, known):
    assert said(look(model, known[:2], ["s0"]))["few sources"] == (
        "2 sources: no threshold and no likelihood ratio, so that nothing is attributed. Enroll three or more."
    )
    twice = [*known[:2], replace(known[0], source="copy")]
    assert said(look(model, twice, ["copy"]))["few sources"].startswith("2 sources:")
    assert look(model, known[:4], ["s0"]) == ()
    assert said(audit_gallery(model, known[:4]).concerns)["few sources"] == (
        "4 sources: the smallest rate of false attributions is 20%. Enroll 19 or more for 5 %."
    )


def test_what_few_images_cost(model, known, rng):
    some = [*known, source(rng, "small", 9)]
    assert said(look(model, some, ["small"])) == {
        "few images": "small: few images (9 at least); all thresholds are set with sets of 4, however large the probe. "
        "Add images, up to 20 of each."
    }
    alone = said(look(model, [*known, source(rng, "one", 1)], ["one"]))["few images"]
    assert "it takes two of each source for likelihood ratios" in alone


def test_sizes_and_formats_that_differ_from_the_rest_are_told(model, known):
    png, jpeg = FileFacts("PNG", "RGB"), FileFacts("JPEG", "RGB", 80, "4:2:0")

    def saved(one, facts, side):
        originals = GivenOriginals(one.digests, one.values, {}, sides=(side,) * len(one))
        return replace(one, facts=(facts,) * len(one), originals=(originals,))

    gallery = [saved(one, png, 32) for one in known]
    assert audit_gallery(model, gallery).concerns == ()
    gallery[2], gallery[5] = saved(known[2], jpeg, 32), saved(known[5], png, 64)
    found = audit_gallery(model, gallery).concerns
    assert {(concern.kind, concern.sources) for concern in found} == {("formats", ("s2",)), ("sizes", ("s5",))}
    remedy = "That alone may tell it: bring files as made."
    assert said(found) == {
        "formats": f"s2: saved as JPEG 80, most sources saved without loss. {remedy}",
        "sizes": "s5: images of 64 px, those of most sources 32 px. Size alone may tell it: bring images of one size.",
    }


def test_several_models_under_one_name_are_told_by_an_audit_alone(model, known, rng):
    both = given(
        np.concatenate([known[0].values, source(rng, "x").values]), "both", drawn_digests(rng, 60)
    )  # whose first half is near s0, but not all of it
    found = said(audit_gallery(model, [*known[1:], both]).concerns)
    assert list(found) == ["two modes"]
    assert "both: its images fall into two groups (30 and 30)" in found["two modes"]
    assert look(model, [*known[1:], both], ["both"]) == ()


def test_names_are_drawn_and_counted():
    concern = gallery_audit.Concern("twins", ("a", "b"), "a and b: ...")
    found = GalleryAudit({"a": 3, "b": 4, "c": 5}, (concern, concern))
    assert found.verdict == "2 things not well with this gallery: twins"
    _, ax = plt.subplots()
    bars = found.plot(ax).patches
    assert [bar.get_width() for bar in bars] == [3, 4, 5]
    assert bars[0].get_facecolor() == bars[1].get_facecolor() != bars[2].get_facecolor()


def test_every_enrollment_is_looked_at(small_model, rng):
    gallery = Gallery(None, small_model)
    images = {name: textured(rng, 12, grain=grain) for name, grain in (("a", 4), ("b", 16), ("c", 60))}
    gallery.enroll(images)
    assert [concern.kind for concern in gallery.concerns] == ["few images"]
    gallery.enroll(images["a"], "copy")
    first = gallery.concerns[0]
    assert (first.kind, first.sources) == ("same files", ("a", "copy"))
    assert [own.kind for own in gallery.audit().concerns] == ["same files", "few sources", "few images"]
    with pytest.raises(NotEnough, match="no source is enrolled"):
        Gallery(None, small_model).audit()
