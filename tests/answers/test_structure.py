"""Structure: what is read of known generators, what is not, and what branches of a tree share."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

import genprint
from genprint.answers.families import FamilyTree
from genprint.answers.structure import Structure, Trait, read_structure, shared_structure
from genprint.images.processing import Jpeg
from genprint.images.sets import ImageSet
from genprint.scoring.structure import ANSWERS, DOUBLING, JPEG, STATED, StructureError, shipped_reader

OWN, SHARED = ANSWERS[DOUBLING]
SAVED = STATED[JPEG]


def answers(structure: Structure) -> dict[str, str]:
    return {trait.question: trait.answer for trait in structure.traits}


def known(doubling: str, jpeg: str) -> Structure:
    return Structure("any", 3, (Trait(DOUBLING, doubling, {}), Trait(JPEG, jpeg, {})))


@pytest.fixture(scope="module")
def transposed(shipped, golden_images):
    return shipped.fingerprint(ImageSet.from_array(golden_images["gan-dcgan-s0"][:24], "gan-dcgan-s0"))


def test_the_structure_of_a_known_generator_is_read(transposed):
    found = read_structure(transposed)
    assert answers(found) == {DOUBLING: OWN, JPEG: "unknown"}
    assert found.verdict.startswith("gan-dcgan-s0 (24 images): the last doubling looks like a transposed")
    for trait in found.traits:
        assert sum(trait.probabilities.values()) == pytest.approx(1)
        shipped_ones, *third_party = trait.known
        assert shipped_ones.right > 9 * shipped_ones.wrong
        assert len(third_party) == 1


def test_after_jpeg_that_is_said_and_nothing_else(shipped, golden_images):
    images = Jpeg(75)(golden_images["gan-dcgan-s0"][:24])
    found = read_structure(shipped.fingerprint(ImageSet.from_array(images, "saved")))
    assert answers(found) == {DOUBLING: "unknown", JPEG: "yes"}


def test_that_no_trace_is_seen_is_never_stated(shipped, golden_images):
    for name, images in golden_images.items():
        for trait in read_structure(shipped.fingerprint(ImageSet.from_array(images, name))).traits:
            assert trait.answer in (STATED[trait.question], "unknown")
            assert trait.answer == "unknown" or trait.question == DOUBLING


def test_order_changes_nothing(transposed):
    backwards = transposed[np.arange(len(transposed))[::-1]]
    for one, other in zip(read_structure(transposed).traits, read_structure(backwards).traits, strict=True):
        assert one.answer == other.answer
        assert one.probabilities == pytest.approx(other.probabilities)


def test_what_is_unlike_all_simulated_sets_is_unknown(transposed):
    strange = replace(transposed, features=transposed.values + 1000)
    assert set(answers(read_structure(strange)).values()) == {"unknown"}


def test_it_is_asked_of_images_and_of_one_model_only(golden_images, small_model, shipped):
    images = golden_images["gan-dcgan-s0"][:12]
    assert genprint.structure(images, model=shipped).images == 12
    with pytest.raises(StructureError, match="thumbnails only"):
        genprint.structure(images, model=small_model)


def test_it_is_drawn_and_written(transposed):
    found = read_structure(transposed, shipped_reader())
    assert [trait["question"] for trait in found.to_dict()["traits"]] == [DOUBLING, JPEG]
    figure, ax = plt.subplots()
    assert len(found.plot(ax).patches) == 4
    plt.close(figure)


def test_branches_share_what_all_their_leaves_have():
    apart = np.array([[0, 1, 8, 9], [1, 0, 8, 9], [8, 8, 0, 2], [9, 9, 2, 0.0]])
    tree = FamilyTree.build(["a", "b", "c", "d"], apart)
    found = {"a": known(OWN, SAVED), "b": known(OWN, SAVED), "c": known("unknown", SAVED), "d": known(OWN, SAVED)}
    notes = shared_structure(tree, found)
    assert notes == {0: "last doubling transposed or sub-pixel", 2: "JPEG before"}
    assert shared_structure(tree, {"a": found["a"], "c": found["c"]}) == {}
    figure, ax = plt.subplots()
    texts = [text.get_text() for text in replace(tree, notes=notes).plot(ax).texts]
    assert sorted(texts) == sorted(notes.values())
    plt.close(figure)


def test_trees_ask_for_it(golden_images, shipped):
    known = {name: golden_images[name][:12] for name in list(golden_images)[:3]}
    tree = genprint.families(known, model=shipped, structure=True)
    assert set(tree.notes.values()) <= {"last doubling transposed or sub-pixel", "JPEG before"}
    assert tree.to_dict()["notes"] == tree.notes
    assert genprint.families(known, model=shipped).notes == {}
