"""Stress: what is asked again, and what that makes of the answer."""

from dataclasses import replace

import numpy as np
import pytest

from genprint.answers.results import ATTRIBUTED, INCONCLUSIVE, UNKNOWN, Attribution
from genprint.answers.stress import Delivery, Draws
from genprint.answers.stressing import HALF, Asking, deliveries, judged, stressed
from genprint.images.processing import Jpeg, Scale
from genprint.images.sets import ImageSet
from tests.conftest import Told, given, textured

AS_IT_IS = Attribution("probe", ATTRIBUTED, "a", 2.0, "a passes", 10)


def delivered(name, decision, source=None):
    return Delivery(name, decision, source, 1.0, "original", 10)


def drawn(**counts):
    unknown, inconclusive = counts.pop("unknown", 0), counts.pop("inconclusive", 0)
    return Draws(7, sum(counts.values()) + unknown + inconclusive, counts, unknown, inconclusive)


def test_an_answer_that_comes_out_the_same_stays():
    found = judged(AS_IT_IS, (delivered("JPEG 90", ATTRIBUTED, "a"), delivered(HALF, ATTRIBUTED, "a")), drawn(a=20))
    assert (found.decision, found.source, found.reason, found.llr) == (ATTRIBUTED, "a", "a passes", 2.0)
    assert not found.stress.turned
    assert found.stress.said == (
        "Asked again, the answer is the same after JPEG 90 and half size.",
        "Of 20 draws of 7 images of the probe: 20 attributed to a.",
    )


def test_another_source_after_a_delivery_makes_it_inconclusive():
    found = judged(AS_IT_IS, (delivered("JPEG 90", ATTRIBUTED, "a"), delivered("JPEG 75", ATTRIBUTED, "b")), None)
    assert (found.decision, found.source) == (INCONCLUSIVE, None)
    assert found.stress.turned
    assert found.reason == "attributed to a as the images are, but to b after JPEG 75"
    assert "After JPEG 75 the answer is attributed to b." in found.stress.said


@pytest.mark.parametrize("decision", [UNKNOWN, INCONCLUSIVE])
def test_that_it_would_not_survive_is_told_and_changes_nothing(decision):
    found = judged(AS_IT_IS, (delivered("JPEG 75", decision),), drawn(a=3, unknown=16, inconclusive=1))
    assert (found.decision, found.source) == (ATTRIBUTED, "a")
    assert not found.stress.turned
    assert found.stress.said == (
        f"It would not survive JPEG 75: the answer is {decision} then.",
        "Of 20 draws of 7 images of the probe: 3 attributed to a, 16 unknown, 1 inconclusive.",
    )


@pytest.mark.parametrize("decision", [UNKNOWN, INCONCLUSIVE])
def test_what_was_not_attributed_stays_so_whatever_comes_out(decision):
    before = replace(AS_IT_IS, decision=decision, source=None)
    found = judged(before, (delivered("JPEG 75", ATTRIBUTED, "b"),), drawn(b=20))
    assert (found.decision, found.source, found.reason) == (decision, None, "a passes")
    assert "After JPEG 75 the answer is attributed to b." in found.stress.said


def test_images_of_few_pixels_are_not_halved_and_that_is_said():
    small, told = deliveries(32)
    assert list(small) == ["JPEG 90", "JPEG 75", "WebP 80", "a crop by 1 px"]
    assert told == ("half size (images of 32 px are too small for it)",)
    large, nothing = deliveries(512)
    assert list(large) == ["JPEG 90", "JPEG 75", "WebP 80", HALF, "a crop by 3 and 5 px"]
    assert (large["JPEG 75"], large[HALF], nothing) == (Jpeg(75), Scale(0.5), ())
    assert list(deliveries(64)[0])[3:] == [HALF, "a crop by 1 px"]
    assert deliveries(None)[1] == ()
    assert judged(AS_IT_IS, (), None, told).stress.said == (f"Not asked: {told[0]}.",)


def test_another_source_counts_only_if_it_is_named_by_nearly_all_parts_of_the_delivered_images_too():
    flip = replace(delivered("JPEG 75", ATTRIBUTED, "b"), draws=drawn(b=20))
    assert judged(AS_IT_IS, (flip,), drawn(a=20)).decision == INCONCLUSIVE
    weak = replace(flip, draws=drawn(b=8, unknown=12))
    found = judged(AS_IT_IS, (weak,), drawn(a=20))
    assert (found.decision, found.source) == (ATTRIBUTED, "a")
    assert "After JPEG 75 the answer is attributed to b (of parts of the images, 8 of 20)." in found.stress.said


