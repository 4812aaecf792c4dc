"""Mixed sets: images of which enrolled sources a probe holds, in what shares, and which image is likely whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from genprint.answers.results import UNKNOWN, Result, plain_text
from genprint.fingerprints.conditions import ORIGINAL
from genprint.fingerprints.fingerprint import Fingerprint, check_comparable
from genprint.fingerprints.fingerprinter import Progress
from genprint.gallery.enrolled import Enrolled, EnrolledIn
from genprint.images.sets import LeftOut
from genprint.model import Model
from genprint.scoring.base import Scorer
from genprint.scoring.exchangeability import ALPHA
from genprint.scoring.threads import one_thread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SINGLE, MIXED = "single", "mixed"
_FOLDS = 5
_ITERATIONS = 300
_FARTHEST = 500  # nats; keeps likelihoods above zero


@dataclass(frozen=True)
class Share:
    """An enrolled source's part of the probe, with the 95 % interval of the bootstrap over the probe's images."""

    source: str
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Member:
    """An image of the probe, by file name and SHA-256, and whose it likely is."""

    image: str
    sha256: str
    source: str
    probability: float


@dataclass(frozen=True)
class Mixture(Result):
    """What a probe is made of.

    Attributes:
        probe: its name.
        decision: 'single' (nothing speaks against one source), 'mixed', or 'unknown' (not made of enrolled sources).
        shares: of the enrolled sources, largest first. They are of those alone and always sum to one.
        images: of the probe that were used.
        mixed_p: of the hypothesis that all images are of the first source: how often as large a share of others is
            found in sets of that source alone.
        fit_p: of the exchangeability test, for the hypothesis that the probe's images are drawn as the enrolled
            sources', in these shares.
        members: the probe's images in their order.
        condition: that the probe seems to be in, and in which it was compared.
        left_out: images that could not be used, and why.
    """

    probe: str
    decision: str
    images: int
    shares: tuple[Share, ...]
    mixed_p: float
    fit_p: float
    members: tuple[Member, ...] = field(repr=False)
    condition: str = ORIGINAL
    left_out: tuple[LeftOut, ...] = ()

    @property
    def verdict(self) -> str:
        said = {
            SINGLE: "nothing speaks against one source",
            MIXED: "images of several sources",
            UNKNOWN: "not made of the known sources alone; the shares are no answer",
        }
        return f"{self.probe}: {self.decision} ({said[self.decision]})"

    def plot(self, ax: Axes) -> Axes:
        """Shares with their intervals."""
        shown = [share for share in self.shares if share.high > 0.005][::-1]
        around = [[s.share - s.low for s in shown], [s.high - s.share for s in shown]]
        ax.barh([plain_text(s.source) for s in shown], [s.share for s in shown], xerr=np.clip(around, 0, None))
        ax.set_xlabel("share of the probe's images")
        return ax


@one_thread
def unmix(
    model: Model,
    known: Mapping[str, Fingerprint],
    probe: Fingerprint,
    draws: int = 500,
    seed: int = 0,
    conditions: bool = True,
    progress: Progress | None = None,
) -> Mixture:
    """Estimates what a probe is made of.

    Shares are the most likely ones given each image's likelihood under each source (expectation maximisation;
    Saerens, Latinne & Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori Probabilities", 2002).
    Likelihoods of single images are overconfident; a temperature is fitted so that enrolled images, each scored by a
    gallery without it, get calibrated probabilities.

    Images of the probe that are enrolled are left out: matching an image with itself is not evidence.

    Args:
        model: of the fingerprints.
        known: fingerprint of each enrolled source, by name.
        probe: the set in question.
        draws: of the bootstrap and of sets of one source.
        seed: of these.
        conditions: whether a probe that looks processed is compared with the enrolled images after the same processing.
        progress: called with the number of enrolled images read in the probe's condition since its last call.

    Raises:
        ImageSetError: all images are enrolled.
        ValueError: fewer than two sources, or one with fewer than two images.
    """
    check_comparable([probe, *known.values()])
    probe = probe.without(known)
    enrolled, compared = EnrolledIn(model, known, conditions).match(_alone(probe), progress)
    probe = replace(probe, features=np.concatenate([one.values for one in compared.probes]))
    names, gallery = enrolled.names, enrolled.fingerprints
    if len(names) < 2 or min(map(len, gallery)) < 2:
        raise ValueError("shares need two enrolled sources or more, with two images or more each")
    rng = np.random.default_rng(seed)
    held, owners = _held_out(model.scorer, gallery, rng)
    temperature = _temperature(held, owners)
    alike = _likelihoods(_single(model.scorer, [probe], gallery) / temperature)
    once = np.ones((1, len(probe)))
    shares = _shares(alike, once)[0]
    again = _shares(alike, rng.multinomial(len(probe), once[0] / len(probe), draws).astype(float))
    low, high = np.quantile(again, [0.025, 0.975], axis=0)
    order = np.argsort(-shares)
    mixed_p = _mixed(_likelihoods(held[owners == order[0]] / temperature), order[0], shares, len(probe), draws, rng)
    fit_p = _fit(enrolled, shares, probe, rng)
    decision = UNKNOWN if fit_p <= ALPHA else MIXED if mixed_p <= ALPHA else SINGLE
    # Memberships are averaged over the bootstrap, for the shares they depend on are uncertain.
    weights = np.mean([alike * draw / (alike @ draw)[:, None] for draw in again], axis=0)
    return Mixture(
        probe=probe.source,
        decision=decision,
        images=len(probe),
        shares=tuple(Share(names[i], *map(float, (shares[i], low[i], high[i]))) for i in order),
        mixed_p=mixed_p,
        fit_p=fit_p,
        members=tuple(
            Member(image, digest, names[row.argmax()], float(row.max()))
            for image, digest, row in zip(probe.names or probe.digests, probe.digests, weights, strict=True)
        ),
        condition=compared.name,
        left_out=probe.left_out,
    )


def _single(scorer: Scorer, sets: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
    """Log ratios of each image of all sets alone, ``(n, sources)``."""
    known = [source.pooled() for source in gallery]
    return scorer.adapt(known).enroll(known).llr([image for images in sets for image in _alone(images)])


def _alone(images: Fingerprint) -> list[Fingerprint]:
    """The fingerprint of each image alone."""
    return [images[[i]] for i in range(len(images))]


def _held_out(
    scorer: Scorer, gallery: Sequence[Fingerprint], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Log ratios of each enrolled image by a gallery without it and its fold, and the numbers of their sources."""
    folds = min(_FOLDS, *map(len, gallery))
    parts = [np.array_split(rng.permutation(len(source)), folds) for source in gallery]
    ratios, owners = [], []
    for fold in range(folds):
        rest = [
            source[np.concatenate(part[:fold] + part[fold + 1 :])] for source, part in zip(gallery, parts, strict=True)
        ]
        left = [source[part[fold]] for source, part in zip(gallery, parts, strict=True)]
        ratios.append(_single(scorer, left, rest))
        owners += [i for i, images in enumerate(left) for _ in range(len(images))]
    return np.concatenate(ratios), np.array(owners)


