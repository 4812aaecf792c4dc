"""Fingerprints: what is derived from them, how they add up, and that two extractors' are never compared."""

import numpy as np
import pytest

from genprint.answers.attribution import Identifier
from genprint.answers.families import FamilyTree
from genprint.answers.lineage import lineage
from genprint.answers.mixture import unmix
from genprint.answers.verification import verify
from genprint.fingerprints.fingerprint import (
    ExtractorError,
    Fingerprint,
    OriginalsError,
    check_comparable,
    check_disjoint,
)
from genprint.gallery.store import GalleryStore
from genprint.images.processing import Blur, Grey
from genprint.images.sets import ImageSet, ImageSetError, LeftOut
from genprint.scoring.population import ReferencePopulation
from tests.conftest import given, model_of_sources, textured


def test_moments_are_numpys(rng):
    values = rng.normal(3, 2, (9, 6))
    whole = given(values, parts=2)
    assert (len(whole), whole.count) == (9, 9)
    assert np.allclose(whole.mean, values.mean(0), atol=1e-6)
    assert np.allclose(whole.variance, values.var(0), atol=1e-6)
    assert whole.scatter.shape == (2, 3, 3)
    for part, own in zip(whole.scatter, (values[:, :3], values[:, 3:]), strict=True):
        assert np.allclose(part, 8 * np.cov(own, rowvar=False), atol=1e-5)


def test_moments_alone_say_the_same_of_a_set(rng):
    whole = given(rng.normal(size=(9, 6)), parts=2, names=tuple("abcdefghi"), conditions={Grey(): np.ones((9, 6))})
    pooled = whole.pooled()
    assert pooled.features is None
    assert pooled.originals == ()
    assert (pooled.count, pooled.digests, pooled.names) == (whole.count, whole.digests, whole.names)
    for name in ("mean", "variance", "scatter"):
        assert np.allclose(getattr(pooled, name), getattr(whole, name))
    assert pooled.pooled().moments is pooled.moments
    with pytest.raises(ValueError, match="only moments are kept"):
        pooled.values  # noqa: B018


@pytest.mark.parametrize("sizes", [(5, 7), (1, 11), (1, 1)])
@pytest.mark.parametrize("pooled", [(False, False), (True, False), (False, True), (True, True)])
def test_a_sum_is_the_fingerprint_of_both_sets(rng, sizes, pooled):
    parts = [given(rng.normal(i, 1 + i, (n, 6)), f"s{i}", parts=2) for i, n in enumerate(sizes)]
    whole = given(np.concatenate([part.values for part in parts]), "s0", parts=2)
    left, right = (part.pooled() if moments else part for part, moments in zip(parts, pooled, strict=True))
    total = left + right
    assert (total.source, total.count, total.digests, total.parts) == ("s0", sum(sizes), whole.digests, 2)
    for name in ("mean", "variance", "scatter"):
        assert np.allclose(getattr(total, name), getattr(whole, name), atol=1e-6), name
    assert (total.features is None) == any(pooled)


def test_a_sum_has_a_vector(small_model, rng):
    fingerprinter, images = small_model.fingerprinter, textured(rng, 12)
    one, other, whole = (
        fingerprinter.extract(ImageSet.from_array(own, "s")) for own in (images[:5], images[5:], images)
    )
    expected = fingerprinter.embed(whole)
    assert np.linalg.norm(expected) == pytest.approx(1, abs=1e-5)
    for total in (one + other, one.pooled() + other.pooled(), one + other.pooled(), whole.pooled(), other + one):
        vector = fingerprinter.embed(total)
        assert np.isfinite(vector).all()
        assert np.allclose(vector, expected, atol=1e-5)


def test_a_sum_has_the_originals_of_both(rng):
    values = rng.normal(size=(4, 2, 3))
    one = given(values[0], conditions={Grey(): values[1]}, left_out=(LeftOut("a", "why"),))
    other = given(values[2], conditions={Grey(): values[3]}, left_out=(LeftOut("b", "why"),))
    total = one + other
    grey = total.under(Grey())
    assert np.allclose(grey.values, np.concatenate([values[1], values[3]]))
    assert (grey.source, grey.digests, grey.extractor) == (total.source, total.digests, total.extractor)
    assert (grey.originals, grey.left_out) == ((), ())
    assert np.allclose(total[[3, 0]].under(Grey()).values, [values[3][1], values[1][0]])
    assert [left.name for left in total.left_out] == ["a", "b"]
    assert (one + other.pooled()).originals == ()  # of whose images nobody would know any more which is which


def test_only_the_images_in_question_are_asked_for_and_each_once(rng):
    whole, told = given(rng.normal(size=(5, 3)), conditions={}), []
    (originals,) = whole.originals
    whole[[4, 1]].under(Blur(1), told.append)
    assert [(processing, set(digests)) for processing, digests in originals.asked] == [
        (Blur(1), {whole.digests[1], whole.digests[4]})
    ]
    assert told == [2]
    originals.asked.clear()
    (whole[[0, 1]] + whole[[2]]).under(Blur(1))  # both parts have all the originals
    assert [len(digests) for _, digests in originals.asked] == [3]


