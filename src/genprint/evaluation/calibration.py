"""Calibration: whether likelihood ratios mean what they say, for sources that calibration has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from sklearn.isotonic import IsotonicRegression

from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.gallery.enrolled import Enrolled
from genprint.model import Model
from genprint.scoring.likelihood_ratio import LEAST, LEAST_UNTESTED
from genprint.scoring.thresholds import disjoint_subsets
from genprint.words import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Likelihood ratios of probes for their own source, and for the best of the others where that is not enrolled.

    Each source is left out of calibration in its turn.

    Attributes:
        cllr: cost of the ratios, mean over sources; 0 is perfect, 1 says nothing (Brummer & du Preez, "Application-
            independent evaluation of speaker detection", 2006).
        cllr_min: of the same ratios recalibrated as well as any monotone function could: what discrimination lacks.
        ece: mean gap of the posterior (at even prior) from the share of true propositions, over ten bins.
        misleading: share of probes of sources not enrolled whose ratio for the best candidate is above one.
        capped: share of ratios for the true source that reach the cap.
        cap: largest natural log of a ratio.
        elub: empirical lower and upper bound of the ratios, natural logs (Vergeer et al., "Numerical likelihood ratios
            outputted by LR systems are often based on extrapolation: when to stop extrapolating?", 2016): beyond, so
            many probes bear out no ratio. None without the extra ``evaluation``.
        same: log ratios for the true source, of each source's probes.
        different: log ratios for the best candidate, of probes whose source is not enrolled.
    """

    cllr: Mean
    cllr_min: float
    ece: float
    misleading: Mean
    capped: Mean
    cap: float
    elub: tuple[float, float] | None
    same: dict[str, tuple[float, ...]] = field(repr=False)
    different: dict[str, tuple[float, ...]] = field(repr=False)

    def figure(self) -> Figure:
        """Tippett plot, and reliability of the posterior at even prior."""
        from genprint.report.figures import new_figure

        figure = new_figure(9, 4)
        tippett, reliability = figure.subplots(1, 2)
        for kind, label in ((self.same, "own source"), (self.different, "best of the others, own not enrolled")):
            values = np.sort(np.concatenate([np.array(llrs) for llrs in kind.values()]))
            tippett.plot(values, 1 - np.arange(len(values)) / len(values), label=label)
        tippett.axvline(0, color="grey", linewidth=0.8)
        tippett.set(xlabel="log likelihood ratio (natural log), at least", ylabel="share of probes")
        tippett.legend()
        centres, shares = reliability_bins(*_weighted(self.same, self.different))[:2]
        reliability.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
        reliability.plot(centres, shares, "o-")
        reliability.set(xlabel="posterior at even prior", ylabel="share that is of the source")
        return figure


def calibration(
    model: Model, fingerprints: Mapping[str, Fingerprint], enrolled: int, size: int, repeats: int = 3, seed: int = 0
) -> Calibration:
    """Enrolls all sources; each in its turn is left out of calibration, then probes of it are weighed.

    Args:
        model: of the fingerprints.
        fingerprints: of each source, by name.
        enrolled: images of each source in the gallery.
        size: images in a probe; at most half of ``enrolled``, for calibration needs sets as large.
        repeats: new divisions of the images.
        seed: of these.

    Raises:
        ValueError: too few sources, too few images, or too large a probe.
    """
    least = LEAST if model.scorer.learned else LEAST_UNTESTED
    if len(fingerprints) <= least:
        raise ValueError(
            f"calibration needs {least + 1} sources or more, one of them left out; there are {len(fingerprints)}"
        )
    if 2 * size > enrolled:
        raise ValueError(
            f"probes of {counted(size, 'image')} need {2 * size} enrolled ones of each source for calibration"
        )
    for name, source in fingerprints.items():
        if len(source) < enrolled + size:
            raise ValueError(
                f"{name}: {counted(len(source), 'image')}: too few to enroll {enrolled} and probe with {size}"
            )
    same: dict[str, list[float]] = {name: [] for name in fingerprints}
    different: dict[str, list[float]] = {name: [] for name in fingerprints}
    cap = np.inf
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        orders = {name: rng.permutation(len(source)) for name, source in fingerprints.items()}
        known = {name: source[orders[name][:enrolled]] for name, source in fingerprints.items()}
        everyone = Enrolled(model.scorer, list(known.values()))
        for i, (name, source) in enumerate(fingerprints.items()):
            others = Enrolled(model.scorer, [own for other, own in known.items() if other != name])
            calibrated = others.ratios().calibration(size)
            assert calibrated is not None
            cap = min(cap, calibrated.cap)
            for probe in disjoint_subsets(source[orders[name][enrolled:]], size, 20, rng):
                best = int(others.known.llr([probe])[0].argmax())
                for llrs, system, chosen in ((same, everyone, i), (different, others, best)):
                    llrs[name] += calibrated.llr(system.ratios().features(probe, chosen)).tolist()
    return summarise(
        {name: tuple(llrs) for name, llrs in same.items()},
        {name: tuple(llrs) for name, llrs in different.items()},
        float(cap),
        seed,
    )


