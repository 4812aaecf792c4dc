"""Learning to read structure: simulated decoders whose structure is known, untouched and saved as JPEG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from genprint.encoder.training.decoders import KINDS, NONE, SUB_PIXEL, TRANSPOSED, DecoderStructure, trained_decoder
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.fingerprints.residuals import to_pixels
from genprint.images.processing import Jpeg
from genprint.images.sets import ImageSet
from genprint.scoring.structure import DOUBLING, JPEG, SIZES, Classifier, StructureReader

#: decoders that are trained, images of each, and real images that each learns from
NUMBER, IMAGES, LEARNED_FROM = 112, 32, 2000
_REAL_SETS = 30
_QUALITIES = (50, 97)
# Of held-out sets: that the true answer is excluded from, and that count as unlike the others.
_EXCLUDED, _FAR = 0.05, 0.01
_FOLDS, _DRAWS = 4, 3
# Inverse strength of the ridge; chosen on shipped generators of the train and calibration architectures.
_STRENGTH = {DOUBLING: 0.1, JPEG: 0.01}


@dataclass(frozen=True, eq=False)
class Simulated:
    """Images of a source, uint8 ``(n, h, w, 3)``, and what made them; None: a camera."""

    images: np.ndarray
    structure: DecoderStructure | None


def simulated_decoders(
    images: np.ndarray, number: int = NUMBER, seed: int = 7, progress: Callable[[int], None] | None = None
) -> list[Simulated]:
    """Decoders of random structures, each trained on real images, with what they make; and sets of real images.

    Args:
        images: real, uint8 ``(n, h, w, 3)``.
        number: of decoders, as many of each kind but ``NONE``.
        seed: of structures and choices.
        progress: called with 1 after each decoder.
    """
    made = []
    numbers = (i for i in range(number * len(KINDS)) if KINDS[i % len(KINDS)] != NONE)
    for _, i in zip(range(number), numbers, strict=False):
        rng = np.random.default_rng([seed, i])
        structure = DecoderStructure.draw(rng, KINDS[i % len(KINDS)])
        decoder = trained_decoder(structure, images[rng.choice(len(images), LEARNED_FROM, replace=False)], i)
        latents_of = images[rng.choice(len(images), IMAGES, replace=False)]
        made.append(Simulated(decoder.sample(to_pixels(latents_of) / 127.5 - 1, i), structure))
        if progress:
            progress(1)
    rng = np.random.default_rng([seed, 0, 0])
    real = images[rng.choice(len(images), _REAL_SETS * IMAGES, replace=False)]
    return made + [Simulated(one, None) for one in np.split(real, _REAL_SETS)]


def learn(encoder: Fingerprinter, sources: Sequence[Simulated], seed: int = 0) -> StructureReader:
    """The reader of structure that goes with a fingerprinter, learned from simulated sources."""
    rng = np.random.default_rng(seed)
    plain, compressed = [], []
    for i, source in enumerate(sources):
        jpeg = Jpeg(int(rng.integers(*_QUALITIES)), str(rng.choice(["4:2:0", "4:4:4"])))
        images = ImageSet.from_array(source.images, str(i))
        plain.append(encoder.extract(images).values)
        compressed.append(encoder.extract(images, processing=jpeg).values)
    kinds = [source.structure and source.structure.kind for source in sources]
    doubled = [i for i, kind in enumerate(kinds) if kind not in (None, NONE)]
    questions = {
        DOUBLING: (
            [plain[i] for i in doubled], [int(kinds[i] not in (TRANSPOSED, SUB_PIXEL)) for i in doubled], doubled,
        ),
        JPEG: (plain + compressed, [0] * len(plain) + [1] * len(plain), [*range(len(plain)), *range(len(plain))]),
    }  # fmt: skip
    classifiers = {
        question: classifier(*known, _STRENGTH[question], np.random.default_rng([seed, i]))
        for i, (question, known) in enumerate(questions.items())
    }
    return StructureReader(encoder.extractor_id, classifiers)


def classifier(
    features: Sequence[np.ndarray],
    answers: Sequence[int],
    sources: Sequence[int],
    strength: float,
    rng: np.random.Generator,
) -> Classifier:
    """A classifier of sets of all sizes, its thresholds from sources held out in turn.

    Args:
        features: of each set's images, ``(n, d)``.
        answers: of each set, 0 or 1.
        sources: of each set; all sets of one are held out together.
        strength: inverse of the ridge's.
        rng: of the parts of sets that are drawn.
    """
    drawn = {size: _drawn(features, size, rng) for size in SIZES}
    truth, owners = (np.repeat(np.asarray(of), _DRAWS) for of in (answers, sources))
    fold = {source: i % _FOLDS for i, source in enumerate(rng.permutation(np.unique(owners)))}
    folds = np.array([fold[owner] for owner in owners])
    true = {size: np.zeros(len(truth)) for size in SIZES}
    far = {size: np.zeros(len(truth)) for size in SIZES}
    for held in range(_FOLDS):
        rest = _regression({size: rows[folds != held] for size, rows in drawn.items()}, truth[folds != held], strength)
        for size, rows in drawn.items():
            for i in np.flatnonzero(folds == held):
                second = rest.probability(rows[i])
                true[size][i] = second if truth[i] else 1 - second
                far[size][i] = rest.distance(rows[i])
    whole = _regression(drawn, truth, strength)
    least = tuple(float(np.quantile(true[size], _EXCLUDED)) for size in SIZES)
    farthest = tuple(float(np.quantile(far[size], 1 - _FAR)) for size in SIZES)
    return Classifier(whole.mean, whole.scale, whole.slopes, whole.intercept, least, farthest)


def _drawn(features: Sequence[np.ndarray], size: int, rng: np.random.Generator) -> np.ndarray:
    """Means of random parts of each set, ``_DRAWS`` a set, ``(sets * draws, d)``."""
    return np.array(
        [
            own[rng.choice(len(own), min(size, len(own)), replace=False)].mean(0)
            for own in features
            for _ in range(_DRAWS)
        ]
    )


def _regression(drawn: Mapping[int, np.ndarray], truth: np.ndarray, strength: float) -> Classifier:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rows, answers = np.concatenate([*drawn.values()]), np.tile(truth, len(drawn))
    scaler = StandardScaler().fit(rows)
    found = LogisticRegression(C=strength, max_iter=300, class_weight="balanced").fit(scaler.transform(rows), answers)
    return Classifier(scaler.mean_, scaler.scale_, found.coef_[0], float(found.intercept_[0]), (), ())
