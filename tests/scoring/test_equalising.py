"""Sets that were saved differently, before they are compared with each other: files of shipped generators' images."""

import numpy as np
import pytest
from PIL import Image

from genprint.answers.lineage import lineage
from genprint.answers.verification import verify
from genprint.cli import text
from genprint.images.processing import Jpeg
from genprint.images.sets import ImageSet
from genprint.scoring.equalising import equalised
from genprint.words import in_words


@pytest.fixture(scope="module")
def saved(small_model, golden_images, tmp_path_factory):
    """Fingerprints of a generator's images, some of them, saved in a way."""

    def make(name, rows, ending, **options):
        folder = tmp_path_factory.mktemp(name) / name
        folder.mkdir()
        for i in rows:
            Image.fromarray(golden_images[name][i]).save(folder / f"{i}.{ending}", **options)
        return small_model.fingerprint(ImageSet.read(folder))

    return make


JPEG = {"quality": 80, "subsampling": "4:2:0"}


def test_what_was_saved_without_loss_is_saved_as_the_rest(saved):
    png, jpeg = saved("gan-dcgan-s0", range(6), "png"), saved("gan-dcgan-s1", range(6), "jpg", **JPEG)
    made, said, alike = equalised([png, jpeg])
    assert alike
    assert made[1] is jpeg
    assert np.array_equal(made[0].values, png.under(Jpeg(80)).values)
    assert not np.allclose(made[0].values, png.values)
    assert said == ("gan-dcgan-s0: saved without loss, the rest as JPEG 80; all were compared as JPEG 80.",)


def test_what_is_alike_stays(saved):
    pngs = [saved(name, range(3), "png") for name in ("gan-dcgan-s0", "gan-dcgan-s1")]
    jpegs = [saved(name, range(3), "jpg", **JPEG) for name in ("gan-dcgan-s0", "gan-dcgan-s1")]
    for sets in (pngs, jpegs):
        found, said, _ = equalised(sets)
        assert all(one is other for one, other in zip(found, sets, strict=True))
        assert said == ()


def test_what_cannot_be_equalised_is_told(saved):
    png, jpeg = saved("gan-dcgan-s0", range(3), "png"), saved("gan-dcgan-s1", range(3), "jpg", **JPEG)
    webp = saved("vae-conv-s0", range(3), "webp", quality=60)
    for sets in ([jpeg, webp], [png, jpeg, webp], [png[[0, 1]].pooled(), jpeg]):
        found, (said,), alike = equalised(sets)
        assert not alike
        assert all(one is other for one, other in zip(found, sets, strict=True))
        assert "cannot be equalised" in said
        assert "JPEG 80" in said


def test_answers_say_so(saved, small_model):
    png, jpeg = saved("gan-dcgan-s0", range(20), "png"), saved("gan-dcgan-s0", range(20, 40), "jpg", **JPEG)
    other = saved("gan-dcgan-s1", range(20), "png")
    found = verify(small_model, png, jpeg)
    plain = verify(small_model, png.under(Jpeg(80)), jpeg)
    assert found.evidence == plain.evidence
    assert found.evidence != verify(small_model, other, jpeg).evidence
    assert "compared as JPEG 80" in text.verification(found)
    asked = lineage(small_model, jpeg, png, [other], draws=50)
    assert "gan-dcgan-s0 and gan-dcgan-s1: saved without loss" in text.lineage(asked)
    assert asked.to_dict()["said"] == list(asked.said)


def test_names_in_words():
    assert [in_words("abcde"[:n]) for n in (1, 2, 3, 4, 5)] == [
        "a", "a and b", "a, b and c", "a, b, c and d", "a, b, c and 2 others"
    ]  # fmt: skip
