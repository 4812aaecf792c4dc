"""What ``genprint.scoring.grouping`` has learned of where to stop, by shipped model.

Logistic regressions, each a constant and coefficients, learned by ``benchmarks/sorting.py --learn``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from genprint.shipped import PICTURES, THUMBNAILS

#: Log odds from which groups are taken for two: one source in two groups is worse than a doubtful split is good.
SPLIT_FROM = 0.85
_STRAY = [1, 3]  # of what is told of an image, what tells strays


@dataclass(frozen=True)
class Rules:
    """Log odds.

    Attributes:
        split: that two groups are of two sources, by ``genprint.scoring.agglomeration.split_features``.
        belongs: that an image is no stray, by two of ``genprint.scoring.grouping.member_features``.
        member: that an image is of its group's source, by all of these.
        several: those of the last join from which a pile is of more than one source. A pile of one is cut where its
            images differ most, and so looks more like two sources than two of its groups do.
    """

    split: Sequence[float]
    belongs: Sequence[float]
    member: Sequence[float]
    several: float = SPLIT_FROM

    def apart(self, told: np.ndarray) -> np.ndarray:
        """Log odds that groups are of two sources, ``(n,)``."""
        return _odds(told, self.split)

    def stays(self, told: np.ndarray) -> np.ndarray:
        """Probability that an image is no stray, ``(n,)``."""
        probability: np.ndarray = expit(_odds(told[:, _STRAY], self.belongs))
        return probability

    def right(self, told: np.ndarray) -> np.ndarray:
        """Probability that an image is of its group's source, ``(n,)``."""
        probability: np.ndarray = expit(_odds(told, self.member))
        return probability


def telling_strays(told: np.ndarray) -> np.ndarray:
    """What ``Rules.belongs`` goes by, of ``member_features``."""
    return told[:, _STRAY]


def _odds(told: np.ndarray, rule: Sequence[float]) -> np.ndarray:
    odds: np.ndarray = told @ np.array(rule[1:]) + rule[0]
    return odds


#: By the name of a shipped model. Others are taken for that for thumbnails.
RULES = {
    THUMBNAILS: Rules(
        split=(-5.493, 1.546, -1.171, 0.421, 4.462, 0.235),
        belongs=(-2.451, 0.356, 1.334),
        member=(2.888, 0.678, 0.098, -0.645, -1.241),
        # Chosen by ARI on simulated sources and the architectures that rules are learned from: of piles of one source
        # or two it gains 0.12 to 0.27, and uneven piles after JPEG 80 lose 0.03 to 0.06; 2.9 costs these 0.10.
        several=2.2,
    ),
    PICTURES: Rules(
        split=(-3.530, 1.052, -0.476, -0.090, 1.480, 0.297),
        belongs=(-2.905, 0.497, 1.880),
        member=(7.198, 0.459, 0.000, -1.363, -2.163),
    ),
}
