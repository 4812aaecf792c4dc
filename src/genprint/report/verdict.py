"""What a report of an attribution says first: what, why, how sure, what would change it, what to do next."""

from __future__ import annotations

from genprint.answers.results import ATTRIBUTED, INCONCLUSIVE, UNKNOWN, Attribution, Evidence
from genprint.answers.unknown import NOT_REAL
from genprint.report.blocks import Verdict
from genprint.scoring.likelihood_ratio import LikelihoodRatio, times
from genprint.scoring.likelihood_ratio import support as supports
from genprint.words import counted


def sentence(text: str) -> str:
    """A text with a full stop, unless it ends in a mark."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def begun(text: str, name: str = "") -> str:
    """A text with a capital, unless it begins with a name."""
    return text if name and text.startswith(f"{name} ") else text[:1].upper() + text[1:]


def verdict(result: Attribution) -> Verdict:
    """The head of the page of an attribution."""
    found = result.evidence
    if found is None:
        return Verdict(
            "No answer",
            result.decision,
            sentence(begun(result.reason)),
            (("What to do next", "Give images that can be read."),),
        )
    best = found.candidates[0].source
    sources = counted(len(found.candidates), "enrolled source")
    images = "the image" if result.images == 1 else f"the {result.images} images"
    why = ("Why", sentence(begun(result.reason, best)))
    changes, to_do = (sentence(begun(text, best)) for text in (result.changes, result.next_step))
    points = (
        why,
        ("How sure", _how_sure(result, found)),
        ("What would change it", changes),
        ("What to do next", to_do),
    )
    if result.decision == ATTRIBUTED:
        lead = f"Of {sources}, {best} explains {images} best, and passes every test that counts."
        return Verdict(f"Attributed to {best}", ATTRIBUTED, lead, points)
    if result.decision == UNKNOWN:
        lead = f"None of {sources} is shown to have made {images}. {NOT_REAL}"
        return Verdict("Unknown", UNKNOWN, lead, points)
    lead = f"It is not decided which of {sources} made {images}, if any: none is named."
    return Verdict("Inconclusive", INCONCLUSIVE, lead, points)


def support(ratio: LikelihoodRatio) -> str:
    """What a likelihood ratio says, with its interval and its cap."""
    said = f"The images are {times(ratio.llr)} times as likely if {ratio.hp} as if {ratio.hd}."
    if ratio.capped:
        said += f" That is the {_end(ratio)} that {counted(ratio.sources, 'source')} can show."
    if ratio.low is not None and ratio.high is not None:
        said += f" Interval of 95 % over the probe's images: {times(ratio.low)} to {times(ratio.high)}."
        if ratio.low < 0 < ratio.high:
            said += " It includes 1: other images of the same source might have spoken the other way."
    which = "first" if ratio.llr > 0 else "second"
    return f"{said} That is {supports(ratio.llr)} for the {which} proposition."


def _end(ratio: LikelihoodRatio) -> str:
    return "most" if ratio.llr > 0 else "least"


def _how_sure(result: Attribution, found: Evidence) -> str:
    """The ratio of what is attributed; of other answers, what they leave open."""
    if result.decision == ATTRIBUTED:
        rate = ""
        if found.rate is not None:
            rate = (f" Of sources that are not enrolled, at most {found.rate:.1%} come to be attributed, if they "
                    "are like those that are.")  # fmt: skip
        if found.ratio is None:
            return found.no_ratio + rate
        ratio = f"{begun(supports(found.ratio.llr))}: likelihood ratio {times(found.ratio.llr)}"
        if found.ratio.capped:
            ratio += f", the {_end(found.ratio)} that {counted(found.ratio.sources, 'source')} can show"
        return f"{ratio}.{rate}"
    if result.decision == UNKNOWN:
        return (
            "An enrolled source is not ruled out. One set in twenty of the right source fails the exchangeability "
            "test, and small or processed sets often stay below the threshold."
        )
    return "Not sure enough to name a source, nor to say that none of them made the images."
