"""Copies: images of a probe that look like enrolled ones, or like one another, and the answer without them.

Images that are the same pixel for pixel are left out of a probe (``Fingerprint.without``). Of images that only look
alike, nobody can say whether they are copies: pictures of one prompt or one latent look alike, too. So they stay in,
are named, and the question is asked again without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.copies import MOST_APART, Look, Pair, alike, alike_within, file_name, most_apart
from genprint.images.sets import ImageSetError
from genprint.words import counted, in_words

if TYPE_CHECKING:
    from genprint.answers.results import Attribution


@dataclass(frozen=True)
class Alike:
    """An image of the probe that looks like another image.

    Attributes:
        image: its name.
        other: name of the other's file, without its folder; '' where it is not known.
        source: under which the other is enrolled; None if it is in the probe itself.
        apart: bits of 256 in which their perceptual hashes differ: 0 for none.
    """

    image: str
    other: str
    source: str | None
    apart: int


@dataclass(frozen=True)
class Without:
    """The answer without the images that look like others.

    Attributes:
        images: that were left.
        decision: as of an attribution.
        source: to which they are attributed, else None.
        llr: calibrated natural log of the likelihood ratio; None where calibration supports none.
        reason: why the decision is what it is.
    """

    images: int
    decision: str
    source: str | None
    llr: float | None
    reason: str


@dataclass(frozen=True)
class Copies:
    """What was found of copies that are not the same pixel for pixel.

    Attributes:
        alike: images of the probe that look like an enrolled one, or like an earlier one of the probe; of each, the
            other that it is most like.
        without: the answer without them; None if there are none, or nothing would be left.
        most_apart: bits of 256 in which hashes of images that are taken to look alike differ at most: 72, or fewer
            where enrolled images are often that alike themselves.
        unknown: enrolled images of which it is not known what they look like: they were enrolled by a version that did
            not keep it.
        said: all of it, in sentences.
    """

    alike: tuple[Alike, ...]
    without: Without | None
    most_apart: int
    unknown: int
    said: tuple[str, ...]

    @classmethod
    def of(
        cls,
        probe: Fingerprint,
        known: Mapping[str, Fingerprint],
        answer: Attribution,
        ask: Callable[[Fingerprint], Attribution],
    ) -> Copies:
        """What is found in a probe.

        Args:
            probe: its fingerprint, with the looks of its images.
            known: fingerprints of the enrolled sources that it was compared with.
            answer: that was given.
            ask: answers to other images.
        """
        probe = probe.without(known)
        found, limit = _flagged(probe, known)
        unknown = sum(len(one) - sum(map(bool, one.looks)) for one in known.values())
        rest = [i for i in range(len(probe)) if i not in found]
        without = _summary(ask(probe[rest])) if found and rest else None
        flagged = tuple(found[i] for i in sorted(found))
        said = (*_said(flagged, len(probe), answer, without), *_said_of_unknown(unknown))
        return cls(flagged, without, limit, unknown, said)


def check_no_copies(one: Fingerprint, other: Fingerprint) -> None:
    """Refuses two sets of which some images are the same pixel for pixel, in whatever files they are.

    Raises:
        ImageSetError: there are such.
    """
    theirs = {look.pixels: look.name for look in other.looks if look}
    if shared := [(look.name, theirs[look.pixels]) for look in one.looks if look and look.pixels in theirs]:
        mine, its = shared[0]
        raise ImageSetError(
            f"{one.source} and {other.source}: {counted(len(shared), 'image')} in both, pixel for pixel "
            f"({mine} is {its}); leave what both have out of one"
        )


def _flagged(probe: Fingerprint, known: Mapping[str, Fingerprint]) -> tuple[dict[int, Alike], int]:
    """By the place of each image that looks like another, the one that it is most like, enrolled ones first; and by how
    many bits apart.
    """
    looks, names = _looks(probe), [file_name(name) for name in probe.names or probe.digests]
    owners = [(source, look) for source, one in known.items() for look in one.looks if look]
    enrolled = [look for _, look in owners]
    outside, inside = alike(looks, enrolled), alike_within(looks)
    limit = most_apart(enrolled) if outside or inside else MOST_APART
    found: dict[int, Alike] = {}
    for pair in _nearer(outside, limit):
        source, look = owners[pair.other]
        found.setdefault(pair.one, Alike(names[pair.one], look.name, source, pair.apart))
    for pair in sorted(_nearer(inside, limit), key=lambda pair: (pair.other, pair.apart)):
        if pair.one not in found:  # of some that are alike, the first stays: it is no copy of what was left out itself
            found.setdefault(pair.other, Alike(names[pair.other], names[pair.one], None, pair.apart))
    return found, limit


def _nearer(pairs: Sequence[Pair], limit: int) -> list[Pair]:
    return [pair for pair in pairs if pair.apart <= limit]


def _looks(probe: Fingerprint) -> Sequence[Look | None]:
    return probe.looks or [None] * len(probe)


def _summary(answer: Attribution) -> Without:
    return Without(answer.images, answer.decision, answer.source, answer.llr, answer.reason)


def _said(flagged: Sequence[Alike], images: int, answer: Attribution, without: Without | None) -> list[str]:
    if not flagged:
        return []
    said = []
    for where, some in (
        ("enrolled ones", [one for one in flagged if one.source is not None]),
        ("others of the probe", [one for one in flagged if one.source is None]),
    ):
        if some:
            named = in_words([_pair(one) for one in some])
            many = "looks" if len(some) == 1 else "look"
            said.append(f"{len(some)} of {counted(images, 'image')} {many} like {where}: {named}.")
    said.append(
        "They may be the same pictures, saved anew, and would then be no evidence of their own; pictures of one prompt "
        "or one latent, or as plain as digits, look alike without being copies."
    )
    if without is None:
        return [*said, "No image is left without them, so that it cannot be said what the answer rests on."]
    same = (without.decision, without.source) == (answer.decision, answer.source)
    now = f"{without.decision}{f' to {without.source}' if without.source else ''}"
    told = f"the answer is the same: {now}" if same else f"the answer is another: {now} ({without.reason})"
    return [*said, f"Without them, of {counted(without.images, 'image')}, {told}."]


def _pair(one: Alike) -> str:
    other = one.other or "an image"
    return f"{one.image} like {other}{f' of {one.source}' if one.source is not None else ''}"


def _said_of_unknown(images: int) -> list[str]:
    if not images:
        return []
    return [
        f"Of {counted(images, 'enrolled image')}, it is not known what they look like, so that copies of them in other "
        "files are not found: an earlier version enrolled them. Enroll their sources anew to have copies found."
    ]
