"""Mixed sets: images of which enrolled sources a probe holds, in what shares, and which image is likely whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from genprint.answers.attribution import MISSES
from genprint.answers.families import plain_text
from genprint.answers.results import UNKNOWN, Result
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.fingerprint import Features, Fingerprint
from genprint.scoring.conditions import NONE, Matcher
from genprint.scoring.exchangeability import exchangeable

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
        answer: 'single' (nothing speaks against one source), 'mixed', or 'unknown' (not made of enrolled sources).
        shares: of the enrolled sources, largest first. They are of those alone and always sum to one.
        mixed_p: of the hypothesis that all images are of the first source: how often as large a share of others is
            found in sets of that source alone.
        fit_p: of the hypothesis that the probe's images are drawn as the enrolled sources', in these shares.
        members: the probe's images in their order.
        history: what the probe seems to have gone through, and the enrolled images were put through too.
    """

    probe: str
    answer: str
    images: int
    shares: tuple[Share, ...]
    mixed_p: float
    fit_p: float
    members: tuple[Member, ...] = field(repr=False)
    history: str = NONE
    left_out: tuple[dict[str, str], ...] = ()

    def plot(self, ax: Axes) -> Axes:
        """Shares with their intervals."""
        shown = [share for share in self.shares if share.high > 0.005][::-1]
        around = [[s.share - s.low for s in shown], [s.high - s.share for s in shown]]
        ax.barh([plain_text(s.source) for s in shown], [s.share for s in shown], xerr=np.clip(around, 0, None))
        ax.set_xlabel("share of the probe's images")
        return ax


def unmix(
    encoder: SetEncoder,
    enrolled: Mapping[str, Features],
    name: str,
    probe: Features,
    draws: int = 500,
    seed: int = 0,
) -> Mixture:
    """Estimates what a probe is made of.

    Shares are the most likely ones given each image's likelihood under each source (expectation maximisation;
    Saerens, Latinne & Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori Probabilities", 2002).
    Likelihoods of single images are too sure of themselves; they are tempered so that enrolled images, each scored
    by a gallery without it, get the probabilities they deserve.

    Images of the probe that are enrolled are left out: they would be compared with themselves.

    Args:
        draws: of the bootstrap and of sets of one source.

    Raises:
        ImageSetError: all of them are.
        ValueError: fewer than two sources, or one with fewer than two images.
    """
    probe = probe.without(enrolled)
    history = Matcher(encoder, encoder.plda_, list(enrolled.values())).match_mixed(_alone(encoder, probe))
    enrolled = {source: own.with_history(history) for source, own in enrolled.items()}
    names = list(enrolled)
    if len(names) < 2 or min(len(own) for own in enrolled.values()) < 2:
        raise ValueError("shares need two enrolled sources or more, with two images or more each")
    rng = np.random.default_rng(seed)
    held, owners = _held_out(encoder, list(enrolled.values()), rng)
    temperature = _temperature(held, owners)
    alike = _likelihoods(_single(encoder, [probe], list(enrolled.values())) / temperature)
    once = np.ones((1, len(probe)))
    shares = _shares(alike, once)[0]
    again = _shares(alike, rng.multinomial(len(probe), once[0] / len(probe), draws).astype(float))
    low, high = np.quantile(again, [0.025, 0.975], axis=0)
    order = np.argsort(-shares)
    mixed_p = _mixed(_likelihoods(held[owners == order[0]] / temperature), order[0], shares, len(probe), draws, rng)
    fit_p = _fit(encoder, list(enrolled.values()), shares, probe, rng)
    answer = UNKNOWN if fit_p <= MISSES else MIXED if mixed_p <= MISSES else SINGLE
    # whose an image is depends on shares that are not sure themselves
    weights = np.mean([alike * draw / (alike @ draw)[:, None] for draw in again], axis=0)
    return Mixture(
        probe=name,
        answer=answer,
        images=len(probe),
        shares=tuple(Share(names[i], *map(float, (shares[i], low[i], high[i]))) for i in order),
        mixed_p=mixed_p,
        fit_p=fit_p,
        members=tuple(
            Member(image, digest, names[row.argmax()], float(row.max()))
            for image, digest, row in zip(probe.names or probe.digests, probe.digests, weights, strict=True)
        ),
        history=history,
        left_out=tuple(asdict(left) for left in probe.left_out),
    )


