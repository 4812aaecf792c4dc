"""Pairs: images of several models that were made of the same prompts or latents, compared image by image.

What pairs have in common by their prompt or latent drops out of the difference of their features: what is left is what
the models do differently. And a child follows its parent image by image, in what is fine as well; models trained apart
do so little, even where they draw the same picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.copies import file_name
from genprint.images.sets import ImageSetError
from genprint.scoring.exchangeability import ALPHA
from genprint.words import counted, first_of

Key = str | int
#: Models trained apart follow one another, too, where they are of one recipe and begin alike or where any model of
#: their class draws the same picture of one latent; never surely so much closer than others (docs/lineage.md).
CLOSER = 0.1


@dataclass(frozen=True)
class Followed:
    """How far the child follows other models image by image.

    Correlations of features of paired images about their sets' means, summed over all features: 0 where images of one
    prompt or latent have no more in common than others, 1 where they are the same but for what whole sets differ in.

    Attributes:
        pairs: images of each set.
        parent: correlation with the alleged parent.
        others: with the models trained apart.
        margin: with the parent, less the highest of the others, with its 95 % interval.
        p: of the hypothesis that this margin is 0.1 or less, as it may be of models trained apart: bootstrap over the
            pairs.
    """

    pairs: int
    parent: float
    others: dict[str, float]
    margin: tuple[float, float, float]
    p: float

    @property
    def closely(self) -> bool:
        """Whether the child surely follows the parent, as models trained apart do not."""
        return self.p <= ALPHA

    @classmethod
    def of(cls, names: Sequence[str], white: Sequence[np.ndarray], counts: np.ndarray) -> Followed:
        """From features ``(pairs, d)`` of child, parent and others in one order.

        Args:
            names: of the others.
            white: features, scaled so that variance within a source is about one.
            counts: how often each draw of the bootstrap takes each pair, ``(draws, pairs)``.
        """
        pairs, draws = len(white[0]), len(counts)
        spread = np.sqrt([values.var(0).sum() for values in white])
        scale = np.maximum(spread[:1] * spread[1:], 1e-12)[:, None]
        found = _together(white, np.ones((1, pairs))) / scale
        again = _together(white, counts) / scale * pairs / (pairs - 1)  # a draw about its own mean varies less
        margin, margins = (values[0] - values[1:].max(0) for values in (found, again))
        low, high = np.quantile(margins, [0.025, 0.975])
        p = float((1 + (margins <= CLOSER).sum()) / (1 + draws))
        parent, *others = map(float, found[:, 0])
        margins_of = float(margin[0]), float(low), float(high)
        return cls(pairs, parent, dict(zip(names, others, strict=True)), margins_of, p)


def _together(white: Sequence[np.ndarray], counts: np.ndarray) -> np.ndarray:
    """Covariance of the first set's features with those of each other, summed over features, ``(others, draws)``."""
    shares = counts / counts.sum(1, keepdims=True)
    first, mean = white[0], shares @ white[0]
    return np.stack([shares @ (first * other).sum(1) - (mean * (shares @ other)).sum(1) for other in white[1:]])


def noise_of_pairs(white: Sequence[np.ndarray]) -> np.ndarray:
    """What so few pairs make of no distance between the first set's mean and each other's, squared, ``(others,)``."""
    return np.array([(other - white[0]).var(0, ddof=1).sum() / len(other) for other in white[1:]])


def matched(sets: Sequence[Fingerprint]) -> list[Fingerprint]:
    """The sets with their images in one order: by the names of their files without folder and ending, else by number.

    A number is the last in a name.

    Raises:
        ImageSetError: an image has no partner in another set, or a name or number is there twice.
    """
    by_name = [_places(one, _stem) for one in sets]
    for places in (by_name, [_places(one, _number) for one in sets]):
        first = places[0]
        if first is not None and all(other is not None and other.keys() == first.keys() for other in places):
            return [replace(one[[own[key] for key in sorted(first)]], left_out=one.left_out)
                    for one, own in zip(sets, places, strict=True) if own is not None]  # fmt: skip
    raise ImageSetError(_unmatched(sets))


def _places(one: Fingerprint, key: Callable[[str], Key | None]) -> dict[Key, int] | None:
    """Where each image is; None where some have no such key, or two have the same."""
    keys = [key(name) for name in one.names]
    found = {key: i for i, key in enumerate(keys) if key is not None}
    return found if one.names and len(found) == len(keys) else None


def _stem(name: str) -> str:
    return re.sub(r"\.\w{1,5}$", "", file_name(name))


def _number(name: str) -> int | None:
    digits = re.findall(r"\d+", _stem(name))
    return int(digits[-1]) if digits else None


def _unmatched(sets: Sequence[Fingerprint]) -> str:
    """What there is to mend: by names where sets have some in common, else by numbers."""
    asked = "paired sets hold images of the same prompts or latents, under the same names or numbers"
    keys: list[list[Key | None]] = [[_stem(name) for name in one.names] for one in sets]
    if not all(keys):
        return f"images have no names; {asked}"
    numbers = [[_number(name) for name in one.names] for one in sets]
    if not all(set(own) & set(keys[0]) for own in keys) and not any(None in own for own in numbers):
        keys = [list(own) for own in numbers]
    for one, own in zip(sets, keys, strict=True):
        if twice := sorted({str(key) for key in own if own.count(key) > 1}):
            return f"{one.source}: {counted(len(twice), 'name')} there twice ({first_of(twice)}); {asked}"
    partners = [sorted(str(key) for key in set(own) ^ set(keys[0])) for own in keys]
    one, lacking = next(found for found in zip(sets, partners, strict=True) if found[1])
    many = counted(len(lacking), "image")
    return f"{sets[0].source} and {one.source}: {many} without a partner ({first_of(lacking)}); {asked}"