@pytest.fixture
def images(rng):
    return ImageSet.from_array(textured(rng, 9), "images")


class Answering:
    """Reads no features; keeps what it was asked about."""

    def __init__(self):
        self.read, self.parts, self.delivered = [], [], set()

    def asking(self):
        return Asking(self._read, self._identify)

    def _read(self, images, progress):
        self.read.append([image.pixels.shape for image in images])
        progress(len(self.read[-1]))
        digests = tuple(image.sha256 for image in images)
        self.delivered.add(digests)
        return given(np.arange(len(digests))[:, None], digests=digests)

    def _identify(self, probe, progress):
        if tuple(probe.digests) not in self.delivered:
            self.parts.append(probe)
        return replace(AS_IT_IS, images=len(probe))


def asked(images, chosen, progress=None):
    digests = tuple(image.sha256 for image in images)
    probe = given(np.arange(len(digests))[:, None], digests=digests)[chosen]
    answering = Answering()
    return stressed(AS_IT_IS, images, replace(probe, originals=()), answering.asking(), progress), answering, probe


def test_only_the_images_of_the_probe_are_delivered(images):
    found, answering, _ = asked(images, [0, 3, 4, 8])
    assert [len(shapes) for shapes in answering.read] == [4] * 5
    assert [one.images for one in found.stress.deliveries] == [4] * 5


def test_draws_are_of_two_thirds_of_the_images_none_of_them_twice(images):
    found, answering, probe = asked(images, list(range(9)))
    assert (found.stress.draws.count, found.stress.draws.images) == (20, 6)
    for part in answering.parts:
        assert len(set(part.digests)) == 6
        assert set(part.digests) <= set(probe.digests)
    assert len({part.digests for part in answering.parts}) > 10
    assert [one.digests for one in asked(images, list(range(9))[::-1])[1].parts] == [
        one.digests for one in answering.parts
    ]


@pytest.mark.parametrize(("images_asked", "draws", "size"), [(2, 2, 1), (3, 3, 2), (4, 4, 3), (5, 10, 3)])
def test_of_few_images_every_part_is_asked_once(images, images_asked, draws, size):
    found, answering, _ = asked(images, list(range(images_asked)))
    assert (found.stress.draws.count, found.stress.draws.images) == (draws, size)
    assert len({part.digests for part in answering.parts}) == draws


def test_a_delivery_that_leaves_nothing_to_look_at_is_not_asked(rng):
    smallest = ImageSet.from_array(textured(rng, 3, side=16), "images")
    answering = Answering()
    digests = tuple(image.sha256 for image in smallest)
    probe = replace(given(np.arange(3)[:, None], digests=digests), originals=())
    asking = replace(answering.asking(), read=lambda images, _: given(np.arange(3)[:, None], digests=tuple(
        image.sha256 for image in images
    )))  # fmt: skip
    found = stressed(AS_IT_IS, smallest, probe, asking)
    assert [one.name for one in found.stress.deliveries] == ["JPEG 90", "JPEG 75", "WebP 80"]
    assert "a crop by 3 and 5 px (it leaves no image that can be used)" in found.stress.not_asked


def test_of_a_single_image_nothing_is_drawn(images):
    found, answering, _ = asked(images, [2])
    assert found.stress.draws is None
    assert answering.parts == []


def test_progress_is_told_of_all_that_is_to_come(images):
    told = Told()
    asked(images, list(range(9)), told)
    assert told.expected[0] == 5 * 9 + 20 * 6
    assert sum(told.done) == told.expected[0]
    assert told.expected[-1] == 6


def test_jpegs_sent_on_are_compared_as_such_and_an_answer_is_the_same_each_time(small_model, golden_images):
    from genprint import api

    names = ("vae-conv-s1", "gan-dcgan-s1", "flow-wavelet-s0", "score-ddim-s0")
    gallery = api.Gallery(None, small_model)
    gallery.enroll({name: golden_images[name][:12] for name in names})
    name = names[1]
    found = gallery.attribute(golden_images[name][20:26], rate=0.3, stress=True)
    conditions = {one.name: one.condition for one in found.stress.deliveries}
    assert (conditions["JPEG 90"], conditions["JPEG 75"]) == ("JPEG 90", "JPEG 75")
    assert conditions["WebP 80"].startswith("WebP")
    assert {one.images for one in found.stress.deliveries} == {6}
    assert gallery.attribute(golden_images[name][20:26], rate=0.3).stress is None
    turned_round = np.concatenate([golden_images[name][25:19:-1], golden_images[name][:2]])  # two are enrolled
    assert gallery.attribute(turned_round, rate=0.3, stress=True).stress == found.stress
