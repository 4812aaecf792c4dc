"""The sections of a page about an attribution, in one list: the report and the page of the service show the same.

A section more is a function here and a line in ``SECTIONS``; one that has nothing to say is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genprint.answers.attribution import SHORTLIST
from genprint.answers.claims import CAUTION
from genprint.answers.families import FamilyTree
from genprint.answers.results import ATTRIBUTED, INCONCLUSIVE, UNKNOWN, Asked, Attribution, Evidence
from genprint.answers.unknown import NOT_REAL
from genprint.gallery.validations import Noted
from genprint.report import figures
from genprint.report.blocks import Block, Items, Picture, Section, Table, Terms, Text
from genprint.report.record import FileSummary
from genprint.report.verdict import begun, no_ratio, sentence, support, times
from genprint.report.weaknesses import transcoding, weaknesses
from genprint.scoring.exchangeability import ALPHA
from genprint.words import counted, in_words


@dataclass(frozen=True)
class Case:
    """What the sections are made of.

    Attributes:
        result: the attribution.
        found: its evidence.
        asked: what it was asked with.
        record: of it; see ``genprint.report.record``.
        summaries: files and pictures of the probe and, where these are at hand, of the best candidate.
        tree: of the known sources with the probe in it, if there is one.
    """

    result: Attribution
    found: Evidence
    asked: Asked
    record: Mapping[str, Any]
    summaries: Mapping[str, FileSummary]
    tree: FamilyTree | None

    @property
    def best(self) -> str:
        """Name of the best candidate."""
        return self.found.candidates[0].source


def sections(case: Case) -> tuple[Section, ...]:
    """All that have something to say."""
    made = [(title, blocks(case), title in FOLDED) for title, blocks in SECTIONS.items()]
    return tuple(Section(title, tuple(blocks), folded) for title, blocks, folded in made if blocks)


def _support(case: Case) -> list[Block]:
    ratio = case.found.ratio
    if ratio is None:
        return [Text(no_ratio(case.found))]
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


def _tests(case: Case) -> list[Block]:
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
    if result.decision == ATTRIBUTED:
        return question, "yes", f"Next comes {second}, which explains the images much less well."
    if result.decision == INCONCLUSIVE and found.threshold is not None:
        return question, "no", f"{found.candidates[0].source} and {second} explain the images about as well."
    return question, "does not count", "The answer does not hang on it: another test failed."


def _also(case: Case) -> list[Block]:
    condition = case.found.condition
    told = condition.said if condition else (transcoding(case.result, case.asked)[1],)
    return [Items((*told, *case.result.said))]


def _claims(case: Case) -> list[Block]:
    claims = case.result.claims
    if claims is None:
        return [Text("Nobody looked at what the files say.")]
    said = Items(tuple(sentence(begun(one)) for one in claims.said))
    if not claims.images:
        return [said]
    return [
        said,
        Text(f"{CAUTION} The fingerprint does not look at it. Of a C2PA manifest, valid means that the content is "
             "what was signed; trusted, that one of the given authorities vouches for the signer, too."),
    ]  # fmt: skip


def _files(case: Case) -> list[Block]:
    facts = case.record["channels"]["file facts"]
    blocks: list[Block] = [Items(tuple(f"{counted(count, 'image')}: {what}" for what, count in facts["probe"].items()))]
    if isinstance(facts["warnings"], str):
        return [*blocks, Text("The files of the known sources were not at hand to compare with.")]
    if not facts["warnings"]:
        return [*blocks, Text("All known sources have files like these.")]
    return [*blocks, *(Text(f"Confound: {warning}.", "warning") for warning in facts["warnings"])]


def _traces(case: Case) -> list[Block]:
    stacks = {name: stack for name, summary in case.summaries.items() if (stack := summary.stack()) is not None}
    if not stacks or len({stack.shape[1:] for stack in stacks.values()}) > 1:
        return [Text("No average residual is shown: images are of different sizes.")]
    figure = figures.trace_figure(stacks, shown=4, narrow=True)
    return [Picture(figures.themed(figure), "Mean residual and mean spectrum of each, and some of its images.")]


def _tree(case: Case) -> list[Block]:
    if case.tree is None:
        return []
    picture = Picture(
        figures.themed(figures.tree_figure(case.tree, narrow=True, marked=case.tree.sources[-1])), case.tree.newick()
    )
    beside = neighbours(case.tree)
    if beside == [case.best]:
        return [Text(f"The probe lies beside {case.best}, which explains it best, too."), picture]
    if case.best in beside:
        return [
            Text(f"The probe lies beside a group of {counted(len(beside), 'source')}, and {case.best} is in it."),
            picture,
        ]
    said = (
        f"Here the probe lies beside {in_words(beside)}, though {case.best} explains it best. That is no second "
        "answer: the tree goes by distances of whole sets, scaled by their neighbours; the answer, by how likely "
        "each source makes these images."
    )
    return [Text(said), picture]


def neighbours(tree: FamilyTree) -> list[str]:
    """The sources that the tree's last leaf joins first."""
    count, leaf = len(tree.sources), len(tree.sources) - 1
    pairs = [(int(left), int(right)) for left, right, *_ in tree.linkage]
    (other,) = (left if right == leaf else right for left, right in pairs if leaf in (left, right))
    found, open_ = [], [other]
    while open_:
        node = open_.pop()
        if node < count:
            found.append(tree.sources[node])
        else:
            open_.extend(pairs[node - count])
    return found


