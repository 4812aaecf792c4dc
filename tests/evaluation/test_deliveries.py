"""Images as they may be sent: files of their own, which say how they were saved."""

import io

import numpy as np
import pytest
from PIL import Image

from genprint.evaluation.deliveries import delivered, saved, whole
from genprint.fingerprints.conditions import named
from genprint.gallery.originals import KEPT_BYTES
from genprint.images.saving import saving
from genprint.images.sets import ImageSet
from genprint.model import Model
from tests.conftest import textured


@pytest.mark.parametrize(
    ("name", "kind", "size"),
    [("JPEG 75", "JPEG", (32, 24)), ("WebP 80", "WEBP", (32, 24)), ("scale 50 %", "PNG", (16, 12)),
     ("scale 50 %, JPEG 90", "JPEG", (16, 12))],
)  # fmt: skip
def test_the_last_step_says_the_format(rng, name, kind, size):
    file = Image.open(io.BytesIO(saved(textured(rng, 1)[0, :24], named(name))))
    assert (file.format, file.size) == (kind, size)


def test_a_delivery_is_read_as_what_was_done_to_it(rng, small_model: Model):
    source = small_model.fingerprint(ImageSet.from_array(textured(rng, 6), "a"))
    made = small_model.fingerprint(delivered(source[[1, 3]], named("JPEG 60")))
    assert made.source == "a"
    assert [saving(facts).name for facts in made.facts] == ["JPEG 60", "JPEG 60"]
    again = source[[1, 3]].under(named("JPEG 60"))
    assert np.allclose(np.sort(made.values, axis=0), np.sort(again.values, axis=0), atol=1e-4)


def test_a_part_of_a_larger_image_is_not_delivered(rng, tmp_path, both_shipped):
    from genprint.api import Gallery

    side = int(np.sqrt(KEPT_BYTES / 32 / 3)) + 64  # noise does not compress: its file is larger than its share
    for i in range(2):
        pixels = rng.integers(0, 256, (side, side, 3), np.uint8) if i else textured(rng, 1, side=80)[0]
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "a" / f"{i}.png")
    gallery = Gallery(tmp_path / "g.sqlite", Model.load("pictures"))
    gallery.enroll(tmp_path)
    (source,) = gallery.fingerprints().values()
    assert len(source.kept()) == 2
    assert [pixels.shape for _, pixels in whole(source)] == [(80, 80, 3)]
    assert len(list(delivered(source, named("JPEG 75")))) == 1
