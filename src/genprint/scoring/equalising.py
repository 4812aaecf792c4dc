"""Sets that are compared with each other, saved alike: what was saved without loss is saved as the others were.

An image cannot come out of what was done to it; but another can be put into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from genprint.fingerprints.fingerprint import Fingerprint, OriginalsError
from genprint.images.processing import Processing
from genprint.images.saving import Savings, as_one
from genprint.words import in_words

#: Share of a set's files that have to be saved alike to count as all.
ALL = 0.9
# Files of a source whose headers are looked at where it is not known how they were saved.
_HEADERS = 4


class Equalised(NamedTuple):
    """Sets as they are best compared with each other.

    Attributes:
        sets: in the order that they were given.
        said: what there is to say of it, in sentences.
        alike: whether they were saved alike, or now are, as far as their files tell.
    """

    sets: list[Fingerprint]
    said: tuple[str, ...] = ()
    alike: bool = True


def equalised(sets: Sequence[Fingerprint]) -> Equalised:
    """The sets as they are best compared with each other.

    Where those that were saved with loss were saved alike, all others without loss, and their images are at hand, these
    are saved so, too. Otherwise the sets stay as they are.
    """
    savings = [savings_of(one) for one in sets]
    kinds = as_one([found.shared(ALL) for found in savings])
    if not any(kinds):
        return Equalised(list(sets))
    common = common_of(kind for kind in kinds if kind)
    others = [one for one, kind in zip(sets, kinds, strict=True) if not kind]
    lossless = all(kind or found.lossless(ALL) for kind, found in zip(kinds, savings, strict=True))
    made = brought(others, common) if common and lossless else None
    if common is None or made is None:
        ways = dict.fromkeys(way for found in savings for way in found.words)
        said = f"The sets were saved differently ({', '.join(ways)}), which cannot be equalised."
        return Equalised(list(sets), (said,), alike=False)
    if not made:
        return Equalised(list(sets))
    names, alike = in_words(one.source for one in others), iter(made)
    said = f"{names}: saved without loss, the rest as {common.name}; all were compared as {common.name}."
    return Equalised([one if kind else next(alike) for one, kind in zip(sets, kinds, strict=True)], (said,))


def savings_of(images: Fingerprint) -> Savings:
    """How a set's files were saved: by what is known of them, or the headers of a few that are kept whole."""
    if images.facts:
        return Savings.of(images.facts)
    facts = []
    for one in images.originals:
        wanted = sorted(set(one.digests).intersection(images.digests))[:_HEADERS]
        facts += [image.facts for image in one.read(wanted) if image.facts]
    return Savings.of(facts)


def shared_savings(gallery: Sequence[Fingerprint]) -> Mapping[str, Processing | None]:
    """How each source's files were saved, by its name: if with loss and alike, and if that is known."""
    return {source.source: savings_of(source).shared(ALL) for source in gallery}


def common_of(kinds: Iterable[Processing | None]) -> Processing | None:
    """The way of saving with loss that all these have in common."""
    every = set(as_one(list(kinds)))
    return every.pop() if len(every) == 1 else None


def brought(probes: Sequence[Fingerprint], processing: Processing) -> list[Fingerprint] | None:
    """The probes after a processing; None if their images are not at hand any more."""
    try:
        return [replace(probe.under(processing), left_out=probe.left_out) for probe in probes]
    except OriginalsError:
        return None
