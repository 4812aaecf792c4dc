"""Structure: what the source of an image set is built like, as far as that can be read of its trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genprint.answers.families import FamilyTree
from genprint.answers.results import UNKNOWN, Result, plain_text
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.sets import LeftOut
from genprint.scoring.structure import ANSWERS, DOUBLING, JPEG, STATED, Known, StructureReader, shipped_reader
from genprint.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WORDS = {
    DOUBLING: {
        STATED[DOUBLING]: "the last doubling looks like a transposed convolution or a sub-pixel one",
        UNKNOWN: "how the last doubling was made is not seen",
    },
    JPEG: {STATED[JPEG]: "saved as JPEG before", UNKNOWN: "no JPEG is seen, which does not mean that there was none"},
}
# On a branch of a tree there is little room.
_NOTES = {DOUBLING: "last doubling transposed or sub-pixel", JPEG: "JPEG before"}


@dataclass(frozen=True)
class Trait:
    """One thing that was asked of a set.

    Attributes:
        question: 'last doubling' or 'JPEG before'.
        answer: that of ``genprint.scoring.structure.STATED``, or 'unknown'.
        probabilities: of each answer, were it one of these; calibrated on simulated sources, not on generators.
        known: how often such answers were right and wrong on known sources, of one kind each.
    """

    question: str
    answer: str
    probabilities: Mapping[str, float]
    known: tuple[Known, ...] = ()


@dataclass(frozen=True)
class Structure(Result):
    """What was read of a set.

    Attributes:
        source: the set's name.
        images: that were used.
        traits: one of each question.
        left_out: images that could not be used, and why.
    """

    source: str
    images: int
    traits: tuple[Trait, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def verdict(self) -> str:
        return f"{self.source} ({counted(self.images, 'image')}): {'; '.join(map(_sentence, self.traits))}"

    def plot(self, ax: Axes) -> Axes:
        """The probability of each answer; those of unknown ones in grey."""
        rows = [(trait, answer, p) for trait in self.traits for answer, p in trait.probabilities.items()][::-1]
        colours = ["C0" if trait.answer == answer else "0.7" for trait, answer, _ in rows]
        labels = [plain_text(f"{trait.question}: {answer}") for trait, answer, _ in rows]
        ax.barh(labels, [chance for *_, chance in rows], color=colours)
        ax.set_xlim(0, 1)
        ax.set_xlabel("probability")
        return ax


def _sentence(trait: Trait) -> str:
    return _WORDS[trait.question][trait.answer]


def read_structure(fingerprint: Fingerprint, reader: StructureReader | None = None) -> Structure:
    """What can be read of a fingerprint; 'unknown' wherever that is not sure.

    Only traces that are seen are stated: that each pixel of a block has filters of its own, that images were saved as
    JPEG. 'unknown' does not mean that there is no such trace. A trace is stated where its absence is excluded at the
    level of one in twenty simulated sets, and the set is not unlike all of these. Nothing is said of the last doubling
    of sets that were likelier saved as JPEG than not.

    Args:
        fingerprint: by the shipped model for thumbnails.
        reader: by default the shipped one.

    Raises:
        StructureError: the fingerprint is by another model.
    """
    reader = reader or shipped_reader()
    reader.check(fingerprint)
    mean, count = fingerprint.mean, fingerprint.count
    compressed = reader.classifiers[JPEG].probability(mean) >= 0.5
    traits = []
    for question, classifier in reader.classifiers.items():
        second = classifier.probability(mean)
        silent = question == DOUBLING and compressed
        answer = STATED[question] if classifier.stated(question, mean, count) and not silent else UNKNOWN
        chances = dict(zip(ANSWERS[question], (1 - second, second), strict=True))
        traits.append(Trait(question, answer, chances, classifier.known))
    return Structure(fingerprint.source, count, tuple(traits), fingerprint.left_out)


def shared_structure(tree: FamilyTree, structures: Mapping[str, Structure]) -> dict[int, str]:
    """What is read of all leaves below each branch of a tree, in a few words, by the row of ``tree.linkage``.

    A branch is not in it if nothing is read of one of its leaves, or if the branch above shares the same.

    Args:
        tree: of sources.
        structures: of these, by name; of those that are lacking nothing is known.
    """
    shared: list[frozenset[str]] = [
        frozenset(trait.question for trait in structures[name].traits if trait.answer != UNKNOWN)
        if name in structures else frozenset() for name in tree.sources
    ]  # fmt: skip
    notes: dict[int, str] = {}
    for left, right, *_ in tree.linkage:
        shared.append(shared[int(left)] & shared[int(right)])
    told: dict[int, frozenset[str]] = {}
    count = len(tree.sources)
    for row in reversed(range(len(tree.linkage))):  # from the root, so that nothing is said twice
        own = shared[count + row]
        if new := own - told.get(count + row, frozenset()):
            notes[row] = "; ".join(_NOTES[question] for question in sorted(new))
        told |= {int(child): own for child in tree.linkage[row, :2]}
    return notes
