"""Images of a probe that are copies: pixel for pixel, they are left out; those that look alike are named, and stay."""

import json

import numpy as np
import pytest
from PIL import Image

import genprint
from genprint.answers.copies import Copies
from genprint.api import Gallery
from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.images.copies import MOST_APART, alike, look
from genprint.images.sets import ImageSet, ImageSetError
from genprint.model import Model
from genprint.report.page import case
from genprint.report.record import SCHEMA, record
from tests.conftest import textured

GRAINS = {"a": 2.0, "b": 8.0, "c": 20.0, "d": 45.0}
MODEL = Model(NeighbourhoodCovariance())


def save(folder, images, ending="png", **options):
    folder.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{i:02d}.{ending}", **options)
    return folder


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(5)
    return {name: textured(rng, 14, side=48, grain=grain) for name, grain in GRAINS.items()}


@pytest.fixture(scope="module")
def gallery(images, tmp_path_factory):
    root = tmp_path_factory.mktemp("known")
    for name, pixels in images.items():
        save(root / name, pixels[:8])
    made = Gallery(root / "g.sqlite", MODEL)
    made.enroll(root / "a", "a")
    for name in "bcd":
        made.enroll(root / name, name)
    return made


def softened(pixels):
    """As it would be after another saving: a level here and there."""
    return (pixels.astype(int) + np.random.default_rng(0).integers(-1, 2, pixels.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("ending", "options"), [("bmp", {}), ("tiff", {}), ("png", {"compress_level": 1})])
def test_enrolled_images_saved_anew_without_loss_are_left_out_by_name(images, gallery, tmp_path, ending, options):
    probe = save(tmp_path / "probe", [*images["b"][:2], *images["b"][8:]], ending, **options)
    answer = gallery.attribute(probe)
    assert answer.images == 6
    reasons = [(left.name.rpartition("/")[2], left.reason) for left in answer.left_out]
    assert reasons == [
        (f"{name}.{ending}", f"is enrolled under b as {name}.png, pixel for pixel") for name in ("00", "01")
    ]
    assert answer.copies == Copies((), None, MOST_APART, 0, ())


def test_a_probe_of_nothing_but_lossless_copies_is_refused(images, gallery, tmp_path):
    probe = save(tmp_path / "probe", images["b"][:8], "bmp")
    for ask in (gallery.attribute, gallery.mixture):
        with pytest.raises(ImageSetError, match=r"all 8 images are enrolled.*under b as 00.png, pixel for pixel"):
            ask(probe)


def test_the_same_picture_twice_in_a_probe_counts_once(images, gallery, tmp_path):
    save(tmp_path / "probe", images["c"][8:])
    probe = save(tmp_path / "probe", images["c"][8:10], "bmp")
    answer = gallery.attribute(probe)
    assert answer.images == 6
    assert len(answer.left_out) == 2
    assert answer.left_out[0].reason.endswith("00.bmp, pixel for pixel")  # the first in the order of names
    assert answer.copies.alike == ()


def test_verify_refuses_sets_that_share_a_picture_and_lineage_does_not(images, tmp_path):
    one = save(tmp_path / "one", images["a"][:12])
    other = save(tmp_path / "other", images["a"][2:], "bmp")
    with pytest.raises(ImageSetError, match=r"one and other: 10 images in both, pixel for pixel \(02.png is 00.bmp\)"):
        genprint.verify(one, other, model=MODEL)
    answer = genprint.lineage(one, other, [save(tmp_path / "apart", images["b"][:12])], model=MODEL)
    assert answer.images == {"one": 12, "other": 12, "apart": 12}


@pytest.mark.parametrize("paired", [False, True])
def test_lineage_leaves_out_nothing_that_looks_alike(images, tmp_path, paired):
    """Models given the same latents draw the same pictures: that is what a child does, and no copy."""
    twins = save(tmp_path / "child", map(softened, images["a"])), save(tmp_path / "parent", images["a"])
    assert all(one.apart <= MOST_APART for one in _alike_of(*twins))
    answer = genprint.lineage(*twins, [save(tmp_path / "apart", images["b"])], model=MODEL, paired=paired)
    assert answer.images == {"child": 14, "parent": 14, "apart": 14}
    assert (answer.followed is not None) == paired
    assert not paired or (answer.followed.pairs, answer.followed.closely) == (14, True)


def _alike_of(one, other):
    found = alike(*([look(image) for image in ImageSet.read(path)] for path in (one, other)))
    assert {(pair.one, pair.other) for pair in found} >= {(i, i) for i in range(14)}
    return found


def test_images_that_look_like_enrolled_ones_are_named_and_stay(images, gallery, tmp_path):
    probe = save(tmp_path / "probe", [*map(softened, images["d"][:2]), *images["d"][8:]])
    answer = gallery.attribute(probe)
    assert answer.images == 8
    assert answer.left_out == ()
    found = [(one.image, one.other, one.source) for one in answer.copies.alike]
    assert sorted(found) == [("00.png", "00.png", "d"), ("01.png", "01.png", "d")]
    alone = gallery.attribute(save(tmp_path / "alone", images["d"][8:]))
    without = answer.copies.without
    assert (without.images, without.decision, without.source) == (6, alone.decision, alone.source)
    assert without.llr == pytest.approx(alone.llr)
    said = " ".join(answer.said)
    assert "2 of 8 images look like enrolled ones: " in said
    assert "00.png like 00.png of d" in said
    assert "Without them, of 6 images, the answer is" in said


def test_of_images_of_a_probe_that_look_alike_the_first_stays_in_the_second_answer(images, gallery, tmp_path):
    probe = save(tmp_path / "probe", [images["d"][8], softened(images["d"][8]), *images["d"][9:]])
    answer = gallery.attribute(probe)
    (one,) = answer.copies.alike
    assert {one.image, one.other} == {"00.png", "01.png"}
    assert one.source is None
    assert answer.copies.without.images == answer.images - 1 == 6


def test_where_all_images_look_like_enrolled_ones_no_second_answer_is_made(images, gallery, tmp_path):
    answer = gallery.attribute(save(tmp_path / "probe", map(softened, images["d"][:3])))
    assert len(answer.copies.alike) == 3
    assert answer.copies.without is None
    assert "No image is left without them" in " ".join(answer.said)


def test_another_answer_without_copies_is_said_to_be_another(images, gallery, tmp_path):
    # Two of c, beside copies of enrolled images of d: without these, it is c's.
    probe = save(tmp_path / "probe", [*map(softened, images["d"][:8]), *images["c"][8:]])
    answer = gallery.attribute(probe)
    without = answer.copies.without
    assert (without.decision, without.source) != (answer.decision, answer.source)
    assert f"the answer is another: {without.decision}" in " ".join(answer.said)


def test_what_is_not_known_of_enrolled_images_is_said(images, gallery, tmp_path):
    old = Gallery(None, MODEL)
    for name, pixels in images.items():
        old.add(name, MODEL.fingerprint(ImageSet.from_array(pixels[:8], name)))
    answer = old.attribute(save(tmp_path / "probe", images["a"][8:]))
    assert answer.copies.unknown == 32
    assert "Of 32 enrolled images, it is not known what they look like" in " ".join(answer.said)


def test_a_record_holds_what_looks_alike(images, gallery, tmp_path):
    answer = gallery.attribute(save(tmp_path / "probe", [*map(softened, images["d"][:1]), *images["d"][8:]]))
    made = record(answer)
    assert made["schema"] == SCHEMA
    held = made["attribution"]["copies"]
    assert held["alike"][0]["other"] == "00.png"
    assert json.loads(answer.to_json())["copies"] == held


def test_a_page_tells_which_image_looks_like_which(images, gallery, tmp_path):
    probe = [softened(images["d"][0]), images["d"][8], softened(images["d"][8]), *images["d"][9:]]
    page, _ = case(answer := gallery.attribute(save(tmp_path / "probe", probe)), answer.asked)
    assert answer.copies.said[0] in page
    for one in answer.copies.alike:
        owner = "the probe" if one.source is None else one.source
        assert f'<th scope="row">{one.image}</th><td>{one.other}</td><td>{owner}</td>' in page
    plain = gallery.attribute(save(tmp_path / "plain", images["d"][8:]))
    assert "Pictures that look like others" not in case(plain, plain.asked)[0]


def test_an_audit_names_sources_that_have_pictures_of_each_other(images, tmp_path):
    made = Gallery(str(tmp_path / "g.sqlite"), MODEL)
    for name in "ab":
        made.enroll(save(tmp_path / name, images[name][:8]), name)
    assert "near copies" not in [concern.kind for concern in made.audit().concerns]
    made.enroll(save(tmp_path / "c", [*map(softened, images["a"][:3]), *images["c"][:8]]), "c")
    (found,) = [concern for concern in made.audit().concerns if concern.kind == "near copies"]
    assert found.sources == ("a", "c")
    assert found.said.startswith("a and c: 3 pictures of one like pictures of the other.")
