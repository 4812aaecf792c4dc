"""Sorting a pile."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import genprint
from genprint.answers.pile import _named as named
from genprint.answers.results import failed
from genprint.images.sets import ImageSetError
from genprint.scoring.grouping import Grouping
from tests.conftest import given, textured

GRAINS = {"fine": 4.0, "coarse": 60.0}


@pytest.fixture(scope="module")
def pile(tmp_path_factory):
    """Fourteen images of each of two sources, in one folder; the names say which."""
    root, rng = tmp_path_factory.mktemp("pile"), np.random.default_rng(7)
    for name, grain in GRAINS.items():
        for i, pixels in enumerate(textured(rng, 14, grain=grain)):
            Image.fromarray(pixels).save(root / f"{name}-{i:02d}.png")
    return root


@pytest.fixture(scope="module")
def found(small_model, pile):
    return genprint.sort(pile, model=small_model)


def test_each_source_is_a_group(found):
    assert [group.name for group in found.groups] == ["group 1", "group 2"]
    for group in found.groups:
        assert len({image.image.split("-")[0] for image in group.images}) == 1
        assert [image.probability for image in group.images] == sorted(
            (image.probability for image in group.images), reverse=True
        )
        assert group.purity == pytest.approx(np.mean([image.probability for image in group.images]))
    assert {group.nearest for group in found.groups} == {"group 1", "group 2"}
    assert len(found.labels()) == 28


def test_it_can_be_written_down_and_drawn(found):
    from matplotlib.figure import Figure

    assert json.loads(found.to_json())["groups"][0]["images"][0]["sha256"]
    assert found.plot(Figure().add_subplot()).collections
    assert "28 images in 2 groups" in found.verdict


def test_known_sources_are_named(small_model, pile, rng):
    known = {name: textured(rng, 24, grain=grain) for name, grain in (("smooth", 4.0), ("other", 16.0), ("third", 1.0))}
    found = genprint.sort(pile, known=known, model=small_model)
    named = {group.source: group for group in found.groups if group.source}
    assert set(named) <= {"smooth"}
    for group in found.groups:
        assert group.answer is not None
        assert group.answer.images == len(group.images)
        assert (group.name == group.source) is (group.answer.decision == "attributed")


def test_a_known_source_may_be_called_as_groups_are(rng):
    one, other = (replace(failed("", ""), decision=what) for what in ("attributed", "unknown"))
    at, sure, images = np.zeros((6, 2)), np.ones(6), given(rng.normal(size=(6, 3)), "pile")
    grouping = Grouping(np.repeat([0, 1], 3), np.repeat([0, 1], 3), sure, np.array([[np.inf, -1], [-1, np.inf]]), at)
    members = [np.arange(3), np.arange(3, 6)]
    found = named(images, grouping, members, [replace(one, source="group 1"), other])
    assert [(group.name, group.source, len(group.images)) for group in found.groups] == [
        ("group 1", "group 1", 3), ("group 2", None, 3)
    ]  # fmt: skip
    assert [group.nearest for group in found.groups] == ["group 2", "group 1"]


def test_enrolled_images_are_left_out(small_model, pile):
    files = sorted(pile.glob("fine-*.png"))
    found = genprint.sort(
        pile, known={"fine": files[:8], "other": sorted(pile.glob("coarse-*.png"))[:8]}, model=small_model
    )
    assert len(found.labels()) == 12
    assert {"the same file is enrolled, as of fine", "the same file is enrolled, as of other"} == {
        one.reason for one in found.left_out
    }
    with pytest.raises(ImageSetError, match="enrolled themselves"):
        genprint.sort(files[:8], known={"fine": files, "other": sorted(pile.glob("coarse-*.png"))}, model=small_model)


def test_images_that_were_saved_differently_are_told(small_model, tmp_path, rng):
    for i, pixels in enumerate(textured(rng, 6, grain=16.0)):
        image = Image.fromarray(pixels)
        image.save(tmp_path / f"{i}.png") if i % 2 else image.save(tmp_path / f"{i}.jpg", quality=80)
    (said, *_) = genprint.sort(tmp_path, model=small_model).said
    assert said.startswith("The images were saved differently (3 images")


def test_two_images_are_strays(small_model, rng):
    found = genprint.sort(textured(rng, 2), model=small_model)
    assert (found.groups, len(found.strays), found.said) == ((), 2, ("2 images: a group has 3 or more.",))


def test_images_of_one_generator_are_one_group(golden_images, shipped):
    for name in list(golden_images)[:4]:
        found = genprint.sort(golden_images[name][:30], model=shipped)
        assert [len(group.images) for group in found.groups] == [30]
    both = np.concatenate([golden_images[name][:20] for name in ("gan-dcgan-s0", list(golden_images)[-1])])
    assert len(genprint.sort(both, model=shipped).groups) > 1