def summarise(
    same: dict[str, tuple[float, ...]], different: dict[str, tuple[float, ...]], cap: float, seed: int = 0
) -> Calibration:
    """Costs of log likelihood ratios (natural logs), by source; each source weighs alike."""
    costs = [(cost(np.array(same[name])) + cost(-np.array(different[name]))) / 2 for name in same]
    values, truth, weights = _weighted(same, different)
    posterior = IsotonicRegression(y_min=0, y_max=1).fit(values, truth, weights).predict(values)
    with np.errstate(divide="ignore"):
        best = np.where(truth == 1, np.log2(1 / posterior), np.log2(1 / (1 - posterior)))
    gaps, masses = reliability_bins(values, truth, weights)[2:]
    return Calibration(
        cllr=over_sources(costs, seed),
        cllr_min=float((best * weights).sum() / weights.sum()),
        ece=float((np.abs(gaps) * masses).sum()),
        misleading=over_sources([float(np.mean(np.array(llrs) > 0)) for llrs in different.values()], seed),
        capped=over_sources([float(np.mean(np.array(llrs) >= cap - 1e-9)) for llrs in same.values()], seed),
        cap=cap,
        elub=elub(values, truth),
        same=same,
        different=different,
    )


def elub(llrs: np.ndarray, truth: np.ndarray) -> tuple[float, float] | None:
    """Empirical lower and upper bound of ratios, in natural logs; None if ``lir`` is not installed.

    Args:
        llrs: natural logs, of true propositions and of false ones.
        truth: of each, one or zero.
    """
    try:
        from lir.algorithms.bayeserror import elub as bounds
    except ImportError:
        return None
    low, high = bounds(llrs / np.log(10), truth)  # theirs are decimal
    return float(low * np.log(10)), float(high * np.log(10))


def cost(llr: np.ndarray) -> float:
    """Mean of log2(1 + 1 / ratio): half of Cllr, for log ratios of a true proposition."""
    return float(np.logaddexp(0, -llr).mean() / np.log(2))


def _weighted(
    same: Mapping[str, tuple[float, ...]], different: Mapping[str, tuple[float, ...]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratios, truth and weights: both kinds alike, and each source alike within."""
    values: list[float] = []
    truth: list[int] = []
    weights: list[float] = []
    for kind, label in ((same, 1), (different, 0)):
        for llrs in kind.values():
            values += llrs
            truth += [label] * len(llrs)
            weights += [1 / len(kind) / len(llrs)] * len(llrs)
    return np.array(values), np.array(truth), np.array(weights)


def reliability_bins(
    llr: np.ndarray, truth: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the bins of the posterior that are not empty: mean posterior, share that is true, gap of both, and mass."""
    posterior = 1 / (1 + np.exp(-llr))
    place = np.minimum((posterior * _BINS).astype(int), _BINS - 1)
    mass = np.bincount(place, weights, _BINS)
    filled = mass > 0
    means = np.bincount(place, weights * posterior, _BINS)[filled] / mass[filled]
    shares = np.bincount(place, weights * truth, _BINS)[filled] / mass[filled]
    return means, shares, shares - means, mass[filled] / mass.sum()
