"""Images of the same prompts or latents, one by one."""

import re

import numpy as np
import pytest

from genprint.answers.lineage import lineage
from genprint.answers.pairs import Followed, matched, noise_of_pairs
from genprint.images.sets import ImageSetError
from tests.conftest import drawn_digests, given, model_of_sources

SIZE, PAIRS = 16, 40


@pytest.fixture
def model():
    return model_of_sources(np.eye(SIZE))


def named(rng, source, values, names=None):
    names = names or tuple(f"{source}/{i:04}.png" for i in range(len(values)))
    return given(values, source, drawn_digests(rng, len(values)), names=names)


def pictures(rng, pairs=PAIRS):
    return rng.normal(size=(pairs, SIZE))


def test_names_without_folder_and_ending_match_whatever_their_order(rng):
    values = pictures(rng, 3)
    one = named(rng, "one", values, ("a/x.png", "a/y.png", "a/z.png"))
    other = named(rng, "other", values[[2, 0, 1]], ("b/c/z.jpg", "b/c/x.jpg", "b/c/y.jpg"))
    first, second = matched([one, other])
    assert np.array_equal(first.values, second.values)
    assert second.names == ("b/c/x.jpg", "b/c/y.jpg", "b/c/z.jpg")


@pytest.mark.parametrize("names", [("child[0]", "child[1]", "child[2]"), ("s2-000.png", "s2-001.png", "s2-002.png")])
def test_else_numbers_match(rng, names):
    values = pictures(rng, 3)
    one = named(rng, "one", values, names)
    other = named(rng, "other", values[::-1], ("img 2.webp", "img 1.webp", "img 00.webp"))
    first, second = matched([one, other])
    assert np.array_equal(first.values, second.values)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("x.png", "y.png", "w.png"), "one and other: 2 images without a partner (w, z)"),
        (("x.png", "y.png"), "one and other: 1 image without a partner (z)"),
        (("a/x.png", "b/x.png", "z.png"), "other: 1 name there twice (x)"),
        ((), "images have no names"),
    ],
)
def test_what_has_no_partner_is_refused(model, rng, names, message):
    one = named(rng, "one", pictures(rng, 3), ("x.png", "y.png", "z.png"))
    other = given(pictures(rng, len(names) or 3), "other", names=names)
    with pytest.raises(ImageSetError, match=re.escape(message)):
        matched([one, other])


def test_refused_pairs_say_what_pairs_are(model, rng):
    child, parent = named(rng, "c", pictures(rng)), named(rng, "p", pictures(rng))
    apart = named(rng, "a", pictures(rng, PAIRS + 1))
    with pytest.raises(ImageSetError, match=r"c and a: 1 image without a partner \(0040\); paired sets hold images of"):
        lineage(model, child, parent, [apart], paired=True)
    assert lineage(model, child, parent, [apart]).followed is None


def test_correlations_are_those_of_the_images(rng):
    content = pictures(rng, 4000)
    child, parent, other = (content * share + rng.normal(size=content.shape) for share in (1, 1, 0))
    counts = rng.multinomial(4000, np.full(4000, 1 / 4000), 200)
    found = Followed.of(["other"], [child, parent + 5, other], counts)
    assert found.parent == pytest.approx(0.5, abs=0.02)
    assert found.others["other"] == pytest.approx(0, abs=0.02)
    assert found.margin[1] < found.margin[0] < found.margin[2]
    assert found.closely
    assert not Followed.of(["parent"], [child, other, parent], counts).closely


def test_what_pairs_have_in_common_is_no_noise(rng):
    content = 3 * pictures(rng, 400)
    child, parent = content + 0.1 * pictures(rng, 400), content + 0.1 * pictures(rng, 400)
    (paired,) = noise_of_pairs([child, parent])
    assert paired == pytest.approx(SIZE * 2 * 0.01 / 400, rel=0.1)


def sets_of(rng, contents, traces, pairs=PAIRS):
    """Sets of the same latents: of each, how far its pictures follow the first's, and its trace."""
    own = pictures(rng, pairs)
    return [
        named(rng, f"s{i}", share * own + (1 - share**2) ** 0.5 * pictures(rng, pairs) + trace)
        for i, (share, trace) in enumerate(zip(contents, traces, strict=True))
    ]


def test_a_child_is_near_and_follows(model, rng):
    child, parent, apart = sets_of(rng, (1, 0.8, 0.2), (np.zeros(SIZE), np.zeros(SIZE), np.ones(SIZE)))
    found = lineage(model, child, parent, [apart], paired=True)
    assert (found.decision, found.said) == ("derived", ())
    assert found.followed.pairs == PAIRS
    assert found.followed.parent == pytest.approx(0.8, abs=0.15)
    assert list(found.followed.others) == ["s2"]
    assert lineage(model, child, apart, [parent], paired=True).decision == "apart"
    assert found.to_dict()["followed"]["p"] == found.followed.p


def test_alike_pictures_do_not_make_a_child(model, rng):
    """Models trained apart that draw much the same of one latent, and a parent that is no nearer than another."""
    derived = 0
    for _ in range(40):
        traces = rng.normal(0, 1, (3, SIZE))
        sets = sets_of(rng, (1, 0.9, 0.9), traces)
        derived += lineage(model, sets[0], sets[1], sets[2:], draws=200, paired=True).decision == "derived"
    assert derived <= 2


def test_near_without_following_is_inconclusive_and_said(model, rng):
    child, sibling, apart = sets_of(rng, (1, 0, 0), (np.zeros(SIZE), np.full(SIZE, 0.3), np.ones(SIZE)))
    found = lineage(model, child, sibling, [apart], paired=True)
    assert found.p <= 0.05
    assert found.decision == "inconclusive"
    assert "s0 is near s1 in what all its images share, but does not follow it image by image" in found.said[0]
    assert lineage(model, child, sibling, [apart]).decision == "derived"


def test_following_without_being_near_is_inconclusive_and_said(model, rng):
    child, parent, apart = sets_of(rng, (1, 0.9, 0), (np.zeros(SIZE), np.ones(SIZE), np.full(SIZE, 0.3)))
    found = lineage(model, child, parent, [apart], paired=True)
    assert found.decision == "inconclusive"
    assert found.said[0].startswith("s0 follows s1 image by image, as a child does, but is not surely nearer to it")
    assert lineage(model, child, parent, [apart]).decision == "apart"


def test_few_pairs_tell_what_as_many_images_of_other_latents_do_not(model, rng):
    told = {True: 0, False: 0}
    for _ in range(20):
        traces = (np.zeros(SIZE), np.zeros(SIZE), np.full(SIZE, 0.25))
        pairs, others = (sets_of(rng, (1, 0.99, 0.99), traces, 12) for _ in range(2))
        told[True] += lineage(model, *pairs[:2], pairs[2:], draws=200, paired=True).p <= 0.05
        told[False] += lineage(model, pairs[0], others[1], others[2:], draws=200).p <= 0.05
    assert told[True] == 20
    assert told[False] <= 8
