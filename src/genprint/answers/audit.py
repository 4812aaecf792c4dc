"""Audit: what else than a trace tells the sources of a folder apart, and how well.

A source whose files alone are JPEGs, or of another size, is identified by that. So a result on such a folder is void
until all files are brought to one form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from genprint.answers.results import Result
from genprint.images.content import colour_quantiles, thumbnail
from genprint.images.decoding import Image
from genprint.images.sets import ImageSet, LeftOut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILE, GRID, CONTENT = "file", "grid", "content"
_LEVEL = 0.001  # chance of a false alarm, a fact
_FOLDS = 5


@dataclass(frozen=True)
class Finding:
    """How well one fact of an image names its source.

    Attributes:
        fact: what was looked at.
        kind: 'file', 'grid' or 'content'.
        accuracy: mean over sources of the share of images named right, each image held out once.
        low: end of its one-sided interval: by chance alone, it is above ``chance`` in one case in a thousand.
        chance: that of guessing.
        warning: whether ``low`` is above chance.
        enough: whether there are images enough for a warning if the fact named all of them right.
        values: the most frequent values of each source, where they can be named.
    """

    fact: str
    kind: str
    accuracy: float
    low: float
    chance: float
    warning: bool
    enough: bool
    values: dict[str, str]


@dataclass(frozen=True)
class Audit(Result):
    """What tells the sources of a folder apart, beside a trace.

    Attributes:
        sources: number of images of each that were looked at, by name.
        findings: one for each fact.
        left_out: images that could not be used, and why.
    """

    sources: dict[str, int]
    findings: tuple[Finding, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def verdict(self) -> str:
        if self.warnings:
            return (
                f"sources differ in {', '.join(finding.fact for finding in self.warnings)}: a result may be due to that"
            )
        if not self.enough:
            return "too few images to tell any fact from chance; give 20 or more of each source"
        return "nothing but a trace was found to tell the sources apart"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {**super().to_dict(), "warnings": [finding.fact for finding in self.warnings]}

    def plot(self, ax: Axes) -> Axes:
        """The share of images whose source each fact names, and the chance level."""
        shown = self.findings[::-1]
        colours = ["tab:red" if finding.warning else "tab:grey" for finding in shown]
        ax.barh([finding.fact for finding in shown], [finding.accuracy for finding in shown], color=colours)
        ax.axvline(1 / max(1, len(self.sources)), color="black", linestyle="--", linewidth=0.8)
        ax.set(xlim=(0, 1), xlabel="share of images named right")
        return ax

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that could explain a result."""
        return tuple(finding for finding in self.findings if finding.warning)

    @property
    def enough(self) -> bool:
        """Whether there are images enough to tell."""
        return all(finding.enough for finding in self.findings)


@dataclass(frozen=True)
class _Fact:
    name: str
    kind: str
    # of an image: text, which is compared as it is, or numbers
    read: Callable[[Image], str | np.ndarray]


def _of_file(name: str, read: Callable[[Image], str]) -> _Fact:
    return _Fact(name, FILE, read)


_FACTS = (
    _of_file("format", lambda image: image.facts.format if image.facts else "array"),
    _of_file(
        "compression",
        lambda image: f"{image.facts.quality or 'none'} {image.facts.subsampling or ''}".strip() if image.facts else "",
    ),
    _of_file("size", lambda image: f"{image.pixels.shape[1]}x{image.pixels.shape[0]}"),
    _of_file("colour mode", lambda image: image.facts.mode if image.facts else ""),
    _of_file("metadata", lambda image: ", ".join(image.facts.metadata) if image.facts else ""),
    _Fact("8-px grid", GRID, lambda image: block_grid(image.pixels)),
    _Fact("colour", CONTENT, lambda image: colour_quantiles(image.pixels)),
    _Fact("thumbnail", CONTENT, lambda image: thumbnail(image.pixels)),
)


