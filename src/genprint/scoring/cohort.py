"""Cohort: cross-validated target and non-target scores of the enrolled sources, for normalisation and thresholds.

Raw log likelihood ratios of different sources do not compare: a VAE's images may score in the hundreds for it, a GAN's
in the tens, and the siblings of either half as much. Target scores (a source's images for itself) and non-target scores
(those of other sources for it), each with the images left out of the gallery, bring them to one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import ByScorer, Enrollment
from genprint.scoring.frame import set_means
from genprint.scoring.thresholds import SIZES
from genprint.scoring.twins import Twins

# Lower bound of the gap between target and non-target scores, in nats; avoids dividing by nearly zero.
_LEAST_GAIN = 1.0
_MOST_SETS, _DRAWS = 10, 20
# Each division of the images, and each of the sources, costs a scorer of its own. Two of 19 sources left out together,
# siblings perhaps, already set the threshold wrong.
_FOLDS, _GROUPS = 5, 20
_NONE = np.array([], int)
# Log ratios fall short by the number of enrolled images to minus this power: so they do from 11 to 22 to 32 of them.
_POWER = 0.25
# Keeps arrays under a name: those that are there already, else those that are made.
Keep = Callable[[str, Callable[[], list[np.ndarray]]], list[np.ndarray]]
# Share of sets named right at which two sources count as separable.
SEPARABLE = 0.95


def make_anew(_: str, make: Callable[[], list[np.ndarray]]) -> list[np.ndarray]:
    """Keeps nothing."""
    return make()


@dataclass(frozen=True)
class Normaliser:
    """Brings log ratios to one scale: 0 as sets of other sources score, 1 as a source's sets do far from any rival.

    F-norm (Poh & Bengio, "F-ratio client-dependent normalisation for biometric authentication tasks", ICASSP 2005) with
    the impostors' level half way to the probe's best rival, as T-norm would have it: some sources are near all probes,
    and some probes near all sources.

    Attributes:
        impostors: mean non-target log ratio of each source (sets of other sources for it), ``(sources,)``.
        gain: how far the mean target log ratio is above that, ``(sources,)``.
        same: whether two sources are twins, which are no rivals of each other, ``(sources, sources)``.
    """

    impostors: np.ndarray
    gain: np.ndarray
    same: np.ndarray

    @classmethod
    def fit(cls, means: np.ndarray, without: int | None = None, same: np.ndarray | None = None) -> Self:
        """From the mean log ratio of each source's sets (rows) for each source (columns).

        On the diagonal NaN says that a source has too few images to tell: it is taken for an average one.

        Args:
            means: log ratios, natural logs, ``(sources, sources)``.
            without: number of a source that counts as not enrolled; nor do its twins.
            same: whether two sources are twins; each is its own. By default there are none.

        Raises:
            ValueError: fewer than two sources that are no twins, or all have too few images.
        """
        same = np.eye(len(means), dtype=bool) if same is None else same
        inside = np.ones(len(means), bool) if without is None else ~same[without]
        others = (inside[:, None] & ~same).sum(0)
        if not others[inside].all() or not inside.any():
            raise ValueError("one source alone has no impostors")
        targets = np.diag(means)
        if np.isnan(targets[inside]).all():
            raise ValueError("no source has the two images that it takes to leave one out")
        impostors = np.where(same, 0, means)[inside].sum(0) / others
        gain = np.maximum(targets - impostors, _LEAST_GAIN)
        return cls(impostors, np.where(np.isnan(gain), np.nanmean(gain[inside]), gain), same)

    def __call__(self, ratios: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Scores of probes ``(n,)`` for one source each, ``chosen``, from their log ratios ``(n, sources)``."""
        rows = np.arange(len(ratios))
        others = np.where(self.same[chosen], -np.inf, ratios)
        level = (self.impostors[chosen] + others.max(1)) / 2
        scores: np.ndarray = (ratios[rows, chosen] - level) / self.gain[chosen]
        return scores