def _single(encoder: SetEncoder, sets: Sequence[Features], gallery: Sequence[Features]) -> np.ndarray:
    """Log ratios of each image of all sets alone, ``(n, sources)``."""
    images = [image for own in sets for image in _alone(encoder, own)]
    return encoder.plda_.score(images, [encoder.summarise(own, "", vector=False) for own in gallery])


def _alone(encoder: SetEncoder, images: Features) -> list[Fingerprint]:
    """The fingerprint of each image alone."""
    return [encoder.summarise(images[[i]], "", vector=False, scatter=False) for i in range(len(images))]


def _held_out(
    encoder: SetEncoder, gallery: Sequence[Features], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Log ratios of each enrolled image by a gallery without it and its fold, and the numbers of their sources."""
    folds = min(_FOLDS, *(len(own) for own in gallery))
    parts = [np.array_split(rng.permutation(len(own)), folds) for own in gallery]
    ratios, owners = [], []
    for fold in range(folds):
        rest = [own[np.concatenate(part[:fold] + part[fold + 1 :])] for own, part in zip(gallery, parts, strict=True)]
        left = [own[part[fold]] for own, part in zip(gallery, parts, strict=True)]
        ratios.append(_single(encoder, left, rest))
        owners += [i for i, own in enumerate(left) for _ in range(len(own))]
    return np.concatenate(ratios), np.array(owners)


def _temperature(ratios: np.ndarray, owners: np.ndarray) -> float:
    """What log ratios are divided by to make the owners' probabilities largest."""

    def surprise(log_temperature: float) -> float:
        return -log_softmax(ratios / np.exp(log_temperature), axis=1)[np.arange(len(owners)), owners].mean()

    return float(np.exp(minimize_scalar(surprise, bounds=(-1, 6), method="bounded").x))


def _likelihoods(logs: np.ndarray) -> np.ndarray:
    return np.exp((logs - logs.max(1, keepdims=True)).clip(-_FARTHEST))


def _shares(alike: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Most likely shares ``(draws, sources)`` of images with these likelihoods, each counted so often a draw."""
    shares = np.full((len(counts), alike.shape[1]), 1 / alike.shape[1])
    for _ in range(_ITERATIONS):
        shares = shares * ((counts / (shares @ alike.T)) @ alike) / counts.sum(1, keepdims=True)
    return shares


def _mixed(
    alone: np.ndarray, first: int, shares: np.ndarray, images: int, draws: int, rng: np.random.Generator
) -> float:
    """p of so small a share of the first source in sets of its own images.

    Sets are drawn from its enrolled images, and those are drawn anew each time: they are a sample themselves.
    """
    once = np.full(len(alone), 1 / len(alone))
    enrolled = rng.multinomial(len(alone), once, draws) / len(alone)
    counts = rng.multinomial(images, enrolled).astype(float)
    return float((1 + (_shares(alone, counts)[:, first] <= shares[first]).sum()) / (1 + draws))


def _fit(
    encoder: SetEncoder, gallery: Sequence[Features], shares: np.ndarray, probe: Features, rng: np.random.Generator
) -> float:
    """p of the test that the probe's images are drawn as enrolled ones in these shares."""
    most = min(len(own) / share for own, share in zip(gallery, shares, strict=True) if share > 0.01)
    counts = [min(len(own), round(share * most)) for own, share in zip(gallery, shares, strict=True)]
    alike = [own.values[rng.permutation(len(own))[:count]] for own, count in zip(gallery, counts, strict=True)]
    project = encoder.plda_.project
    return exchangeable(project(np.concatenate(alike)), project(probe.values))
