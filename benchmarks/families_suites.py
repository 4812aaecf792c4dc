"""The suites of benchmarks/families.py: labelled sources, and their distances by every method."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import mnist
import numpy as np
from common import ROOT, held_out, labels
from scipy.linalg import eigh

from genprint.answers.consensus import consensus
from genprint.evaluation.methods import METHODS
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.plda import PLDA

IMAGES, SHRUNK, DISCRIMINANTS = 64, 0.5, 8
DEFAULT, CONSENSUS, LEARNED = "set_encoder", "consensus", "learned"


@dataclass
class Suite:
    """Labelled sources, from as many images of each.

    Attributes:
        about: of each source, its label of each kind, or '' where it is not known.
        reference: sources that a metric may be learned from; None where another encoder is in use.
    """

    name: str
    sets: list[ImageSet]
    about: Mapping[str, Mapping[str, str]]
    model: Model
    cache: Cache
    reference: Suite | None = None
    made: dict[str, list[Fingerprint]] = field(default_factory=dict)

    @cached_property
    def names(self) -> list[str]:
        return [images.name for images in self.sets]

    def whole(self) -> list[Fingerprint]:
        """Of all images, by the default."""
        return [self.model.fingerprinter.extract(images, cache=self.cache) for images in self.sets]

    def fingerprints(self, method: str) -> list[Fingerprint]:
        """Of as many images of each source, drawn by the source's name."""
        front = METHODS[method].reader(self.model, None, self.sets)
        if front.method not in self.made:
            found = [front.extract(images, cache=self.cache) for images in self.sets]
            fewest = min(IMAGES, *map(len, found))
            self.made[front.method] = [
                one[np.random.default_rng(i).permutation(len(one))[:fewest]] for i, one in enumerate(found)
            ]
        return self.made[front.method]

    def distances(self, method: str) -> np.ndarray | None:
        """Between all sources; None where the method does not apply."""
        if method == CONSENSUS:
            both = (self.distances(DEFAULT), self.distances("spectrum"))
            return consensus([one for one in both if one is not None])
        if method == LEARNED:
            return None if self.reference is None else self._learned(self.reference)
        return METHODS[method].comparer(self.model).distances(self.fingerprints(method))

    def _learned(self, reference: Suite) -> np.ndarray:
        """Along the discriminants of the reference's classes, of architectures that are not among these sources."""
        scorer = self.model.scorer
        assert isinstance(scorer, PLDA)
        known, ours = (_white(scorer, suite.fingerprints(DEFAULT)) for suite in (reference, self))
        kinds = np.array([reference.about[name]["class"] for name in reference.names])
        built = np.array([reference.about[name]["architecture"] for name in reference.names])
        mine = np.array([self.about[name]["architecture"] for name in self.names])
        apart = np.zeros((len(ours), len(ours)))
        for out in {one if one in built else "" for one in mine}:
            left = built != out
            rows = np.flatnonzero(mine == out) if out else np.flatnonzero(~np.isin(mine, built))
            apart[rows] += _cosines(ours @ discriminants(known[left], kinds[left]))[rows]
        return (apart + apart.T) / 2


def _white(scorer: PLDA, sources: Sequence[Fingerprint]) -> np.ndarray:
    means, counts = scorer.adapt(sources).coordinates(sources)
    white: np.ndarray = means / np.sqrt(scorer.between_variance + 1 / counts)
    return white


def discriminants(vectors: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Columns along which kinds differ most for how much sources of one kind do (Fisher, 1936; shrunk)."""
    found, which = np.unique(kinds, return_inverse=True)
    centres = np.stack([vectors[which == i].mean(0) for i in range(len(found))])
    apart = vectors - centres[which]
    within = apart.T @ apart / (len(vectors) - len(found))
    within = (1 - SHRUNK) * within + SHRUNK * np.trace(within) / len(within) * np.eye(len(within))
    last = len(within) - 1
    columns: np.ndarray = eigh(np.cov(centres.T), within, subset_by_index=[last - DISCRIMINANTS + 1, last])[1]
    return columns


def _cosines(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    apart: np.ndarray = np.sqrt((2 - 2 * unit @ unit.T).clip(0))
    np.fill_diagonal(apart, 0)
    return apart


def reference(real: Path, cache: Cache, work: Path, test: bool) -> Suite:
    """The shipped generators but for descendants, with real images; perhaps only of the test architectures."""
    about, sets = {}, []
    for folder in shipped():
        said = describe(folder)
        if said["parent"] or (test and said["part"] != "test"):
            continue
        kept = work / f"{folder.name}.npy"
        if not kept.exists():
            np.save(kept, sample(load(folder)[0], folder.name, 128))
        sets.append(ImageSet.from_array(np.load(kept), folder.name))
        about[folder.name] = {kind: said[kind] for kind in ("class", "architecture")}
        about[folder.name]["final component"] = said["upsampling"]
    held = held_out(real)
    sets.append(ImageSet.from_array(held[np.random.default_rng(0).choice(len(held), 128, replace=False)], "real"))
    about["real"] = {"class": "real", "architecture": "real", "final component": "none"}
    return Suite("reference, test architectures" if test else "reference", sets, about, Model.load(), cache)


def wild(folder: Path, cache: Cache, known: Suite) -> Suite:
    """A set of third parties' sources."""
    with (ROOT / "benchmarks/final_components.csv").open(newline="") as file:
        rows = {row["source"]: row for row in csv.DictReader(file) if row["set"] == folder.name}
    about = {
        name: {
            "class": said["class"], "final component": rows[name]["final_component"],
            "architecture": architecture(folder.name, said["architecture"], rows[name]["words"]),
        }
        for name, said in labels(folder).items()
    }  # fmt: skip
    sets = list(mnist.read(folder).values()) if folder.name == "mnist" else read_sources(folder)
    pictures = folder.name == "t2i"
    model = Model.load("pictures") if pictures else known.model
    return Suite(folder.name, sets, about, model, cache, None if pictures else known)


def architecture(suite: str, said: str, words: str) -> str:
    """Its name without steps and epochs; of the anime sources, which are all DCGANs, how wide the generator is."""
    if suite == "anime64lineage":
        return "3x wide" if "(96," in words else "narrow"
    return re.split(r" \(|,| \d+ steps", said)[0]
