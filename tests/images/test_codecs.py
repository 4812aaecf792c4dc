"""AVIF and HEIC: read where there is a codec, left out with the remedy where there is none."""

import sys

import numpy as np
import pytest
from PIL import Image, features

from genprint.images import decoding
from genprint.images.decoding import Unusable, decode
from genprint.images.sets import ImageSet
from tests.conftest import encoded, textured

# As a camera's file begins: the brands, then nothing.
HEIC = (24).to_bytes(4, "big") + b"ftypheic\0\0\0\0mif1heic" + bytes(40)


@pytest.fixture
def picture(rng):
    return Image.fromarray(textured(rng, 1, side=24, grain=9.0)[0]).resize((96, 64))


@pytest.fixture
def codec():
    """The plug-in, and Pillow as it is before it, at the end too."""
    plugin = pytest.importorskip("pillow_heif")
    _without_codec()
    yield plugin
    _without_codec()


def _without_codec():
    for known in (Image.OPEN, Image.SAVE, Image.SAVE_ALL):
        known.pop("HEIF", None)
    Image.ID[:] = [kind for kind in Image.ID if kind != "HEIF"]
    decoding._heif_opener.cache_clear()


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_avif_is_read_as_pillow_does(tmp_path, picture):
    path = tmp_path / "a.avif"
    path.write_bytes(encoded(picture, "AVIF", quality=90))
    (image,) = ImageSet.read(tmp_path)
    assert np.array_equal(image.pixels, np.asarray(Image.open(path).convert("RGB")))
    facts = image.facts
    assert (facts.format, facts.quality, facts.quantiser, facts.subsampling) == ("AVIF", None, None, None)


def test_avif_without_a_codec_says_what_to_install(picture, monkeypatch):
    monkeypatch.setattr(decoding.features, "check", lambda feature: False)
    with pytest.raises(Unusable, match=r"pillow>=11\.3"):
        decode("a.avif", (24).to_bytes(4, "big") + b"ftypavif\0\0\0\0mif1avif" + bytes(40))
    decode("a.png", encoded(picture))  # which needs none


def test_heic_without_its_codec_is_left_out_and_says_what_to_install(tmp_path, picture, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    decoding._heif_opener.cache_clear()
    (tmp_path / "a.heic").write_bytes(HEIC)
    picture.save(tmp_path / "b.png")
    left, image = ImageSet.read(tmp_path).scan()
    assert "pip install 'genprint[heic]'" in left.reason
    assert image.facts.format == "PNG"
    decoding._heif_opener.cache_clear()


def test_heic_is_read_where_its_codec_is(tmp_path, picture, codec):
    codec.from_pillow(picture).save(tmp_path / "a.HEIC", quality=90)
    expected = np.asarray(codec.open_heif(tmp_path / "a.HEIC").to_pillow().convert("RGB"))
    assert "HEIF" not in Image.OPEN
    (image,) = ImageSet.read(tmp_path)
    assert np.array_equal(image.pixels, expected)
    assert abs(image.pixels.astype(int) - np.asarray(picture)).mean() < 6
    facts = image.facts
    assert (facts.format, facts.mode, facts.quality, facts.metadata) == ("HEIF", "RGB", None, ())
    assert image.conversions == ()


def test_a_damaged_heic_is_left_out(tmp_path, picture, codec):
    codec.from_pillow(picture).save(tmp_path / "a.heic", quality=90)
    whole = (tmp_path / "a.heic").read_bytes()
    for content in (HEIC, whole[: len(whole) // 2]):
        with pytest.raises(Unusable):
            decode("a.heic", content)


def test_a_huge_heic_is_not_decoded(tmp_path, picture, codec, monkeypatch):
    codec.from_pillow(picture).save(tmp_path / "a.heic", quality=90)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 96 * 64 - 1)
    with pytest.raises(Unusable, match="more than"):
        decode("a.heic", (tmp_path / "a.heic").read_bytes())
