"""How a pile without labels is sorted: groups are found, and those of known sources are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from genprint.answers.results import Attribution
from genprint.answers.sorting import Group, Sorted, Sorting
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Progress
from genprint.images.saving import Savings
from genprint.model import Model
from genprint.scoring.grouping import LEAST, Grouping, group
from genprint.scoring.grouping_rules import RULES
from genprint.shipped import THUMBNAILS
from genprint.words import counted

if TYPE_CHECKING:
    from genprint.answering import Gallery


def sort_pile(
    model: Model, pile: Fingerprint, gallery: Gallery | None, rate: float = 0.05, progress: Progress | None = None
) -> Sorting:
    """A pile by source.

    How images of one source vary is learned from the known sources, too. Images that are enrolled, and those that are
    the same as one before, pixel for pixel, are left out.

    Args:
        model: of the fingerprints; its scorer is a PLDA.
        pile: the fingerprint of all images.
        gallery: of known sources, if there are any.
        rate: of false attributions wanted.
        progress: called with the number of enrolled images read in a group's condition since its last call.

    Raises:
        ImageSetError: all images are enrolled.
        ValueError: the model's scorer is no PLDA.
    """
    known = gallery.fingerprints() if gallery else {}
    pile = pile.without(known)
    plda = model.plda.adapt(list(known.values())) if known else model.plda
    grouping = group(plda, pile.values, RULES.get(model.name or THUMBNAILS, RULES[THUMBNAILS]))
    members = [np.flatnonzero(grouping.labels == k) for k in range(grouping.groups)]
    answers: list[Attribution | None] = [None] * len(members)
    if gallery:
        answers = [_attributed(gallery, pile[rows], rate, progress) for rows in members]
    return _named(pile, grouping, members, answers)


def _attributed(gallery: Gallery, images: Fingerprint, rate: float, progress: Progress | None) -> Attribution:
    """Which known source made a group's images."""
    return gallery.identifier(images, rate, progress=progress).identify(images, grown=False, progress=progress)


def _named(
    pile: Fingerprint, grouping: Grouping, members: Sequence[np.ndarray], answers: Sequence[Attribution | None]
) -> Sorting:
    """The result: groups of one known source are one group."""
    known: dict[str, list[int]] = {}
    unknown: list[list[int]] = []
    for k, answer in enumerate(answers):
        if answer and answer.source:
            known.setdefault(answer.source, []).append(k)
        else:
            unknown.append([k])
    free = (name for number in count(1) if (name := f"group {number}") not in known)
    parts = [(name, True, own) for name, own in known.items()]
    parts += [(name, False, own) for name, own in zip(free, unknown, strict=False)]
    names = {k: name for name, _, own in parts for k in own}
    images, groups = _images(pile, grouping), []
    for name, attributed, own in parts:
        placed = sorted((images[i] for k in own for i in members[k]), key=lambda image: -image.probability)
        nearest, llr = _nearest(grouping.llr, own)
        groups.append(
            Group(
                name=name,
                source=name if attributed else None,
                images=tuple(placed),
                purity=float(np.mean([image.probability for image in placed])),
                nearest=None if nearest is None else names[nearest],
                llr=llr,
                answer=_renamed(answers[own[0]], name),
            )
        )
    strays = tuple(images[i] for i in np.flatnonzero(grouping.labels < 0))
    return Sorting(pile.source, tuple(groups), strays, pile.left_out, _said(pile, grouping))


def _renamed(answer: Attribution | None, name: str) -> Attribution | None:
    return replace(answer, probe=name) if answer else None


def _images(pile: Fingerprint, grouping: Grouping) -> list[Sorted]:
    """Every image and where it went."""
    names = pile.names or pile.digests
    return [
        Sorted(name, digest, float(probability), (float(x), float(y)))
        for name, digest, probability, (x, y) in zip(
            names, pile.digests, grouping.probability, grouping.at, strict=True
        )
    ]


def _nearest(llr: np.ndarray, own: Sequence[int]) -> tuple[int | None, float | None]:
    """The group that these are likeliest to be one with, and the log ratio."""
    others = np.setdiff1d(np.arange(len(llr)), own)
    if not len(others):
        return None, None
    ratios = llr[list(own)][:, others]
    _, column = np.unravel_index(ratios.argmax(), ratios.shape)
    return int(others[column]), float(ratios.max())


def _said(pile: Fingerprint, grouping: Grouping) -> tuple[str, ...]:
    """What else is to be known."""
    said = []
    ways = Savings.of(pile.facts).words if pile.facts else {}
    if len(ways) > 1:
        many = ", ".join(f"{counted(count, 'image')} {way}" for way, count in ways.items())
        said.append(
            f"The images were saved differently ({many}): those of one source that were saved in two ways can come out "
            "as two groups, and those of two sources that were saved alike as one."
        )
    if len(pile) < LEAST:
        said.append(f"{counted(len(pile), 'image')}: a group has {LEAST} or more.")
    elif not grouping.groups:
        said.append("No images were found to be of one source.")
    return tuple(said)
