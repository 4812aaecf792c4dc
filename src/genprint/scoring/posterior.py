"""What a PLDA knows of the sources of a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.frame import PLDAFrame
from genprint.scoring.gaussians import Gaussians

if TYPE_CHECKING:
    from genprint.scoring.plda import PLDA

# Variance of sources about their centre, in units of that of a source's images.
_APART = 0.3


@dataclass(frozen=True, eq=False)
class Posterior:
    """What a PLDA knows of a gallery.

    Attributes:
        plda: in whose coordinates (``PLDA.project``) the posterior is.
        gaussians: of the sources' means.
        images: what they follow from, where the features of single images are kept.
    """

    plda: PLDA
    gaussians: Gaussians
    images: PLDAFrame | None = None

    def llr(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Raw log likelihood ratio (natural log) of each source against an unknown one, ``(n_probes, n)``."""
        return self.gaussians.llr(*self.plda.coordinates(probes))

    def log_density(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Log density of each probe's mean, were it of each source, ``(n_probes, n)``.

        In the coordinates of the features, so that densities under different covariances can be compared.
        """
        return self.gaussians.log_density(*self.plda.coordinates(probes)) + self.plda.log_volume

    def frame(self) -> PLDAFrame:
        """What asks a gallery that the scorer is adapted to about itself.

        Raises:
            ValueError: of some sources, only moments are kept.
        """
        if self.images is None:
            raise ValueError(
                "a gallery is asked about itself by the features of its images; of some, only moments are kept"
            )
        return self.images


@dataclass(frozen=True, eq=False)
class RoughPosterior:
    """What a PLDA roughly knows of a gallery that it was not adapted to.

    Attributes:
        plda: not adapted.
        root: of the within-source variance along each of its coordinates, ``(parts * d,)``.
        gaussians: of the sources' means, in units of that.
        centre: of the sources' means, ``(parts * d,)``.
    """

    plda: PLDA
    root: np.ndarray = field(repr=False)
    gaussians: Gaussians
    centre: np.ndarray = field(repr=False)

    def log_density(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Log density of each probe's mean, were it of each source, ``(n_probes, n)``, as ``Posterior`` has it."""
        means, counts = self.plda.coordinates(probes)
        volume = self.plda.log_volume - float(self.gaussians.each @ np.log(self.root))
        return self.gaussians.log_density(means / self.root, counts) + volume

    def about_centre(self, probes: Sequence[Fingerprint], root: np.ndarray) -> float:
        """Log density of probes about the centre of all sources, but for a constant; the mean of the probes'.

        Args:
            probes: of whichever source.
            root: as this has it, or one for all that are compared: of a few images, spreads are too uncertain.
        """
        means, counts = self.plda.coordinates(probes)
        squared = np.square((means - self.centre) / root) / (1 / counts + _APART)
        return -float((squared @ self.gaussians.each).mean()) / 2
