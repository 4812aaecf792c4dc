"""The sections about numbers: what was tested, what the likelihood ratio is, how both were calibrated, raw scores."""

from __future__ import annotations

from genprint.answers.decision import MIN_POSTERIOR
from genprint.answers.results import ATTRIBUTED, INCONCLUSIVE, UNKNOWN, Attribution, Evidence
from genprint.report import figures
from genprint.report.blocks import Block, Items, Picture, Table, Terms, Text
from genprint.report.case import Case
from genprint.report.verdict import begun, sentence, support
from genprint.scoring.exchangeability import ALPHA
from genprint.scoring.likelihood_ratio import times
from genprint.words import counted


def support_of(case: Case) -> list[Block]:
    ratio = case.found.ratio
    if ratio is None:
        return [Text(case.found.no_ratio)]
    blocks: list[Block] = [
        Terms((("First proposition", "", sentence(begun(ratio.hp, case.best))),
               ("Second proposition", "", sentence(begun(ratio.hd, case.best))))),
        Text(support(ratio)),
    ]  # fmt: skip
    if len(ratio.by_images) > 1:
        grows = ", ".join(f"{size}: {times(value)}" for size, (value, _, _) in ratio.by_images.items())
        blocks.append(
            Picture(figures.themed(figures.ratio_figure(ratio)), f"Likelihood ratio by number of images: {grows}.")
        )
    blocks.append(
        Text(
            "It takes into account that this is the best of several candidates, and what the exchangeability test "
            "says. The words for it are those of the ENFSI guideline of 2015."
        )
    )
    return blocks


def three_tests(case: Case) -> list[Block]:
    found, result = case.found, case.result
    if found.threshold is None or found.score is None:
        threshold = ("Does the score reach the threshold?", "not asked", "There is no threshold: it takes three "
                     "enrolled sources or more, of two images each.")  # fmt: skip
    else:
        reached = found.score >= found.threshold
        threshold = (
            "Does the score reach the threshold?", "yes" if reached else "no",
            f"{found.score:.2f}, where {found.threshold:.2f} is needed. 0 is where sets of other sources lie, 1 "
            f"where sets of {case.best} lie far from any rival.",
        )  # fmt: skip
    rejected = found.p <= ALPHA
    counts = (
        "" if found.p_counts else " It does not count: the images came in another condition than the enrolled ones."
    )
    alike = (
        f"Can the images and those of {case.best} have been drawn alike?",
        "does not count" if not found.p_counts else "no" if rejected else "yes",
        f"Exchangeability test: p = {found.p:.3f}, {'rejected' if rejected else 'not rejected'} at {ALPHA}. Were "
        f"they drawn alike, about {100 * found.p:.2g} in 100 tests would come out like this or worse. It is not the "
        f"probability that {case.best} made them, or did not.{counts}",
    )  # fmt: skip
    return [Terms((threshold, alike, _rivals(result, found)))]


def _rivals(result: Attribution, found: Evidence) -> tuple[str, str, str]:
    question = "Is every other enrolled source far behind?"
    if len(found.candidates) < 2:
        return question, "not asked", "There is no other."
    second = found.candidates[1].source
    # Where the source is unknown, shares among the enrolled say nothing.
    if result.decision == ATTRIBUTED or (
        result.decision == INCONCLUSIVE and found.candidates[0].posterior >= MIN_POSTERIOR
    ):
        return question, "yes", f"Next comes {second}, which explains the images much less well."
    if result.decision == INCONCLUSIVE and found.threshold is not None:
        return question, "no", f"{found.candidates[0].source} and {second} explain the images about as well."
    return question, "does not count", "The answer does not hang on it: another test failed."


def calibration(case: Case) -> list[Block]:
    found, images = case.found, counted(case.result.images, "image")
    said = []
    if found.ratio:
        sources, size = counted(found.ratio.sources, "enrolled source"), counted(found.ratio.calibrated_at, "image")
        said.append(f"The likelihood ratio is calibrated on {sources}, with sets of {size} for a probe of {images}. "
                    f"It is kept within {times(found.ratio.cap)} to one, either way: so many sources show no "
                    "more.")  # fmt: skip
    else:
        said.append(found.no_ratio)
    if found.threshold is not None and found.rate is not None:
        size = counted(found.calibrated_at or 0, "image")
        said.append(f"The threshold is set on the same sources, each left out in turn, with sets of {size}: at most "
                    f"{found.rate:.1%} of sources that are not enrolled come to be attributed, if they are like those "
                    "that are.")  # fmt: skip
    else:
        said.append("No threshold is set, for too few sources are enrolled.")
    said.append("Both say nothing of sources that are unlike all enrolled ones.")
    return [Items(tuple(said))]


def raw_scores(case: Case) -> list[Block]:
    shares = case.result.decision != UNKNOWN
    rows = tuple(
        (one.source, f"{one.raw_llr:.1f}", *([f"{one.posterior:.1%}"] if shares else []))
        for one in case.found.candidates
    )
    said = (
        "For those who check the method; no degree of belief can be read from these. The raw log ratio is the "
        "natural log of how much likelier a source makes the images than an unknown one, by a model that is far too "
        "sure: only its order counts."
    )
    columns = ("source", "raw log ratio")
    if not shares:
        return [Text(said), Table(columns, rows)]
    said += " The posterior is a source's part among the enrolled, were it one of them; of all others it says nothing."
    return [Text(said), Table((*columns, "posterior, were it one of these"), rows)]
