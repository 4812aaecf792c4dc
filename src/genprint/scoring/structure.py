"""Reading of a fingerprint what its images' source is built like: small classifiers learned from simulated sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from scipy.special import expit

from genprint.errors import GenprintError
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.storage.weights import WeightsError, load_model, save_model

KIND = "structure_reader"
SHIPPED = Path(__file__).parent.parent / "encoder" / "structure_reader"
DOUBLING, JPEG = "last doubling", "JPEG before"
#: what each question's answers are
ANSWERS = {DOUBLING: ("transposed or sub-pixel", "enlarged, then convolved"), JPEG: ("no", "yes")}
#: the answer of each question that is stated. The others are that a trace is not there: on third-party images, that was
#: mostly wrong (docs/structure.md).
STATED = {DOUBLING: ANSWERS[DOUBLING][0], JPEG: ANSWERS[JPEG][1]}
#: set sizes that thresholds are set for; a set goes by the largest that it reaches
SIZES = (1, 4, 12, 32)


class StructureError(GenprintError, ValueError):
    """Structure cannot be read of these fingerprints."""


@dataclass(frozen=True)
class Known:
    """What a question's answers came to on known sources, which had no part in learning.

    Attributes:
        where: which sources.
        right, wrong: numbers of sets of which an answer was stated.
        missed: of which it should have been stated and was not.
        unknown: of which none was to be stated, nor was.
        sources: that they are of.
        images: in a set.
    """

    where: str
    right: int
    wrong: int
    missed: int
    unknown: int
    sources: int
    images: int


@dataclass(frozen=True, eq=False)
class Classifier:
    """A logistic regression of two answers on the mean of a set's features.

    Attributes:
        mean, scale, slopes: of the features, float64 ``(d,)``.
        intercept: of the regression.
        least: for each of ``SIZES``, the probability below which an answer is excluded: the true one is in one in
            twenty held-out simulated sets (split conformal prediction; Vovk et al., "Algorithmic Learning in a Random
            World", 2005).
        farthest: for each of ``SIZES``, the mean squared standardised feature that one in a hundred of these exceeds.
        known: how it did on known sources, of one kind each.
    """

    mean: np.ndarray
    scale: np.ndarray
    slopes: np.ndarray
    intercept: float
    least: tuple[float, ...]
    farthest: tuple[float, ...]
    known: tuple[Known, ...] = ()

    def probability(self, mean: np.ndarray) -> float:
        """Of the second answer."""
        return float(expit((mean - self.mean) / self.scale @ self.slopes + self.intercept))

    def distance(self, mean: np.ndarray) -> float:
        """Mean squared standardised feature."""
        return float(np.square((mean - self.mean) / self.scale).mean())

    def stated(self, question: str, mean: np.ndarray, count: int) -> bool:
        """Whether the answer that may be stated, ``STATED``, is the only one that is not excluded."""
        left = [name for name, out in zip(ANSWERS[question], self.excluded(mean, count), strict=True) if not out]
        return left == [STATED[question]]

    def excluded(self, mean: np.ndarray, count: int) -> tuple[bool, bool]:
        """Whether each answer is; both are where the set is unlike all simulated ones."""
        size = max(i for i, least in enumerate(SIZES) if least <= max(1, count))
        if self.distance(mean) > self.farthest[size]:
            return True, True
        second = self.probability(mean)
        return 1 - second < self.least[size], second < self.least[size]


@dataclass(frozen=True, eq=False)
class StructureReader:
    """All classifiers, for fingerprints of one extractor.

    Attributes:
        extractor: identity of what makes the fingerprints.
        classifiers: by question.
    """

    extractor: str
    classifiers: Mapping[str, Classifier]

    def check(self, fingerprint: Fingerprint) -> None:
        """Refuses fingerprints of another extractor.

        Raises:
            StructureError: it is.
        """
        if fingerprint.extractor != self.extractor:
            raise StructureError(
                f"{fingerprint.source}: structure can be read with the shipped model for thumbnails only; "
                "this fingerprint is by another"
            )

    def save(self, directory: Path, card: str) -> None:
        """Writes config, weights and card into a directory."""
        tensors = {
            f"{question}/{name}": torch.from_numpy(np.asarray(getattr(one, name))).float()
            for question, one in self.classifiers.items() for name in ("mean", "scale", "slopes")
        }  # fmt: skip
        config: dict[str, Any] = {
            question: {
                "intercept": one.intercept, "least": one.least, "farthest": one.farthest,
                "known": [asdict(known) for known in one.known],
            }
            for question, one in self.classifiers.items()
        }  # fmt: skip
        save_model(directory, KIND, {"extractor": self.extractor, "questions": config}, tensors, card)

    @classmethod
    def load(cls, directory: Path = SHIPPED) -> Self:
        """What was saved; by default the one shipped with the package.

        Raises:
            WeightsError: missing or damaged.
        """
        config, tensors = load_model(directory, KIND)
        try:
            classifiers = {}
            for question, said in config["questions"].items():
                mean, scale, slopes = (
                    tensors[f"{question}/{name}"].double().numpy() for name in ("mean", "scale", "slopes")
                )
                known = tuple(Known(**one) for one in said["known"])
                least, farthest = tuple(said["least"]), tuple(said["farthest"])
                classifiers[question] = Classifier(
                    mean, scale, slopes, float(said["intercept"]), least, farthest, known
                )
            return cls(config["extractor"], classifiers)
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{directory}: not a complete {KIND}: {error}") from None


@cache
def shipped_reader() -> StructureReader:
    """The one that came with the package."""
    return StructureReader.load()
