"""Known weaknesses of source attribution, and what was done about each in this answer.

The list is ours: SOLVE-IT, a catalogue of forensic techniques, has the technique (DFT-1176),
and lists no weakness of it.
"""

from __future__ import annotations

from genprint.answers.results import Asked, Attribution, Evidence
from genprint.report.blocks import Terms
from genprint.scoring.exchangeability import ALPHA
from genprint.scoring.matching import can_match
from genprint.words import counted, in_words

ANSWERED, IN_PART, OPEN = "answered", "in part", "open"
_FEW = 5  # images of a probe; below, a trace is faint


def weaknesses(result: Attribution, found: Evidence, asked: Asked) -> Terms:
    """Each weakness, whether it is answered here, and how."""
    named = (
        ("Coverage: the source may not be enrolled", *_coverage(found)),
        ("Transcoding: the images may have been saved anew, resized or cropped", *transcoding(result, asked)),
        ("Uncalibrated scores: numbers may claim too much", *_calibration(found)),
        ("Few images: one alone shows a trace faintly", *_images(result)),
        ("Relatives: another seed or a fine-tuned version", *_relatives(found)),
        ("Content: likeness of what is shown, not of what made it", OPEN,
         "Not looked at for this answer. genprint audit says what else than a trace tells the enrolled sources apart."),
        ("Mixed sets: the images may have several sources", OPEN,
         "All images are taken as of one source. genprint mixture asks whether they are."),
        ("The same images: a match with itself is no evidence", IN_PART,
         "Images that are enrolled, byte for byte or pixel for pixel, are left out of the probe. Those that look like "
         "enrolled ones are named, and the answer is given without them, too; a copy that was cut much is not found."),
        ("Forged files: metadata can be written by anybody", ANSWERED,
         "What the files say is told apart, and no decision rests on it."),
        ("Opponents: traces can be removed or imitated on purpose", OPEN,
         "Not tested. Against somebody who knows the method, nothing here holds."),
    )  # fmt: skip
    return Terms(named)


def transcoding(result: Attribution, asked: Asked) -> tuple[str, str]:
    """What was done about the probe's condition: what happened, not what was asked for."""
    condition = result.evidence.condition if result.evidence else None
    if condition and (condition.matched or condition.brought_to):
        return (IN_PART if condition.unmatched else ANSWERED), " ".join(condition.said)
    if not asked.inputs.get("conditions", True):
        return OPEN, "Conditions were not matched, as was asked for: all images were compared as they are."
    if not can_match(tuple(asked.known.values())):
        lacking = [name for name, one in asked.known.items() if not len(one.kept(1))]
        return OPEN, (
            f"Conditions could not be matched: no originals of {in_words(lacking)} are kept. All images were compared "
            "as they are. If those in question were processed, enroll with originals and ask again."
        )
    if condition and condition.unmatched:
        return OPEN, " ".join(condition.said)
    return IN_PART, "The images were looked at for processing; none was found, and all were compared as they are."


def _coverage(found: Evidence) -> tuple[str, str]:
    compared = f"{counted(len(found.candidates), 'source')} compared, and no others"
    if found.threshold is None or found.rate is None:
        return OPEN, f"{compared}. With so few, no threshold can be set against sources that are not enrolled."
    return IN_PART, (
        f"{compared}. A threshold guards against the others: at most {found.rate:.1%} of them come to be "
        "attributed, if they are like the enrolled ones. Of sources unlike them, nothing is promised."
    )


def _calibration(found: Evidence) -> tuple[str, str]:
    apart = "Raw scores are under a heading of their own."
    if found.ratio is None:
        return OPEN, f"{found.no_ratio} {apart}"
    return ANSWERED, (
        f"The likelihood ratio is calibrated on {counted(found.ratio.sources, 'enrolled source')}, and kept within "
        f"as many to one. {apart}"
    )


def _images(result: Attribution) -> tuple[str, str]:
    images = counted(result.images, "image")
    if result.images < _FEW:
        return OPEN, f"{images} only. Calibration and thresholds are for so few, but the answer may turn with more."
    return IN_PART, f"{images}. Calibration and thresholds are for sets of about as many."


def _relatives(found: Evidence) -> tuple[str, str]:
    if not found.p_counts:
        return (
            OPEN,
            "The exchangeability test does not count, for the images came in another condition than the enrolled.",
        )
    passed = "does not reject" if found.p > ALPHA else "rejects"
    return IN_PART, (
        f"The exchangeability test {passed} the best candidate (p = {found.p:.3f}). It finds relatives the better, "
        "the more images there are; few images may not tell them."
    )
