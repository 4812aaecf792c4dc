"""What scorers and comparers are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint, check_comparable
from genprint.scoring.frame import Sources


class Densities(Protocol):
    """The sources of a gallery, as what explains a probe."""

    def log_density(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Log density of each probe's mean under each source, ``(n_probes, n_sources)``, in feature space."""
        ...


class Enrollment(Densities, Protocol):
    """The sources of a gallery, as a scorer models them."""

    def llr(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Raw log likelihood ratio (natural log) of each probe for each source against an unknown one.

        Float64 ``(n_probes, n_sources)``; higher is more similar. Uncalibrated.
        """
        ...

    def frame(self) -> Frame:
        """What asks a gallery that the scorer is adapted to about itself; needs the features of its images."""
        ...


class Ratios(Protocol):
    """What gives raw log likelihood ratios in the coordinates of a frame."""

    def llr(self, means: np.ndarray, count: int) -> np.ndarray:
        """Of probes' means ``(n_probes, d)`` of so many images, for each source against an unknown one."""
        ...


class Frame(Ratios, Protocol):
    """A gallery as its scorer knows it, in coordinates in which images can be left out of both."""

    @property
    def sources(self) -> Sources:
        """The gallery's images in these coordinates."""
        ...

    def take(self, fingerprint: Fingerprint) -> np.ndarray:
        """A probe's images in these coordinates, ``(images, d)``."""
        ...

    def without(self, left: Sequence[np.ndarray]) -> Ratios:
        """As if neither scorer nor gallery had seen some images of each source, given by their numbers.

        A source that loses all images stays enrolled; the scorer alone has not seen it.
        """
        ...


class Scorer(Protocol):
    """Compares fingerprints knowing both counts: ``scorer.adapt(gallery).enroll(gallery).llr(probes)``."""

    @property
    def learned(self) -> bool:
        """Whether it has a within-source covariance before it is adapted to a gallery."""
        ...

    def adapt(self, gallery: Iterable[Fingerprint]) -> Self:
        """The same with the within-source covariance adapted to the gallery's images."""
        ...

    def enroll(self, gallery: Sequence[Fingerprint]) -> Enrollment:
        """The model of each source, given its enrolled images."""
        ...

    def roughly(self, gallery: Sequence[Fingerprint]) -> Densities:
        """What it would be, adapted to a gallery and enrolling it, at less cost: enough to compare conditions."""
        ...

    def whiten(self, features: np.ndarray) -> np.ndarray:
        """Features ``(n, d)`` in some coordinates where images of one source vary with the identity."""
        ...

    def distances(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """Distances between sources, ``(n, n)``, symmetric, zero diagonal."""
        ...


class Comparer(ABC):
    """Scores probe sets against gallery sets; higher is more similar. Evaluation uses every method through this."""

    def score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        """Scores, float64 ``(n_probes, n_gallery)``.

        Raises:
            ExtractorError: fingerprints are of two extractors.
        """
        check_comparable([*probes, *gallery])
        return self._score(probes, gallery)

    @abstractmethod
    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        """Scores of fingerprints that are of one extractor."""

    def distances(self, sets: Sequence[Fingerprint]) -> np.ndarray:
        """Distances between sets, ``(n, n)``: how far the mean score of two is below the highest."""
        scores = self.score(sets, sets)
        scores = (scores + scores.T) / 2
        apart = ~np.eye(len(sets), dtype=bool)
        return np.where(apart, scores[apart].max() - scores, 0.0)


@dataclass(frozen=True)
class ByScorer(Comparer):
    """The comparer that a scorer makes, adapted to each gallery."""

    scorer: Scorer

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        known = [source.pooled() for source in gallery]
        return self.scorer.adapt(known).enroll(known).llr(probes)

    def distances(self, sets: Sequence[Fingerprint]) -> np.ndarray:
        return self.scorer.adapt(sets).distances(sets)
