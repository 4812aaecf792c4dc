"""Stress: an answer is asked for again after plausible deliveries of its images, and of parts of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np

from genprint.answers.results import ATTRIBUTED, INCONCLUSIVE, UNKNOWN, Attribution
from genprint.answers.stress import Delivery, Draws, Stress
from genprint.fingerprints.conditions import named
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Progress, expect
from genprint.images.decoding import THUMBNAIL_SIDE
from genprint.images.delivered import Delivered
from genprint.images.processing import Processing, Scale, Shift
from genprint.images.sets import ImageSet, NothingUsable
from genprint.words import counted, in_words

HALF = "half size"
# By an odd number of rows and columns, so that no grid stays in place: neither that of JPEG nor those of generators.
_CROP, _CROP_OF_THUMBNAILS = Shift(3, 5), Shift(1, 1)
_LEAST = 32  # px of the longer side of a delivered image: nobody halves thumbnails
_DRAWS, _SHARE = 20, 2 / 3
#: Share of parts of the delivered images that have to be attributed to another source, too, before that counts.
CONFIRMED = 0.9

_CHANGES = "The images as they were made, or more of them."
_ATTRIBUTED = "Look for evidence of another kind: of where the images come from, and of what their files say."
_NEXT = "Name none of these sources. Find out how the images were delivered, and ask for the files as they were made."


@dataclass(frozen=True)
class Asking:
    """How to ask again.

    Attributes:
        read: the fingerprint of an image set.
        identify: the answer to a fingerprint.
    """

    read: Callable[[ImageSet, Progress | None], Fingerprint]
    identify: Callable[[Fingerprint, Progress | None], Attribution]


def stressed(
    answer: Attribution, images: ImageSet, probe: Fingerprint, asking: Asking, progress: Progress | None = None
) -> Attribution:
    """The answer with what became of it under stress; 'inconclusive' if it would be attributed to another source.

    Args:
        answer: to the probe.
        images: of the probe.
        probe: its fingerprint, without images that are enrolled.
        asking: how to ask again.
        progress: called with the number of images done since its last call; told how many are to come.
    """
    processings, not_asked = deliveries(probe.side)
    steps = _Steps(progress, len(processings) * len(probe) + sum(map(len, _drawn(len(probe)))))
    probe = probe.ordered()
    delivered = []
    for name, processing in processings.items():
        steps.begin(len(probe))
        members = Delivered(images, frozenset(probe.digests), processing)
        try:
            read = asking.read(ImageSet(probe.source, members, images.origin), steps)
        except NothingUsable:
            not_asked = (*not_asked, f"{name} (it leaves no image that can be used)")
            continue
        found = asking.identify(read, steps)
        again = None
        if answer.decision == ATTRIBUTED and found.source not in (None, answer.source):
            again = _asked_in_parts(read.ordered(), asking, steps)
        delivered.append(Delivery(name, found.decision, found.source, found.llr, found.condition, found.images, again))
    return judged(answer, tuple(delivered), _asked_in_parts(probe, asking, steps, planned=True), not_asked)


def deliveries(side: float | None) -> tuple[dict[str, Processing], tuple[str, ...]]:
    """What may be done to images on their way, by its name; and what makes no sense for them, with the reason.

    Args:
        side: the median of their longer sides, in pixels; None if it is not known.
    """
    small = side is not None and side <= THUMBNAIL_SIDE
    crop = _CROP_OF_THUMBNAILS if small else _CROP
    found: dict[str, Processing] = {name: named(name) for name in ("JPEG 90", "JPEG 75", "WebP 80")}
    not_asked: tuple[str, ...] = ()
    if side is not None and side < 2 * _LEAST:
        not_asked = (f"{HALF} (images of {side:g} px are too small for it)",)
    else:
        found[HALF] = Scale(0.5)
    by = f"{crop.down}" if crop.down == crop.right else f"{crop.down} and {crop.right}"
    found[f"a crop by {by} px"] = crop
    return found, not_asked


def judged(
    answer: Attribution, delivered: tuple[Delivery, ...], draws: Draws | None, not_asked: tuple[str, ...] = ()
) -> Attribution:
    """The answer by what became of it."""
    turning = _turning(answer, delivered, draws)
    said = tuple(_said(answer, delivered, draws, not_asked))
    stress = Stress(delivered, draws, not_asked, bool(turning), said)
    if not turning:
        return replace(
            answer, stress=stress, next_step=_ATTRIBUTED if answer.decision == ATTRIBUTED else answer.next_step
        )
    reason = f"attributed to {answer.source} as the images are, but to {turning}"
    return replace(
        answer, decision=INCONCLUSIVE, source=None, reason=reason, changes=_CHANGES, next_step=_NEXT, stress=stress
    )


def _turning(answer: Attribution, delivered: tuple[Delivery, ...], draws: Draws | None) -> str:
    """To which other source an attribution turns and when, in words; '' if it does not."""
    if answer.decision != ATTRIBUTED:
        return ""
    turns = [
        f"{one.source} after {one.name}"
        for one in delivered
        if one.source not in (None, answer.source) and _confirmed(one)
    ]
    others = {name: count for name, count in draws.attributed.items() if name != answer.source} if draws else {}
    if draws and others:
        turns += [f"{name} in {count} of {draws.count} draws of its images" for name, count in others.items()]
    return in_words(turns)


def _confirmed(one: Delivery) -> bool:
    """Whether parts of the delivered images are attributed as all of them are; of a single image, there are none."""
    return one.draws is None or one.draws.attributed.get(one.source or "", 0) >= CONFIRMED * one.draws.count


def _said(
    answer: Attribution, delivered: tuple[Delivery, ...], draws: Draws | None, not_asked: tuple[str, ...]
) -> Iterator[str]:
    same = [one.name for one in delivered if (one.decision, one.source) == (answer.decision, answer.source)]
    if same:
        yield f"Asked again, the answer is the same after {in_words(same, len(same))}."
    for one in delivered:
        if one.name in same:
            continue
        if answer.decision == ATTRIBUTED and one.decision in (UNKNOWN, INCONCLUSIVE):
            yield f"It would not survive {one.name}: the answer is {one.decision} then."
        else:
            parts = ""
            if one.draws:
                parts = (
                    f" (of parts of the images, {one.draws.attributed.get(one.source or '', 0)} of {one.draws.count})"
                )
            yield f"After {one.name} the answer is {_answer(one.decision, one.source)}{parts}."
    if draws:
        counts = [f"{count} attributed to {name}" for name, count in draws.attributed.items()]
        counts += [
            f"{count} {what}" for what, count in ((UNKNOWN, draws.unknown), (INCONCLUSIVE, draws.inconclusive)) if count
        ]
        drawn = f"{counted(draws.count, 'draw')} of {counted(draws.images, 'image')}"
        yield f"Of {drawn} of the probe: {', '.join(counts)}."
    if not_asked:
        yield f"Not asked: {', '.join(not_asked)}."


def _answer(decision: str, source: str | None) -> str:
    return f"{decision} to {source}" if source else decision


def _drawn(images: int) -> Iterator[np.ndarray]:
    """Numbers of the images in each draw; all the different ones there are, if these are few."""
    if images < 2:
        return
    size = max(1, round(_SHARE * images))
    if comb(images, size) <= _DRAWS:
        yield from (np.array(chosen) for chosen in combinations(range(images), size))
        return
    rng = np.random.default_rng(0)
    for _ in range(_DRAWS):
        yield np.sort(rng.permutation(images)[:size])


def _asked_in_parts(probe: Fingerprint, asking: Asking, steps: _Steps, planned: bool = False) -> Draws | None:
    """Answers to draws of a probe's images; None of a single one."""
    drawn = list(_drawn(len(probe)))
    if not planned:
        steps.plan(sum(map(len, drawn)))
    answers = []
    for chosen in drawn:
        steps.begin(len(chosen))
        answers.append(asking.identify(probe[chosen], steps))
        steps(len(chosen))
    return _counts(answers, len(drawn[0])) if drawn else None


def _counts(answers: list[Attribution], images: int) -> Draws:
    decided = Counter(answer.decision for answer in answers)
    attributed = Counter(answer.source for answer in answers if answer.source is not None)
    return Draws(images, len(answers), dict(attributed.most_common()), decided[UNKNOWN], decided[INCONCLUSIVE])


class _Steps:
    """A progress that knows what is to come after the step it is in."""

    def __init__(self, progress: Progress | None, images: int):
        self._progress, self._ahead = progress, images

    def plan(self, images: int) -> None:
        """So many more than was known."""
        self._ahead += images

    def begin(self, images: int) -> None:
        """A step of so many images begins."""
        self._ahead -= images
        expect(self._progress, self._ahead + images)

    def __call__(self, images: int) -> None:
        if self._progress:
            self._progress(images)

    def expect(self, images: int | None) -> None:
        """So many more are to come within the step."""
        expect(self._progress, None if images is None else self._ahead + images)