def _temperature(ratios: np.ndarray, owners: np.ndarray) -> float:
    """What log ratios are divided by to make the owners' probabilities largest."""

    def surprise(log_temperature: float) -> float:
        return -float(log_softmax(ratios / np.exp(log_temperature), axis=1)[np.arange(len(owners)), owners].mean())

    return float(np.exp(minimize_scalar(surprise, bounds=(-1, 6), method="bounded").x))


def _likelihoods(logs: np.ndarray) -> np.ndarray:
    likelihoods: np.ndarray = np.exp((logs - logs.max(1, keepdims=True)).clip(-_FARTHEST))
    return likelihoods


def _shares(alike: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Most likely shares ``(draws, sources)`` of images with these likelihoods, each counted so often a draw."""
    shares = np.full((len(counts), alike.shape[1]), 1 / alike.shape[1])
    for _ in range(_ITERATIONS):
        shares = shares * ((counts / (shares @ alike.T)) @ alike) / counts.sum(1, keepdims=True)
    return shares


def _mixed(
    alone: np.ndarray, first: int, shares: np.ndarray, images: int, draws: int, rng: np.random.Generator
) -> float:
    """p of so small a share of the first source in sets of that source alone.

    Sets are drawn from its enrolled images, and those are drawn anew each time: they are a sample themselves.
    """
    once = np.full(len(alone), 1 / len(alone))
    enrolled = rng.multinomial(len(alone), once, draws) / len(alone)
    counts = rng.multinomial(images, enrolled).astype(float)
    return float((1 + (_shares(alone, counts)[:, first] <= shares[first]).sum()) / (1 + draws))


def _fit(enrolled: Enrolled, shares: np.ndarray, probe: Fingerprint, rng: np.random.Generator) -> float:
    """p of the exchangeability test of the probe against enrolled images in these shares."""
    gallery = enrolled.fingerprints
    most = min(len(source) / share for source, share in zip(gallery, shares, strict=True) if share > 0.01)
    counts = [min(len(source), round(share * most)) for source, share in zip(gallery, shares, strict=True)]
    drawn = [source[rng.permutation(len(source))[:count]] for source, count in zip(gallery, counts, strict=True)]
    return enrolled.exchangeable(sum(drawn[1:], start=drawn[0]), probe)
