"""Verification: whether two image sets have one source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from genprint.answers.copies import check_no_copies
from genprint.answers.results import DIFFERENT, INCONCLUSIVE, SAME, Result
from genprint.fingerprints.conditions import KEPT
from genprint.fingerprints.fingerprint import Fingerprint, check_disjoint
from genprint.fingerprints.fingerprinter import Progress, expect
from genprint.gallery.store import NotEnough
from genprint.images.processing import Processing
from genprint.images.sets import ImageSet, LeftOut
from genprint.model import Model
from genprint.scoring.equalising import ALL, equalised
from genprint.scoring.population import Judgement, ReferencePopulation
from genprint.scoring.told import Told
from genprint.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNLIKE = (
    "Pictures that were saved with loss are not called the same by the sources that came with the model, which are far "
    "easier to tell apart than such pictures: give sources like them (--known)."
)


@dataclass(frozen=True)
class Verification(Result):
    """Whether two sets have the same source.

    Attributes:
        left: name of the one set.
        right: name of the other.
        decision: 'same', 'different' or 'inconclusive'.
        llr: calibrated natural log of the likelihood ratio of ``hp`` against ``hd``, no more than the population's
            sources support. None where it does not hold: sets unlike the population's, or that may be in several
            conditions.
        images: of each set.
        evidence: similarity, thresholds, conditions.
        hp: the first proposition.
        hd: the second one.
        rate: of either error, over the sources of the population.
        population: whose sources set thresholds and ratio.
        sources: how many these are.
        left_out: images that could not be used, and why.
        said: how sets that were saved differently were compared, in sentences.
    """

    left: str
    right: str
    decision: str
    llr: float | None
    images: tuple[int, int]
    evidence: Judgement
    hp: str
    hd: str
    rate: float
    population: str
    sources: int
    left_out: tuple[LeftOut, ...] = ()
    said: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        left, right = (counted(images, "image") for images in self.images)
        return f"{self.left} ({left}), {self.right} ({right}): {self.decision}"

    def plot(self, ax: Axes) -> Axes:
        """The similarity of both sets between the thresholds."""
        ax.axvline(self.evidence.similarity, color="black", label="these sets")
        if self.evidence.same_above is not None and self.evidence.different_below is not None:
            ax.axvspan(self.evidence.same_above, 1, alpha=0.2, color="tab:green", label="same")
            ax.axvspan(-1, self.evidence.different_below, alpha=0.2, color="tab:red", label="different")
        ax.set(xlim=(-1, 1), yticks=[], xlabel="similarity (cosine)")
        ax.legend()
        return ax


def population_of(
    model: Model,
    known: Mapping[str, Fingerprint],
    name: str,
    rate: float,
    conditions: Sequence[Processing],
    progress: Progress | None,
) -> ReferencePopulation:
    """How alike sets of known sources are, in these conditions, too; by images whose originals are kept, if in any.

    Raises:
        NotEnough: fewer than two sources, or one of a single image.
    """
    if conditions:
        known = {source: fingerprint.kept(KEPT) for source, fingerprint in known.items()}
        expect(progress, len(conditions) * sum(map(len, known.values())))
    try:
        return ReferencePopulation.fit(model.plda, known, name, rate, conditions, progress)
    except ValueError as error:
        raise NotEnough(str(error)) from None


def pair_of(model: Model, left: Any, right: Any, progress: Progress | None) -> tuple[Fingerprint, Fingerprint]:
    """Fingerprints of two image sets that are to be compared; either is whatever ``ImageSet.of`` takes."""
    one, other = ImageSet.of(left, default="left"), ImageSet.of(right, default="right")
    return model.fingerprint(one, progress, looks=True), model.fingerprint(other, progress, looks=True)


def verify(
    model: Model, left: Fingerprint, right: Fingerprint, population: ReferencePopulation | None = None
) -> Verification:
    """Whether two sets have the same source.

    If one was saved with loss, the other without, and that one's images are at hand, it is compared as saved alike.

    Args:
        model: of the fingerprints.
        left: the one set.
        right: the other.
        population: sources like those in question, of the same content; by default the one that came with the model.

    Raises:
        ImageSetError: the sets share an image.
        ValueError: there is no population, or the model's scorer is no PLDA.
    """
    check_disjoint(left, right)
    check_no_copies(left, right)
    # Of pictures saved with loss, the sources that came with the model are far easier to tell apart than others'.
    unlike = population is None and any(_lossy_picture(one) for one in (left, right))
    population = population or model.population
    if population is None:
        raise ValueError("this model has no reference population to judge by; give known sources")
    left_out = left.left_out + right.left_out
    (left, right), said, alike = equalised([left, right])
    found = population.judge(model.plda, left, right)
    decision = INCONCLUSIVE
    if found.typical and found.same_above is not None and found.different_below is not None:
        if found.similarity >= found.same_above:
            decision = INCONCLUSIVE if unlike else SAME
        elif found.similarity <= found.different_below and found.one_condition:
            # What was done to pictures after they were made sets them apart, too.
            decision = DIFFERENT if alike or not Told.of([left]).large else INCONCLUSIVE
    if unlike:
        found = replace(found, llr=None)
        said = (*said, _UNLIKE)
    return Verification(
        left.source, right.source, decision, found.llr, (len(left), len(right)), found,
        hp="one source made both sets", hd=f"two sources made them, like those of: {population.population}",
        rate=population.rate, population=population.population, sources=population.sources,
        left_out=left_out, said=said,
    )  # fmt: skip


def _lossy_picture(images: Fingerprint) -> bool:
    """Whether images above thumbnails were saved with loss, or may have been."""
    told = Told.of([images])
    return told.large and (not told.files.lossless(ALL) or told.last is not None or told.unclear)