def test_what_is_kept_are_the_first_by_digest_of_the_originals(rng):
    at_hand = given(rng.normal(size=(6, 3)), conditions={})
    whole = given(rng.normal(size=(3, 3))) + at_hand
    assert set(whole.kept().digests) == set(at_hand.digests)
    for most in (1, 4, 6, 9):
        assert set(whole.kept(most).digests) == set(sorted(at_hand.digests)[:most])
        assert np.allclose(whole.kept(most).under(Grey()).mean, whole.kept(most).mean)  # the originals come with it
    assert list(whole.kept(4).digests) == [digest for digest in whole.digests if digest in sorted(at_hand.digests)[:4]]
    assert len(given(rng.normal(size=(3, 3))).kept()) == 0
    with pytest.raises(OriginalsError, match="given: cannot be compared after grey, for the originals of 3 images"):
        whole.under(Grey())


def test_some_of_the_images(rng):
    values = rng.normal(size=(5, 3))
    whole = given(values, names=tuple("abcde"), left_out=(LeftOut("x", "why"),))
    some = whole[[3, 1]]
    assert some.names == ("d", "b")
    assert some.digests == (whole.digests[3], whole.digests[1])
    assert np.allclose(some.values, values[[3, 1]])
    assert some.left_out == ()
    ordered = whole.ordered()
    assert list(ordered.digests) == sorted(whole.digests)
    assert ordered.left_out == whole.left_out
    assert np.allclose(ordered.mean, whole.mean)


def test_what_is_enrolled_is_left_out_with_its_owner(rng):
    probe = given(rng.normal(size=(4, 3)), names=tuple("abcd"))
    known = {"x": probe[[1]], "y": probe[[3]]}
    rest = probe.without(known)
    assert rest.names == ("a", "c")
    assert [(left.name, left.reason) for left in rest.left_out] == [
        ("b", "the same file is enrolled, as of x"), ("d", "the same file is enrolled, as of y"),
    ]  # fmt: skip
    assert probe.without({"z": given(rng.normal(size=(2, 3)))}) is probe
    with pytest.raises(ImageSetError, match="all 4 images are enrolled"):
        probe.without({"x": probe})


def test_sets_that_share_an_image_are_refused(rng):
    probe = given(rng.normal(size=(4, 3)), "a")
    with pytest.raises(ImageSetError, match="a and b: 1 image in both"):
        check_disjoint(probe, given(probe.values[:1], "b"))
    check_disjoint(probe, given(rng.normal(size=(4, 3)), "b"))


def by(extractor, rng, source="s", n=12):
    values = rng.normal(size=(n, 4)).astype(np.float32)
    return Fingerprint(source, values, tuple(f"{rng.integers(2**60):x}" for _ in range(n)), extractor)


def compared(what, model, ours, theirs, tmp_path):
    known = {"a": ours[0], "b": ours[1]}
    if what == "sum":
        return ours[0] + theirs
    if what == "identify":
        return Identifier(model, known).identify(theirs)
    if what == "known":
        return Identifier(model, {**known, "c": theirs})
    if what == "verify":
        population = ReferencePopulation.fit(model.plda, known, "both")
        return verify(model, ours[2], theirs, population)
    if what == "population":
        return ReferencePopulation.fit(model.plda, {**known, "c": theirs}, "three")
    if what == "mixture":
        return unmix(model, known, theirs)
    if what == "lineage":
        return lineage(model, theirs, ours[0], [ours[1]])
    if what == "lineage, apart":
        return lineage(model, ours[0], ours[1], [theirs])
    if what == "families":
        return FamilyTree.of(model.scorer, [*ours, theirs])
    return GalleryStore(tmp_path / "g.sqlite", model).add("c", theirs)


@pytest.mark.parametrize(
    "what",
    ["sum", "identify", "known", "verify", "population", "mixture", "lineage", "lineage, apart", "families", "add"],
)
def test_fingerprints_of_two_extractors_are_never_compared(what, tmp_path, rng):
    model = model_of_sources(np.eye(4))
    ours = [by(model.fingerprinter.extractor_id, rng, name) for name in "abc"]
    fine = compared(what, model, ours[:3], by(model.fingerprinter.extractor_id, rng, "d"), tmp_path)
    assert fine is not None
    with pytest.raises(ExtractorError, match=r"(?=.*features=1)(?=.*features=2).*fingerprint both with one model"):
        compared(what, model, ours[:3], by("given features=2", rng, "d"), tmp_path)


def test_extractors_that_are_not_stated_are_not_taken_for_any(rng):
    with pytest.raises(ExtractorError, match="unnamed extractor"):
        check_comparable([by("", rng), by("some", rng)])
    check_comparable([by("", rng), by("", rng)])
