"""Sections of a page about an attribution: each says what happened, in one story, and none is empty."""

from dataclasses import replace

import numpy as np
import pytest

from genprint import api
from genprint.answers.families import FamilyTree
from genprint.answers.results import ATTRIBUTED, INCONCLUSIVE, UNKNOWN
from genprint.report.blocks import Items, Picture, Table, Terms, Text
from genprint.report.page import explained
from genprint.report.sections import SECTIONS, neighbours
from genprint.report.weaknesses import ANSWERED, IN_PART, OPEN, transcoding
from tests.conftest import textured
from tests.report.conftest import GRAINS


@pytest.fixture(scope="module")
def gallery(world, small_model):
    made = api.Gallery(model=small_model)
    made.enroll(world / "known")
    return made


@pytest.fixture(scope="module")
def answer(gallery, world):
    found = gallery.attribute(world / "probe")
    assert found.decision == ATTRIBUTED
    return found


def shown(result):
    """Sections by title."""
    return {section.title: section.blocks for section in explained(result, result.asked)[2]}


def words(blocks):
    """All texts in some blocks."""
    said = []
    for one in blocks:
        if isinstance(one, Text):
            said.append(one.text)
        elif isinstance(one, Items):
            said += one.items
        elif isinstance(one, Terms):
            said += [text for term in one.terms for text in term]
        elif isinstance(one, Table):
            said += [*one.columns, *(cell for row in one.rows for cell in row)]
    return " ".join(said)


def test_sections_come_in_the_order_of_their_list_and_those_with_nothing_to_say_are_left_out(answer):
    titles = [title for title in SECTIONS if title in shown(answer)]
    assert list(shown(answer)) == titles
    assert "Left out" in titles  # notes.txt
    assert "Left out" not in shown(replace(answer, left_out=()))


def test_one_image_leaves_nothing_empty(gallery, rng):
    sections = shown(gallery.attribute(textured(rng, 1, grain=GRAINS["d"])))
    assert all(blocks for blocks in sections.values())
    assert "Place in the family tree" not in sections
    assert not any(isinstance(one, Picture) for one in sections["How much the images support it"])


def test_p_is_of_a_null_hypothesis_and_said_to_be_no_probability_of_one(answer):
    for p, mark, told in ((0.4, "yes", "not rejected at 0.05"), (0.03, "no", "rejected at 0.05")):
        result = replace(answer, evidence=replace(answer.evidence, p=p))
        said = words(shown(result)["Three tests"])
        assert f"Can the images and those of c have been drawn alike? {mark} Exchangeability test: p = {p:.3f}" in said
        assert told in said
        assert f"about {100 * p:.0f} in 100 tests would come out like this or worse" in said
        assert "not the probability that c made them" in said
    result = replace(answer, evidence=replace(answer.evidence, p_counts=False))
    assert "does not count Exchangeability test" in words(shown(result)["Three tests"])


def test_shares_are_only_shown_beside_an_answer_that_names_sources(answer):
    raw = words(shown(answer)["Raw scores"])
    assert "posterior, were it one of these" in raw
    assert "100.0%" in raw
    raw = words(shown(replace(answer, decision=UNKNOWN, source=None))["Raw scores"])
    assert "%" not in raw
    assert "posterior" not in raw


def test_every_compared_source_is_listed_with_its_digest_and_what_was_not_is_said(answer):
    blocks = shown(answer)["What was compared, and what was not"]
    (table,) = (one for one in blocks if isinstance(one, Table))
    assert [row[:2] for row in table.rows] == [(name, "24") for name in GRAINS]
    assert all(len(row[2]) == 64 for row in table.rows)
    assert "cannot be named, however well they would fit" in words(blocks)
    assert "does not mean real" in words(blocks)


def test_what_became_of_conditions_is_what_happened(answer, small_model, world, gallery, jpeg_case, tmp_path):
    assert transcoding(answer, answer.asked)[0] == IN_PART
    assert "none was found" in transcoding(answer, answer.asked)[1]
    asked = gallery.attribute(world / "probe", conditions=False)
    assert transcoding(asked, asked.asked) == (
        OPEN, "Conditions were not matched, as was asked for: all images were compared as they are."
    )  # fmt: skip
    bare = api.Gallery(tmp_path / "bare.sqlite", small_model)
    bare.enroll(world / "known", originals=False)
    without = bare.attribute(world / "probe")
    status, said = transcoding(without, without.asked)
    assert status == OPEN
    assert "could not be matched: no originals of a, b, c and 2 others are kept" in said
    of_jpeg = api.Gallery(model=small_model)
    of_jpeg.enroll(jpeg_case / "known")
    matched = of_jpeg.attribute(jpeg_case / "probes" / "gan-dcgan-s1")
    status, said = transcoding(matched, matched.asked)
    assert status == ANSWERED
    assert "compared with the enrolled images after JPEG" in said


def tree(sources, linkage):
    return FamilyTree(sources, np.zeros((len(sources),) * 2), np.array(linkage, float), "average")


def test_the_neighbours_of_a_probe_are_what_it_joins_first():
    assert neighbours(tree(("a", "b", "probe"), [[1, 2, 1, 2], [0, 3, 2, 3]])) == ["b"]
    assert sorted(neighbours(tree(("a", "b", "probe"), [[0, 1, 1, 2], [2, 3, 2, 3]]))) == ["a", "b"]


def test_tree_and_answer_tell_one_story_or_say_why_not(answer, monkeypatch):
    assert "beside c, which explains it best" in words(shown(answer)["Place in the family tree"])
    other = tree((*GRAINS, "probe: p"), [[0, 5, 1, 2], [1, 2, 2, 2], [3, 4, 3, 2], [6, 7, 4, 4], [8, 9, 5, 6]])
    monkeypatch.setattr("genprint.report.page.tree_with_probe", lambda asked: other)
    said = words(shown(answer)["Place in the family tree"])
    assert "beside a, though c explains it best. That is no second answer" in said


def test_every_weakness_is_answered_with_a_mark_and_a_reason(answer):
    assert "The list is Genprint's own" in words(shown(answer)["Known weaknesses"])
    (terms,) = (one for one in shown(answer)["Known weaknesses"] if isinstance(one, Terms))
    assert {mark for _, mark, _ in terms.terms} == {ANSWERED, IN_PART, OPEN}
    assert all(len(text) > 20 for *_, text in terms.terms)
    marks = {name.split(":")[0]: mark for name, mark, _ in terms.terms}
    assert (marks["Coverage"], marks["Uncalibrated scores"], marks["Few images"]) == (IN_PART, ANSWERED, IN_PART)
    bare = replace(answer.evidence, ratio=None, threshold=None, score=None, rate=None, p_counts=False)
    (terms,) = (
        one for one in shown(replace(answer, images=2, evidence=bare))["Known weaknesses"] if isinstance(one, Terms)
    )
    marks = {name.split(":")[0]: mark for name, mark, _ in terms.terms}
    assert {marks[name] for name in ("Coverage", "Uncalibrated scores", "Few images", "Relatives")} == {OPEN}


@pytest.mark.parametrize(("posterior", "said"), [(0.9, "explains the images much less well"), (0.5, "about as well")])
def test_rivals_are_near_only_where_they_are(answer, posterior, said):
    first, second, *others = answer.evidence.candidates
    candidates = (replace(first, posterior=posterior), replace(second, posterior=1 - posterior), *others)
    found = replace(answer, decision=INCONCLUSIVE, evidence=replace(answer.evidence, candidates=candidates))
    assert said in words(shown(found)["Three tests"])