def block_grid(pixels: np.ndarray) -> np.ndarray:
    """How much steeper steps between columns and rows are at each of eight phases than on the whole, in logs ``(16,)``.

    An image that was once a JPEG keeps its 8x8 blocks in the pixels, whatever format it has now. Up-sampling by
    eight leaves such a grid too.
    """
    grey = pixels.astype(np.float64).mean(2)
    profiles = []
    for steps in (np.abs(np.diff(grey, 2, axis=1)).mean(0), np.abs(np.diff(grey, 2, axis=0)).mean(1)):
        phases = np.array([steps[phase::8].mean() for phase in range(8)])
        profiles.append(np.log(phases + 0.5) - np.log(phases.mean() + 0.5))
    return np.concatenate(profiles)


def audit(
    sets: Sequence[ImageSet], progress: Callable[[int], None] | None = None, most: int = 300, seed: int = 0
) -> Audit:
    """Predicts each image's source from facts of its file, and from colour and a thumbnail, by a random forest.

    Args:
        sets: of the sources.
        progress: called with 1 after each image.
        most: images of each source that are looked at.
        seed: of the forest and its folds.

    Raises:
        ValueError: fewer than two sources, or one with fewer than two images.
    """
    read: dict[str, list[list[str | np.ndarray]]] = {}
    left_out: list[LeftOut] = []
    for images in sets:
        rows = read.setdefault(images.name, [])
        for image in images.scan():
            if isinstance(image, LeftOut):
                left_out.append(image)
                continue
            rows.append([fact.read(image) for fact in _FACTS])
            if progress:
                progress(1)
            if len(rows) == most:
                break
    if len(read) < 2 or min(map(len, read.values())) < 2:
        raise ValueError("an audit needs two sources or more, with two images or more each")
    owners = np.repeat(list(read), [len(rows) for rows in read.values()])
    findings = []
    for i, fact in enumerate(_FACTS):
        values = [row[i] for rows in read.values() for row in rows]
        findings.append(_finding(fact, values, owners, seed))
    return Audit({name: len(rows) for name, rows in read.items()}, tuple(findings), tuple(left_out))


def _finding(fact: _Fact, values: list[str | np.ndarray], owners: np.ndarray, seed: int) -> Finding:
    from sklearn.preprocessing import OneHotEncoder

    names = np.unique(owners)
    common: dict[str, str] = {}
    if isinstance(values[0], str):
        texts = np.array(values)
        # rare values tell next to nothing, and a table as wide as it is long would not fit
        table = OneHotEncoder(sparse_output=False, max_categories=200).fit_transform(texts[:, None])
        for name in names:
            kinds, counts = np.unique(texts[owners == name], return_counts=True)
            common[str(name)] = "; ".join(f"{kinds[k] or 'none'} ({counts[k]})" for k in counts.argsort()[::-1][:3])
    else:
        table = np.stack(values)
    rates, counts = _recalls(table, owners, names, seed)
    # Under chance alone a source's rate has at most this variance; their mean is close to normal.
    spread = np.sqrt((np.clip(rates * (1 - rates), 1 / len(names) * (1 - 1 / len(names)), None) / counts).sum())
    from scipy.stats import norm

    accuracy, chance = float(rates.mean()), 1 / len(names)
    low = max(0.0, accuracy - float(norm.isf(_LEVEL) * spread / len(names)))
    least = 1 - norm.isf(_LEVEL) * np.sqrt((chance * (1 - chance) / counts).sum()) / len(names)
    return Finding(fact.name, fact.kind, accuracy, low, chance, low > chance, bool(least > chance), common)


def _recalls(table: np.ndarray, owners: np.ndarray, names: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Share of each source's images that are named right when held out, and how many it has."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    counts = np.array([(owners == name).sum() for name in names])
    if (table == table[0]).all():  # nothing to tell them by
        return np.full(len(names), 1 / len(names)), counts
    forest = RandomForestClassifier(50, min_samples_leaf=2, class_weight="balanced", random_state=seed)
    folds = StratifiedKFold(min(_FOLDS, int(counts.min())), shuffle=True, random_state=seed)
    right = cross_val_predict(forest, table, owners, cv=folds) == owners
    return np.array([right[owners == name].mean() for name in names]), counts
