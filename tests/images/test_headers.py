"""Headers of lossy files: what they say is how the files were saved."""

import numpy as np
import pytest
from PIL import Image

from genprint.images.decoding import decode
from genprint.images.headers import isobmff_kind, usual_webp_quality, webp_quantiser
from genprint.images.processing import Jpeg, Scale, WebP
from tests.conftest import encoded, textured


@pytest.fixture(scope="module")
def picture():
    fields = textured(np.random.default_rng(5), 1, side=96, grain=9.0)[0]
    return Image.fromarray(fields).resize((192, 144), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("quality", [20, 50, 75, 80, 90, 99])
def test_an_image_is_saved_with_the_quantiser_that_a_webp_says(picture, quality):
    saved = encoded(picture, "WEBP", quality=quality)
    image = decode("x", saved)
    assert (image.facts.format, image.facts.subsampling, image.facts.tables) == ("WEBP", None, ())
    again = WebP(image.facts.quantiser)
    assert again.name.startswith("WebP ")
    difference = again(np.asarray(picture)[None])[0].astype(int) - image.pixels
    assert abs(difference).mean() < (0.3 if quality != 75 else 1.5)  # 74 has the same quantiser
    other = WebP(image.facts.quantiser + (20 if quality > 50 else -20))(np.asarray(picture)[None])[0]
    assert abs(other.astype(int) - image.pixels).mean() > 1.5 * abs(difference).mean() + 0.2


def test_quantisers_fall_with_quality(picture):
    found = [webp_quantiser(encoded(picture, "WEBP", quality=quality)) for quality in range(0, 101, 10)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) > 8
    usual = [usual_webp_quality(quantiser) for quantiser in (45, 36, 27, 20, 12, 6)]
    assert usual == pytest.approx([60, 75, 80, 85, 90, 95], abs=1)  # as libwebp saves photographs


@pytest.mark.parametrize("options", [{"method": 0}, {"method": 6}, {"exif": b"Exif\0\0x"}, {"alpha_quality": 50}])
def test_it_is_read_whatever_else_is_in_the_file(picture, options):
    image = picture.convert("RGBA") if "alpha_quality" in options else picture
    if image.mode == "RGBA":
        image.putalpha(120)
    expected = webp_quantiser(encoded(picture, "WEBP", quality=85))
    assert abs(webp_quantiser(encoded(image, "WEBP", quality=85, **options)) - expected) <= 1


def test_what_has_no_quantiser_has_none(picture):
    for content in (encoded(picture, "WEBP", lossless=True), encoded(picture), b"RIFF0000WEBPVP8 ", b"", b"RIFF"):
        assert webp_quantiser(content) is None
    lossy = encoded(picture, "WEBP", quality=85)
    for end in range(0, len(lossy), 7):  # cut off anywhere: an answer or none, no crash
        webp_quantiser(lossy[:end])


def test_tables_of_another_program_are_kept_and_used(picture):
    tables = [[17 + i // 3 for i in range(64)], [20 + i // 2 for i in range(64)]]
    saved = encoded(picture, "JPEG", qtables=tables, subsampling="4:2:2")
    image = decode("x", saved)
    assert image.facts.tables == tuple(map(tuple, tables))
    again = Jpeg(image.facts.quality, image.facts.subsampling, image.facts.tables)
    assert np.array_equal(again(np.asarray(picture)[None])[0], image.pixels)
    assert "other tables" in again.name
    assert not np.array_equal(Jpeg(image.facts.quality, "4:2:2")(np.asarray(picture)[None])[0], image.pixels)


@pytest.mark.parametrize("quality", [5, 50, 75, 85, 92, 100])
def test_the_usual_tables_are_named_by_their_quality(picture, quality):
    facts = decode("x", encoded(picture, "JPEG", quality=quality)).facts
    assert (facts.quality, facts.tables) == (quality, ())
    grey = decode("x", encoded(picture.convert("L"), "JPEG", quality=quality)).facts
    assert (grey.quality, grey.tables) == (quality, ())


def test_a_scaled_image_is_smaller(picture):
    pixels = np.asarray(picture)[None]
    assert Scale(0.75)(pixels).shape == (1, 108, 144, 3)
    assert Scale(0.75).name == "scale 75 %"


def test_avif_and_heic_are_told_by_their_brands(picture):
    def box(*brands):
        return (8 + 4 * len(brands)).to_bytes(4, "big") + b"ftyp" + b"".join(brands) + b"mdat"

    assert isobmff_kind(box(b"heic", bytes(4), b"mif1")) == "HEIF"
    assert isobmff_kind(box(b"mif1", bytes(4), b"heic")) == "HEIF"
    assert isobmff_kind(box(b"mif1", bytes(4), b"miaf", b"avif")) == "AVIF"
    assert isobmff_kind(box(b"isom", bytes(4), b"mp42")) is None  # a film
    assert isobmff_kind(box(b"isom", b"heic", b"mp42")) is None  # a version that looks like a brand
    for content in (encoded(picture), b"", b"\0\0\0\x18ftyp", b"ftyp"):
        assert isobmff_kind(content) is None
