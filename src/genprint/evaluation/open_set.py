"""Open set: whether probes of sources that are not enrolled stand out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import Comparer
from genprint.words import counted


@dataclass(frozen=True)
class OpenSet:
    """Means over sources that are unknown in their turn; known sources count alike, however many probes they have.

    Attributes:
        auroc: probability that a probe of a known source has a higher best score than one of the unknown.
        oscr: area under the rate of known probes attributed right against the rate of unknown probes attributed at
            all (Dhamija et al., "Reducing Network Agnostophobia", 2018).
        curve: from the strictest threshold to none, the rate of unknown probes attributed (FPIR, false positive
            identification of ISO/IEC 19795-1) and that of known probes not attributed right (FNIR), ``(101, 2)``.
    """

    auroc: Mean
    oscr: Mean
    curve: tuple[tuple[float, float], ...] = field(repr=False)


def open_set(
    fingerprints: Mapping[str, Fingerprint],
    comparer: Comparer,
    groups: Mapping[str, str],
    enrolled: int,
    size: int,
    seed: int = 0,
) -> OpenSet:
    """Each source is unknown in its turn, and with it all sources of its group leave the gallery.

    Args:
        fingerprints: of each source, by name.
        comparer: scores probes against the gallery.
        groups: of each source: its own name where only the source itself is unknown and its siblings stay enrolled,
            its architecture, its class.
        enrolled: images of each source in the gallery.
        size: images in a probe; probes are disjoint.
        seed: of the division of the images.

    Raises:
        ValueError: a source has too few images, or a group is all there is.
    """
    rng = np.random.default_rng(seed)
    names = list(fingerprints)
    if len({groups[name] for name in names}) < 2:
        raise ValueError("all sources are of one group: with that unknown, nothing would be enrolled")
    gallery, probes, owners = [], [], []
    for i, (name, source) in enumerate(fingerprints.items()):
        if len(source) < enrolled + size:
            raise ValueError(
                f"{name}: {counted(len(source), 'image')}: too few to enroll {enrolled} and probe with {size}"
            )
        order = rng.permutation(len(source))
        gallery.append(source[order[:enrolled]])
        for start in range(enrolled, len(order) - size + 1, size):
            probes.append(source[order[start : start + size]])
            owners.append(i)
    owner = np.array(owners)
    weight = 1 / np.bincount(owner)[owner]
    turns: list[_Turn] = []
    scores: dict[str, np.ndarray] = {}
    for i, name in enumerate(names):
        inside = np.array([groups[other] != groups[name] for other in names])
        enrolled_now = np.flatnonzero(inside)
        if groups[name] not in scores:  # comparers may be trained on the gallery: the unknown source has to be absent
            scores[groups[name]] = comparer.score(probes, [gallery[j] for j in enrolled_now])
        found = scores[groups[name]]
        known = inside[owner]
        best, right = found.max(1), enrolled_now[found.argmax(1)] == owner
        turns.append(_Turn(best[known], right[known], weight[known] / weight[known].sum(), best[owner == i]))
    return OpenSet(
        over_sources([oscr(t.known, np.ones(len(t.known)), t.unknown, t.weights) for t in turns], seed),
        over_sources([oscr(t.known, t.right, t.unknown, t.weights) for t in turns], seed),
        _curve(turns),
    )


class _Turn(NamedTuple):
    """Best scores of known and unknown probes; of the known, whether right, and weights that sum to one."""

    known: np.ndarray
    right: np.ndarray
    weights: np.ndarray
    unknown: np.ndarray


def _curve(turns: Sequence[_Turn]) -> tuple[tuple[float, float], ...]:
    """FPIR and FNIR at thresholds common to all turns; every source that is unknown in its turn counts the same."""
    unknown = np.concatenate([turn.unknown for turn in turns])
    weights = np.concatenate([np.full(len(turn.unknown), 1 / len(turn.unknown) / len(turns)) for turn in turns])
    order = np.argsort(-unknown)
    passed = np.cumsum(weights[order])
    points = []
    for rate in np.linspace(0, 1, 101):
        allowed = int((passed <= rate + 1e-9).sum())  # so many unknown probes may pass; the next one sets the threshold
        threshold = unknown[order[allowed]] if allowed < len(order) else -np.inf
        reached = float(weights[unknown > threshold].sum())
        found = [turn.weights[turn.right & (turn.known > threshold)].sum() for turn in turns]
        points.append((reached, 1 - float(np.mean(found))))
    return tuple(points)


def oscr(known: np.ndarray, right: np.ndarray, unknown: np.ndarray, weights: np.ndarray) -> float:
    """Area under correct attribution against false: mean, over unknown probes, of the share of known ones that are
    right and score higher (ties half). With all right it is the area under the ROC curve.

    Args:
        known: best scores of known probes, ``(n,)``.
        right: whether each of these is attributed to its source, 0 or 1, ``(n,)``.
        unknown: best scores of unknown probes, ``(m,)``.
        weights: of the known probes, ``(n,)``; they sum to one.
    """
    higher = (known[:, None] > unknown[None]) + 0.5 * (known[:, None] == unknown[None])
    return float((weights * right) @ higher.mean(1))
