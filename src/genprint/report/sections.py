"""The sections of a page about an attribution, in one list: the report and the page of the service show the same.

A section more is a function here and a line in ``SECTIONS``; one that has nothing to say is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from genprint.answers.attribution import SHORTLIST
from genprint.answers.claims import CAUTION
from genprint.answers.families import FamilyTree
from genprint.answers.unknown import NOT_REAL
from genprint.gallery.validations import Noted
from genprint.report import evidence, figures
from genprint.report.blocks import Block, Items, Picture, Section, Table, Text
from genprint.report.case import Case
from genprint.report.verdict import begun, sentence
from genprint.report.weaknesses import transcoding, weaknesses
from genprint.words import counted, in_words


def sections(case: Case) -> tuple[Section, ...]:
    """All that have something to say."""
    made = [(title, blocks(case), title in FOLDED) for title, blocks in SECTIONS.items()]
    return tuple(Section(title, tuple(blocks), folded) for title, blocks, folded in made if blocks)


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


def _weaknesses(case: Case) -> list[Block]:
    return [
        Text(
            "What may be asked of any who names an image's source, one by one. The list is Genprint's own; SOLVE-IT "
            "has the technique (DFT-1176)."
        ),
        weaknesses(case.result, case.found, case.asked),
    ]


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
    "How much the images support it": evidence.support_of,
    "Three tests": evidence.three_tests,
    "What to expect of this gallery": _expected,
    "Does it survive?": _stress,
    "What else is to be known": _also,
    "What the files say": _claims,
    "What the files are like": _files,
    "Pictures that look like others": _copies,
    "Images and traces": _traces,
    "Place in the family tree": _tree,
    "What was compared, and what was not": _coverage,
    "Calibration": evidence.calibration,
    "Known weaknesses": _weaknesses,
    "Raw scores": evidence.raw_scores,
    "Left out": _left_out,
    "How to make it again": _again,
}
#: Those that are closed at first.
FOLDED = {"Raw scores", "How to make it again"}
