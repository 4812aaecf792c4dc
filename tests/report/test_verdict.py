"""What a page says first: it fits the decision, says how sure it is, and never that unknown is real."""

import pytest

from genprint.answers.results import ATTRIBUTED, INCONCLUSIVE, UNKNOWN, Attribution, Candidate, Evidence, failed
from genprint.report.verdict import support, verdict
from genprint.scoring.likelihood_ratio import NO_RATIO, LikelihoodRatio

QUESTIONS = ["Why", "How sure", "What would change it", "What to do next"]


def answer(decision, score=2.0, threshold=1.0, p=0.4, llr=1.0, low=0.5, images=10, p_counts=True):
    ratio = llr is not None and LikelihoodRatio(
        "a made the images", "another did", llr, low, 1.2, 2.0, 8, 10, {1: (0.1, None, None), images: (llr, low, 1.2)}
    )
    candidates = tuple(Candidate(name, 20, 1.0, 0.9 if name == "a" else 0.1) for name in "ab")
    rate = 0.1 if threshold is not None else None
    evidence = Evidence(
        score,
        threshold,
        rate,
        10,
        p,
        candidates,
        ratio or None,
        p_counts=p_counts,
        no_ratio="" if ratio else NO_RATIO + ".",
    )
    return Attribution(
        "probe",
        decision,
        "a" if decision == ATTRIBUTED else None,
        llr,
        "a is near",
        images,
        evidence=evidence,
        changes="more images",
        next_step="ask again",
    )


@pytest.mark.parametrize("decision", [ATTRIBUTED, UNKNOWN, INCONCLUSIVE])
def test_every_verdict_answers_the_same_four_questions(decision):
    head = verdict(answer(decision))
    assert [question for question, _ in head.points] == QUESTIONS
    assert all(text.endswith(".") for _, text in head.points)
    assert head.tone == decision


def test_a_name_keeps_its_letters_at_the_beginning_of_a_sentence():
    assert dict(verdict(answer(ATTRIBUTED)).points)["Why"] == "a is near."


def test_an_attribution_says_its_ratio_and_the_rate_of_false_ones():
    sure = dict(verdict(answer(ATTRIBUTED, llr=2.0)).points)["How sure"]
    assert "Weak support: likelihood ratio 7.4, the most that 8 sources can show." in sure
    assert "at most 10.0% come to be attributed" in sure
    assert "No likelihood ratio is given" in dict(verdict(answer(ATTRIBUTED, llr=None)).points)["How sure"]


def test_unknown_says_that_it_does_not_mean_real():
    assert "Unknown does not mean real" in verdict(answer(UNKNOWN)).lead


def test_what_would_change_it_and_what_to_do_are_those_of_the_answer():
    found = dict(verdict(answer(UNKNOWN)).points)
    assert found["What would change it"] == "More images."
    assert found["What to do next"] == "Ask again."


def test_one_image_is_no_plural():
    assert "made the image." in verdict(answer(UNKNOWN, images=1)).lead


def test_an_error_says_what_to_do():
    head = verdict(failed("probe", "none can be read"))
    assert (head.title, head.lead) == ("No answer", "None can be read.")
    assert [question for question, _ in head.points] == ["What to do next"]


def test_an_interval_that_includes_one_is_told():
    assert "It includes 1" in support(answer(ATTRIBUTED, low=-0.5).evidence.ratio)
    assert "It includes 1" not in support(answer(ATTRIBUTED, low=0.5).evidence.ratio)
