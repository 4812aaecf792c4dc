"""Scorers: compare fingerprints, knowing how many images stand behind each."""

from genprint.scoring.base import ByScorer, Comparer, Enrollment, Scorer
from genprint.scoring.cosine import Cosine
from genprint.scoring.lda import LDA
from genprint.scoring.plda import PLDA

__all__ = ["LDA", "PLDA", "ByScorer", "Comparer", "Cosine", "Enrollment", "Scorer"]
