"""Savings: how files were saved, by their headers, and whether a set's were saved alike."""

import io

import pytest
from PIL import Image, features

from genprint.images.decoding import decode
from genprint.images.processing import Jpeg, WebP
from genprint.images.saving import Savings, alike, is_lossless, saving
from tests.conftest import encoded, textured


def facts_of(pixels, kind, **options):
    return decode("x", encoded(Image.fromarray(pixels), kind, **options)).facts


def test_files_are_counted_by_how_they_were_saved(rng):
    images = textured(rng, 10, side=48)
    saved = [facts_of(one, "JPEG", quality=80) for one in images[:6]]
    saved += [facts_of(one, "JPEG", quality=75, subsampling="4:4:4") for one in images[6:9]]
    saved += [facts_of(images[9], "PNG")]
    found = Savings.of(saved)
    assert found.words == {"JPEG 80": 6, "JPEG 75 4:4:4": 3, "lossless": 1}
    assert found.shared(0.5) == Jpeg(80)
    assert found.shared(0.6) is None  # it has to be more
    assert not found.lossless(0.5)
    assert Savings.of(saved[9:]).lossless(0.9)
    assert Savings.of([None, None]).words == {"lossless": 2}  # never files
    assert (Savings.of([]).shared(0.5), Savings.of([]).files) == (None, 0)


def test_webps_of_about_one_quality_are_one_way_of_saving(rng):
    """At one quality, pictures differ in the quantiser: by up to 3 in photographs."""
    (busy,) = textured(rng, 1, side=64)
    saved = [facts_of(busy, "WEBP", quality=quality) for quality in (79, 80, 81, 80, 79)]
    quantisers = [saving(one).quantiser for one in saved]
    assert len(set(quantisers)) > 1
    together = Savings.of(saved).shared(0.9)
    assert together.quantiser == sorted(quantisers)[2]
    assert Savings.of(saved, together=False).shared(0.9) is None
    assert alike(WebP(20), WebP(24))
    assert not alike(WebP(20), WebP(25))
    assert not alike(Jpeg(80), Jpeg(81))
    other = facts_of(busy, "WEBP", quality=30)
    assert Savings.of([*saved, other]).words.keys() == {together.name, saving(other).name}
    assert is_lossless(facts_of(busy, "WEBP", lossless=True))


def test_a_loss_of_which_headers_tell_nothing_is_not_none(rng):
    grey = io.BytesIO()
    Image.fromarray(textured(rng, 1)[0]).convert("L").save(grey, "JPEG", quality=60)
    untold = [decode("x", grey.getvalue()).facts]
    if features.check("avif"):
        untold.append(facts_of(textured(rng, 1)[0], "AVIF"))
    for facts in untold:
        assert saving(facts) is None
        assert not is_lossless(facts)
    found = Savings.of(untold)
    assert found.words == {"saved with a loss that headers do not tell": len(untold)}
    assert not found.lossless(0.5)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_files_are_lossless(rng, kind):
    assert is_lossless(facts_of(textured(rng, 1)[0], kind))
