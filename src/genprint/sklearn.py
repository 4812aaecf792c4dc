"""A scikit-learn classifier of image sets: for cross-validation, pipelines and grids.

Example:
    >>> from sklearn.model_selection import cross_val_score
    >>> cross_val_score(SourceClassifier(), image_sets, names, cv=3)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from genprint.answering import choose
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.words import counted


class SourceClassifier(ClassifierMixin, BaseEstimator):
    """Names the source of image sets among those that it was fitted to (closed set: it never says 'unknown').

    Samples are image sets, or whatever ``ImageSet.of`` takes; several sets of one source are pooled.

    Args:
        model: a ``genprint.Model``; None for the one that ``genprint.api.choose`` takes for the images fitted to.

    Attributes:
        classes_: names of the sources, sorted.
        model_: the model in use.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> sets = [rng.normal(128, 10 * (1 + i % 2), (4, 32, 32, 3)).astype(np.uint8) for i in range(4)]
        >>> classifier = SourceClassifier().fit(sets, ["fine", "coarse", "fine", "coarse"])
        >>> classifier.predict(sets[:2]).tolist()
        ['fine', 'coarse']
    """

    def __init__(self, model: Model | None = None):
        self.model = model

    def fit(self, X: Sequence[Any], y: Sequence[str]) -> Self:
        """Fingerprints image sets and enrolls them by their sources."""
        if len(X) != len(y):
            raise ValueError(f"{counted(len(X), 'image set')} and {counted(len(y), 'source')}: give as many of each")
        sets = [ImageSet.of(images) for images in X]
        self.model_ = self.model or choose(sets)
        self.classes_ = np.unique(np.asarray(y))
        enrolled: dict[Any, Fingerprint] = {}
        for fingerprint, source in zip(self._fingerprints(sets), y, strict=True):
            enrolled[source] = enrolled[source] + fingerprint if source in enrolled else fingerprint
        known = [enrolled[source].pooled() for source in self.classes_]
        self._known = self.model_.scorer.adapt(known).enroll(known)
        return self

    def decision_function(self, X: Sequence[Any]) -> np.ndarray:
        """Raw log likelihood ratio of each source against an unknown one, float64 ``(n_sets, n_sources)``."""
        check_is_fitted(self, "classes_")
        return self._known.llr(self._fingerprints(X))

    def predict_proba(self, X: Sequence[Any]) -> np.ndarray:
        """Posterior of each source, were one of them the source and all equally likely; ``(n_sets, n_sources)``."""
        return np.asarray(softmax(self.decision_function(X), axis=1))

    def predict(self, X: Sequence[Any]) -> np.ndarray:
        """Name of the likeliest source of each set, ``(n_sets,)``."""
        return np.asarray(self.classes_[self.decision_function(X).argmax(1)])

    def _fingerprints(self, sets: Sequence[Any]) -> list[Fingerprint]:
        return [self.model_.fingerprint(ImageSet.of(images)) for images in sets]
