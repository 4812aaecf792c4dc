"""Sorted piles, made by hand, for tests of what is shown and written of them."""

from dataclasses import replace

import numpy as np

from genprint.answers.results import Attribution
from genprint.answers.sorting import Group, Sorted, Sorting
from genprint.images.sets import ImageSet, LeftOut

#: images whose mean level, divided by this, is equal are of one source to the stand-in
STEP = 40


def sort_by_level(pile, *, known=None, model=None, rate=0.05, progress=None):
    """A stand-in for sorting: by the images' mean levels, so that a test knows what comes out. Single ones are strays.

    A known source named ``bright`` is the one of levels above 160.
    """
    images = ImageSet.of(pile, default="pile")
    if progress and hasattr(progress, "expect"):
        progress.expect(images.count)
    found, left_out = {}, []
    for one in images.scan():
        if progress:
            progress(1)
        if isinstance(one, LeftOut):
            left_out.append(one)
            continue
        level = float(one.pixels.mean())
        at = (level, float(len(found)))
        found.setdefault(int(level // STEP), []).append(Sorted(one.name, one.sha256, 1 - (level % STEP) / 100, at))
    strays = tuple(ones[0] for ones in found.values() if len(ones) == 1)
    many = sorted((ones for ones in found.values() if len(ones) > 1), key=len, reverse=True)
    groups, unknown = [], 0
    for ones in many:
        source = "bright" if known is not None and ones[0].at[0] > 160 else None
        unknown += source is None
        answer = None
        if known is not None:
            answer = Attribution("pile", "attributed" if source else "unknown", source, None, "by its level", len(ones))
        surest = tuple(sorted(ones, key=lambda one: -one.probability))
        groups.append(Group(source or f"group {unknown}", source, surest, surest[-1].probability, answer=answer))
    names = [group.name for group in groups]
    if len(groups) > 1:
        others = [*names[1:], names[0]]
        groups = [
            replace(group, nearest=other, llr=1.5 - 2.0 * i)
            for i, (group, other) in enumerate(zip(groups, others, strict=True))
        ]
    groups.sort(key=lambda group: group.source is None)
    said = ("Levels alone were looked at.",)
    return Sorting(images.name, tuple(groups), strays, tuple(left_out), said, images)


def levels(rng: np.random.Generator, level: int, count: int, side: int = 32) -> np.ndarray:
    """Images of about that mean level."""
    return (level + rng.normal(0, 4, (count, side, side, 3))).clip(0, 255).astype(np.uint8)


def by_hand(groups: int, each: int, strays: int = 2) -> Sorting:
    """A sorted pile of so many groups, whose images are nowhere."""

    def images(start, count):
        return tuple(Sorted(f"{start}-{i}.png", f"{start}{i}", 1 - i / (2 * count), (i, start)) for i in range(count))

    made = tuple(Group(f"group {i + 1}", None, images(i, each), 0.9) for i in range(groups))
    return Sorting("pile", made, images(groups, strays))