class Cohort:
    """Scores of sets of enrolled images, as if these were not enrolled.

    Neither gallery nor scorer may have seen them: what the within-source covariance was adapted to looks more like its
    source than fresh images ever do.

    Args:
        known: the sources, as a scorer that is adapted to them models them.
        fingerprints: of each enrolled source, with the features of its images.
        keep: keeps scores for the next cohort of the same sources.
        twins: sources that count as one; by default those that share files.
    """

    def __init__(
        self,
        known: Enrollment,
        fingerprints: Sequence[Fingerprint],
        keep: Keep = make_anew,
        twins: Twins | None = None,
    ):
        self.fingerprints = fingerprints
        #: which sources are one as far as anybody can tell: where one is left out as unknown, all of its group are
        self.twins = twins or Twins.of(fingerprints)
        self._frame, self._keep = known.frame(), keep
        self._fewest = min(map(len, fingerprints))
        self._targets: dict[int, list[np.ndarray]] = {}
        self._nontargets: dict[int, list[np.ndarray]] = {}

    def take(self, probe: Fingerprint) -> np.ndarray:
        """A probe's images in the coordinates in which ``llr`` takes them."""
        return self._frame.take(probe)

    def llr(self, taken: np.ndarray, sets: np.ndarray) -> np.ndarray:
        """Log ratios ``(n, sources)`` by the whole gallery of sets ``(n, size)`` of a probe's images, by number."""
        return self._frame.llr(set_means(taken, sets), sets.shape[1])

    def size(self, images: int) -> int:
        """Of the sets that stand for a probe of so many images: as many, or half of what each source has."""
        return max(1, min(images, self._fewest // 2))

    def sets(self, size: int) -> list[np.ndarray]:
        """Numbers of each source's images that make disjoint sets of so many, ``(sets, size)``."""
        rng = np.random.default_rng(0)
        orders = [rng.permutation(len(source)) for source in self.fingerprints]
        return [order[: min(_MOST_SETS, len(order) // size) * size].reshape(-1, size) for order in orders]

    def target_scores(self, size: int) -> list[np.ndarray]:
        """Log ratios of each source's sets, ``(sets, sources)`` each, by a gallery of the other images.

        Sets are left out together, one in ``_FOLDS`` of every source, so that all sources have as many images left. The
        source's own column is NaN if it has none.
        """
        if size not in self._targets:
            self._targets[size] = self._keep(f"targets {size}", lambda: self._folded(self.sets(size)))
        return self._targets[size]

    def whole_target_scores(self, size: int) -> list[np.ndarray]:
        """The same as by a gallery that has all its images: as probes score, which cost it none.

        What leaving a set out costs is extrapolated from what leaving out half of the rest costs beside.
        """
        return self._keep(f"whole targets {size}", lambda: self._folded(self.sets(size), self._extrapolated))

    def _extrapolated(self, sets: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As ``_left_out``, but as if nothing had been: beyond what half of the rest and the rest show, by a power."""
        rng = np.random.default_rng(0)
        rest = [np.setdiff1d(np.arange(len(own)), drawn) for own, drawn in zip(self.fingerprints, sets, strict=True)]
        halves = [rng.permutation(images)[: len(images) // 2] for images in rest]
        left = np.array([1 - drawn.size / len(own) for own, drawn in zip(self.fingerprints, sets, strict=True)])
        share = (1 - left**_POWER) / (2**_POWER - 1)
        found = zip(self._left_out(sets), self._left_out(sets, halves), strict=True)
        return [ratios + share * (ratios - fewer) for ratios, fewer in found]

    def _folded(
        self, sets: Sequence[np.ndarray], left_out: Callable[[Sequence[np.ndarray]], list[np.ndarray]] | None = None
    ) -> list[np.ndarray]:
        """Log ratios of these sets of each source, each left out with others of its fold."""
        ratios = [np.empty((len(drawn), len(sets))) for drawn in sets]
        for fold in range(min(_FOLDS, max(map(len, sets)))):
            found = (left_out or self._left_out)([drawn[fold::_FOLDS] for drawn in sets])
            for rows, own in zip(ratios, found, strict=True):
                rows[fold::_FOLDS] = own
        return ratios

    def _left_out(self, sets: Sequence[np.ndarray], others: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
        """Log ratios of these sets of each source, ``(sets, sources)`` each, by a gallery without them (and others)."""
        lacking = [drawn.size == len(source) for source, drawn in zip(self.fingerprints, sets, strict=True)]
        left = [_NONE if alone else drawn.ravel() for alone, drawn in zip(lacking, sets, strict=True)]
        if others:
            left = [np.concatenate(both) for both in zip(left, others, strict=True)]
        known = self._frame.without(left) if any(map(len, left)) else self._frame
        means = self._means_of(sets)
        ratios = known.llr(np.concatenate(means), sets[0].shape[1])
        found = np.split(ratios, np.cumsum([len(own) for own in means])[:-1])
        for i in np.flatnonzero(lacking):
            found[i][:, i] = np.nan
        return found

    def _means_of(self, sets: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Means ``(sets, d)`` of these sets of each source, in the frame's coordinates."""
        return [self._frame.sources.means_of(i, drawn) for i, drawn in enumerate(sets)]

    def nontarget_scores(self, size: int) -> list[np.ndarray]:
        """Log ratios of each source's sets, ``(sets, sources)`` each, as if it were not enrolled.

        Its own column is minus infinity; those of its ``twins`` are not, and say nothing of unknown sources. One in
        ``_GROUPS`` of the sources is kept from the scorer at a time, with its twins.
        """
        if size not in self._nontargets:
            # Smaller sizes are needed too (likelihood ratio by number of images), and leaving out takes longest.
            sizes = sorted({n for n in (*SIZES, size) if n <= size} - set(self._nontargets))
            found = self._keep(f"nontargets {sizes}{self.twins.name}", lambda: self._without_sources(sizes))
            sources = len(self.fingerprints)
            self._nontargets |= {n: found[i * sources : (i + 1) * sources] for i, n in enumerate(sizes)}
        return self._nontargets[size]

    def stranger_scores(self, size: int) -> list[np.ndarray]:
        """The same with the columns of its twins minus infinity, too: as if none of them were enrolled."""
        return [
            np.where(same, -np.inf, rows)
            for same, rows in zip(self.twins.same, self.nontarget_scores(size), strict=True)
        ]

    def _without_sources(self, sizes: Sequence[int]) -> list[np.ndarray]:
        """Log ratios of each source's sets without the source, of one size after the other."""
        means = {n: self._means_of(self.sets(n)) for n in sizes}
        found: dict[tuple[int, int], np.ndarray] = {}
        sources, labels = range(len(self.fingerprints)), self.twins.labels
        for together in np.array_split(range(len(self.twins)), min(_GROUPS, len(self.twins))):
            out = np.flatnonzero(np.isin(labels, together)).tolist()
            known = self._frame.without([np.arange(len(self.fingerprints[i])) if i in out else _NONE for i in sources])
            for n, i in product(sizes, out):
                ratios = known.llr(means[n][i], n)
                ratios[:, i] = -np.inf
                found[n, i] = ratios
        return [found[n, i] for n in sizes for i in sources]

    def separation(self, one: int, other: int) -> tuple[int, float]:
        """The fewest images at which sets of two sources are separable, and the accuracy there.

        Separable: in ``SEPARABLE`` of the sets of each, the raw log ratio of their source exceeds the other's. If no
        size does it, the largest of which each source has four sets is given.
        """
        for size in [1, *(size for size in SIZES[1:] if 4 * size <= self._fewest)]:
            right = [
                float((self.target_scores(size)[source][:, source] > self.target_scores(size)[source][:, rival]).mean())
                for source, rival in ((one, other), (other, one))
            ]
            if min(right) >= SEPARABLE:
                break
        return size, float(np.mean(right))

    def normaliser(self, size: int) -> Normaliser:
        """For probes of so many images. Raises as ``Normaliser.fit`` does."""
        return Normaliser.fit(self.means(size), same=self.twins.same)

    def unknown(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """For each source: its sets, their log ratios, and their scores for the likeliest, as if it were not enrolled.

        Nor are its twins: their log ratios are minus infinity, too.

        Raises:
            ValueError: fewer than three sources that are no twins, or all have too few images.
        """
        means, same = self.means(size), self.twins.same
        for i, (sets, ratios) in enumerate(zip(self.sets(size), self.stranger_scores(size), strict=True)):
            yield sets, ratios, Normaliser.fit(means, i, same)(ratios, ratios.argmax(1))

    def score(self, probe: Fingerprint, chosen: int) -> float:
        """Of a probe for one source; of one larger than the cohort's sets, the mean over parts as large as those."""
        size = self.size(len(probe))
        rng = np.random.default_rng(0)
        draws = _DRAWS if len(probe) > size else 1
        parts = np.stack([rng.permutation(len(probe))[:size] for _ in range(draws)])
        return float(self.normaliser(size)(self.llr(self.take(probe), parts), np.full(draws, chosen)).mean())

    def means(self, size: int) -> np.ndarray:
        """Mean log ratio of each source's sets (rows) for each source (columns)."""
        means = np.stack([rows.mean(0) for rows in self.nontarget_scores(size)])
        np.fill_diagonal(means, [rows[:, i].mean() for i, rows in enumerate(self.target_scores(size))])
        return means


class Normalised(ByScorer):
    """A scorer's comparer with one scale for all probes: the likeliest source has its normalised score.

    The others follow at the distance of their log ratios.
    """

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        known = self.scorer.adapt(gallery).enroll(gallery)
        cohort, ratios = Cohort(known, gallery), known.llr(probes)
        scores = [cohort.score(probe, int(row.argmax())) for probe, row in zip(probes, ratios, strict=True)]
        normalised: np.ndarray = ratios - ratios.max(1, keepdims=True) + np.array(scores)[:, None]
        return normalised