def _coverage(case: Case) -> list[Block]:
    known = case.record["known"]
    rows = tuple((name, str(one["images"]), one["digest"]) for name, one in known.items())
    nearest = ""
    if len(known) == SHORTLIST:
        nearest = f" Of a larger gallery, only the {SHORTLIST} sources nearest by vector are compared closely."
    return [
        Text(f"Compared: {counted(len(known), 'source')}, as below.{nearest}"),
        Text("Not compared: everything else. Models, releases, fine-tuned versions, cameras and editing programs "
             f"that are not in the list cannot be named, however well they would fit. {NOT_REAL}"),
        Table(("source", "images", "SHA-256 of their images' digests"), rows, ("SHA-256 of their images' digests",)),
    ]  # fmt: skip


def _calibration(case: Case) -> list[Block]:
    found, images = case.found, counted(case.result.images, "image")
    said = []
    if found.ratio:
        sources, size = counted(found.ratio.sources, "enrolled source"), counted(found.ratio.calibrated_at, "image")
        said.append(f"The likelihood ratio is calibrated on {sources}, with sets of {size} for a probe of {images}. "
                    f"It is kept within {times(found.ratio.cap)} to one, either way: so many sources show no "
                    "more.")  # fmt: skip
    else:
        said.append(no_ratio(found))
    if found.threshold is not None and found.rate is not None:
        size = counted(found.calibrated_at or 0, "image")
        said.append(f"The threshold is set on the same sources, each left out in turn, with sets of {size}: at most "
                    f"{found.rate:.1%} of sources that are not enrolled come to be attributed, if they are like those "
                    "that are.")  # fmt: skip
    else:
        said.append("No threshold is set, for too few sources are enrolled.")
    said.append("Both say nothing of sources that are unlike all enrolled ones.")
    return [Items(tuple(said))]


def _weaknesses(case: Case) -> list[Block]:
    return [
        Text(
            "What examiners ask of any classification of an image's source (SOLVE-IT technique DFT-1176), one by one."
        ),
        weaknesses(case.result, case.found, case.asked),
    ]


def _raw(case: Case) -> list[Block]:
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


def _expected(case: Case) -> list[Block]:
    return [Text(case.result.expected.said)] if case.result.expected else []


def _stress(case: Case) -> list[Block]:
    return [Items(case.result.stress.said)] if case.result.stress else []


def _copies(case: Case) -> list[Block]:
    if not case.result.copies or not case.result.copies.alike:
        return []
    rows = tuple(
        (one.image, one.other, "the probe" if one.source is None else one.source, str(one.apart))
        for one in case.result.copies.alike
    )
    return [
        Text("Told by perceptual hashes of 256 bits: so many bits apart. Copies are a likely reason; pictures of one "
             "subject or one latent are alike, too. None was left out for it."),
        Table(("image", "looks like", "of", "bits apart"), rows),
    ]  # fmt: skip


def _left_out(case: Case) -> list[Block]:
    rows = tuple((one.name, one.reason) for one in case.result.left_out)
    return [Table(("file", "reason"), rows)] if rows else []


def _again(case: Case) -> list[Block]:
    made, inputs = case.record, dict(case.record["inputs"])
    wanted, stress = inputs.pop("conditions", True), inputs.pop("stress", False)
    inputs.pop("thorough", None)  # the page shows what came of it
    given = {f"given: {name}": str(value) for name, value in inputs.items() if value is not None}
    rows = {
        "written": made["written"], "Genprint": made["genprint"], "model": made["model"], **given,
        "matching of conditions": _asked_for(wanted), "stress": _asked_for(stress),
        "validation of the gallery": _validated(made["validation"]),
        "what became of it": transcoding(case.result, case.asked)[1],
        "compared in condition": case.result.condition, "images of the probe": str(len(made["probe"])),
        "SHA-256 of the record": made["sha256"],
    }  # fmt: skip
    return [
        Text("The JSON beside this page holds every number and digest. genprint report reproduce reads it, asks "
             "again and says what differs."),
        Table(("what", "value"), tuple(rows.items())),
    ]  # fmt: skip


def _asked_for(wanted: object) -> str:
    return "asked for" if wanted else "not asked for"


def _validated(noted: Mapping[str, Any] | None) -> str:
    return Noted(**noted).said if noted else "not validated (genprint evaluate gallery GALLERY would)"


#: Titles, and what is under them, in the order of the page.
SECTIONS: dict[str, Callable[[Case], list[Block]]] = {
    "How much the images support it": _support,
    "Three tests": _tests,
    "What to expect of this gallery": _expected,
    "Does it survive?": _stress,
    "What else is to be known": _also,
    "What the files say": _claims,
    "What the files are like": _files,
    "Pictures that look like others": _copies,
    "Images and traces": _traces,
    "Place in the family tree": _tree,
    "What was compared, and what was not": _coverage,
    "Calibration": _calibration,
    "Known weaknesses": _weaknesses,
    "Raw scores": _raw,
    "Left out": _left_out,
    "How to make it again": _again,
}
#: Those that are closed at first.
FOLDED = {"Raw scores", "How to make it again"}
