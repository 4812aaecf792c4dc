"""Results in words: ratios."""

import numpy as np

from genprint.answers.results import ATTRIBUTED, Attribution, Candidate, Evidence
from genprint.cli import text
from genprint.scoring.likelihood_ratio import LikelihoodRatio


def answer(ratio, no_ratio=""):
    candidates = tuple(Candidate(name, 20, 1.0, 0.5) for name in "ab")
    evidence = Evidence(2.0, 1.0, 0.1, 10, 0.4, candidates, ratio, no_ratio=no_ratio)
    return Attribution("probe", ATTRIBUTED, "a", ratio and ratio.llr, "a is near", 10, evidence=evidence)


def test_the_terminal_says_ratios_as_reports_do():
    value = float(np.log(137.4))
    ratio = LikelihoodRatio("a did", "another did", value, 0.0, value, 9.0, 8, 10, {10: (value, 0.0, value)})
    assert "  likelihood ratio 137 [1, 137]" in text.attribution(answer(ratio)).splitlines()


def test_why_there_is_no_ratio_is_said():
    assert "  No ratio: too few." in text.attribution(answer(None, "No ratio: too few.")).splitlines()
