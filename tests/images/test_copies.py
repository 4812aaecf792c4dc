"""What images look like, whichever file they are in, and which look alike."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from genprint.images.copies import HASHES, MOST_APART, Look, alike, alike_within, identical_within, look, most_apart
from genprint.images.decoding import Image, decode
from tests.conftest import encoded, pictures


def as_jpeg(quality):
    return lambda one: Pillow.open(io.BytesIO(encoded(one, "JPEG", quality=quality)))


def cropped(one):
    width, height = one.size
    return one.crop((round(0.02 * width), round(0.03 * height), round(0.97 * width), round(0.98 * height)))


SAVED_ANEW = {
    "JPEG 90": as_jpeg(90),
    "JPEG 60": as_jpeg(60),
    "half its size": lambda one: one.resize((one.width // 2, one.height // 2)),
    "cut by 5 % of its sides": cropped,
    "mirrored": ImageOps.mirror,
    "mirrored and JPEG 75": lambda one: as_jpeg(75)(ImageOps.mirror(one)),
    "grey": lambda one: one.convert("L"),
}


def seen(picture, name="a.png"):
    return look(decode(name, picture))


@pytest.fixture(scope="module")
def photographs():
    """Pictures that differ from one another at all scales."""
    rng = np.random.default_rng(3)
    made = []
    for _ in range(20):
        layers = [Pillow.fromarray(rng.integers(0, 256, (n, n, 3), np.uint8)).resize((256, 240)) for n in (4, 9, 24)]
        weights = (0.6, 0.3, 0.1)
        mixed = sum(weight * np.asarray(one, float) for weight, one in zip(weights, layers, strict=True))
        made.append(Pillow.fromarray(np.asarray(mixed).astype(np.uint8)))
    return made


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_a_picture_saved_without_loss_is_the_same_pixel_for_pixel(photographs, kind):
    file = encoded(photographs[0], kind)
    saved, original = look(decode(f"x.{kind}", file)), seen(photographs[0])
    assert (saved.pixels, saved.hashes) == (original.pixels, original.hashes)
    (pair,) = alike([original], [saved])
    assert pair.identical


def test_pixels_in_another_shape_are_another_picture():
    flat = np.arange(32 * 64 * 3, dtype=np.uint8)
    one, other = (look(Image("a", "", flat.reshape(shape))) for shape in ((32, 64, 3), (64, 32, 3)))
    assert one.pixels != other.pixels


@pytest.mark.parametrize("way", SAVED_ANEW)
def test_pictures_saved_anew_look_like_their_originals_and_like_no_other(photographs, way):
    originals = [seen(one) for one in photographs]
    anew = [seen(SAVED_ANEW[way](one), "b.png") for one in photographs]
    found = alike(originals, anew)
    assert sorted((pair.one, pair.other) for pair in found) == [(i, i) for i in range(len(photographs))]
    assert not any(pair.identical for pair in found)
    assert max(pair.apart for pair in found) <= MOST_APART
    back = alike(anew, originals)  # whichever of the two was changed
    assert sorted((pair.other, pair.one, pair.apart) for pair in back) == sorted(pair[:3] for pair in found)


def test_images_of_one_source_do_not_look_alike(rng):
    assert alike_within([seen(one) for one in pictures(rng, 12)]) == []


def test_within_a_set_each_pair_is_told_once_and_none_with_itself(photographs):
    looks = [seen(photographs[i]) for i in (0, 1, 0, 2)] + [seen(as_jpeg(60)(photographs[1]))]
    pairs = alike_within(looks)
    assert [(pair.one, pair.other, pair.identical) for pair in pairs] == [(0, 2, True), (1, 4, False)]
    assert identical_within(looks) == {2: 0}


def test_a_picture_of_one_level_looks_like_none_but_itself():
    black, grey = (look(Image("a", "", np.full((64, 64, 3), level, np.uint8))) for level in (0, 90))
    assert black.hashes == grey.hashes == b""
    assert alike([black], [grey]) == []
    assert alike([black], [black])[0].identical


def test_of_what_nothing_is_known_nothing_is_found(photographs):
    known = seen(photographs[0])
    assert alike([None, known], [known, None]) == [(1, 0, 0, True)]
    assert alike([], [known]) == alike([None], [known]) == []


def test_many_images_are_compared_in_blocks(monkeypatch, photographs):
    looks = [seen(one) for one in photographs]
    whole = alike(looks, looks[::-1])
    monkeypatch.setattr("genprint.images.copies._BLOCK", 3)
    assert alike(looks, looks[::-1]) == whole
    assert len(whole) == len(looks)


@pytest.mark.parametrize("name", ["photos/a.png", "photos\\a.png", "a.png"])
def test_a_look_names_the_file_and_not_its_folder(photographs, name):
    assert seen(photographs[0], name).name == "a.png"


def test_hashes_have_their_size(photographs):
    assert isinstance(seen(photographs[0]), Look)
    assert len(seen(photographs[0]).hashes) == HASHES


def test_among_pictures_that_are_alike_themselves_fewer_bits_apart_are_asked_for(photographs):
    assert most_apart([seen(one) for one in photographs]) == MOST_APART
    assert most_apart([]) == most_apart([None]) == MOST_APART
    rng = np.random.default_rng(0)
    face = np.asarray(photographs[0], float)
    noisy = (face + rng.normal(0, 40, (9, *face.shape))).clip(0, 255).astype(np.uint8)
    faces = [seen(Pillow.fromarray(one)) for one in noisy]
    nearest = min(pair.apart for pair in alike_within(faces))
    assert most_apart(faces) == max(20, nearest - 1) < MOST_APART


def test_sources_that_are_copies_of_each_other_do_not_hide_all_copies(photographs):
    originals = [seen(one) for one in photographs]
    anew = [seen(as_jpeg(90)(one)) for one in photographs]
    limit = most_apart([*originals, *anew])
    assert limit == 20
    assert sum(pair.apart <= limit for pair in alike(originals, anew)) == len(originals)
