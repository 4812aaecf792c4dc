"""Results in words, for the terminal."""

from __future__ import annotations

from genprint.answers.audit import Audit
from genprint.answers.claims import CAUTION
from genprint.answers.families import FamilyTree
from genprint.answers.gallery_audit import GalleryAudit
from genprint.answers.lineage import Lineage
from genprint.answers.mixture import Mixture
from genprint.answers.pairs import CLOSER, Followed
from genprint.answers.results import UNKNOWN, Attribution
from genprint.answers.verification import Verification
from genprint.scoring.exchangeability import ALPHA
from genprint.scoring.likelihood_ratio import LikelihoodRatio, support, times
from genprint.words import counted

NOT_COUNTED = "What to expect of this gallery has not been counted for such sets: --report or --stress counts it."


def tested(p: float) -> str:
    """p, and whether that rejects."""
    return f"p = {p:.3f} ({'rejected' if p <= ALPHA else 'not rejected'} at {ALPHA})"


def attribution(result: Attribution) -> str:
    """An attribution, its verdict first."""
    evidence = result.evidence
    if evidence is None:
        return result.verdict
    lines = [result.verdict, f"  would change it: {result.changes}", f"  next: {result.next_step}"]
    if evidence.ratio:
        lines += _ratio(evidence.ratio)
    else:
        lines.append(f"  {evidence.no_ratio}")
    if evidence.threshold is not None:
        size = counted(evidence.calibrated_at or 0, "image")
        lines.append(
            f"  score {evidence.score:.2f} (0 as other sources' images, 1 as its own far from any rival), threshold "
            f"{evidence.threshold:.2f} for {size}: of sources not enrolled, at most "
            f"{evidence.rate:.1%} come to be attributed, if they are like the enrolled ones"
        )
    counts = "" if evidence.p_counts else "; does not count, for the probe came in another condition"
    lines.append(f"  exchangeability test against {evidence.candidates[0].source}: {tested(evidence.p)}{counts}")
    if evidence.condition:
        lines.append(f"  {' '.join(evidence.condition.said)}")
    lines += [f"  {sentence}" for sentence in result.said]
    if result.claims and result.claims.images:
        lines += ["  what the files say:", *(f"    {sentence}" for sentence in result.claims.said), f"    {CAUTION}"]
    elif result.claims:
        lines += [f"  {sentence}" for sentence in result.claims.said]
    if result.expected or evidence.threshold is not None:
        lines.append(f"  {result.expected.said if result.expected else NOT_COUNTED}")
    lines += [f"  {sentence}" for sentence in result.stress.said] if result.stress else []
    lines.append(f"  {counted(result.images, 'image')} used, {len(result.left_out)} left out")
    return "\n".join([*lines, *_scores(result)])


def _scores(result: Attribution) -> list[str]:
    """The first few candidates. What share each has among the enrolled says nothing where the source is unknown."""
    assert result.evidence
    lines = ["  scores (raw log ratios: to compare within this answer, not odds):"]
    for one in result.evidence.candidates[:5]:
        share = "" if result.decision == UNKNOWN else f"   {one.posterior:>6.1%} if it is one of these"
        lines.append(f"    {one.source:<24} {one.raw_llr:>9.1f}{share}   {counted(one.images, 'image')} enrolled")
    return lines


def _ratio(ratio: LikelihoodRatio) -> list[str]:
    end = "most" if ratio.llr > 0 else "least"
    reached = f", the {end} that so many sources support" if ratio.capped else ""
    interval = ""
    if ratio.low is not None and ratio.high is not None:
        interval = f" [{times(ratio.low)}, {times(ratio.high)}]"
    grows = "  ".join(f"{size}: {times(value)}" for size, (value, _, _) in ratio.by_images.items())
    which = "first" if ratio.llr > 0 else "second"
    return [
        f"  likelihood ratio {times(ratio.llr)}{interval}{reached}",
        f"    {support(ratio.llr)} for the {which} proposition (in ENFSI's words)",
        f"    first: {ratio.hp}",
        f"    second: {ratio.hd}",
        f"    population: {counted(ratio.sources, 'enrolled source')}, by sets of {ratio.calibrated_at}",
        *([f"    by number of images  {grows}"] if len(ratio.by_images) > 1 else []),
    ]


def verification(result: Verification) -> str:
    """A verification, its verdict first."""
    found = result.evidence
    if found.same_above is None or found.different_below is None:
        return (
            f"{result.verdict}\n  similarity {found.similarity:.2f}; the population has too few images for thresholds"
        )
    lines = [
        result.verdict,
        f"  similarity {found.similarity:.2f}: same from {found.same_above:.2f}, different to "
        f"{found.different_below:.2f}; each wrong for at most {result.rate:.1%}",
        f"  by {result.population}; both sets may be in: {', '.join(found.conditions)}",
    ]
    if result.llr is not None:
        lines += [f"  likelihood ratio {times(result.llr)}", f"    that {result.hp}, against: {result.hd}"]
    if not found.typical:
        lines.append(
            "  but they are unlike the population, which says nothing of them: give sources like them (--known)"
        )
    if not found.one_condition:
        lines.append("  but hardly in one condition, so that low similarity says nothing of their sources")
    lines += [f"  {sentence}" for sentence in result.said]
    return "\n".join(lines)


def mixture(result: Mixture) -> str:
    """A mixture, its verdict first."""
    lines = [result.verdict]
    lines += [f"  {s.source:<24} {s.share:>6.1%} [{s.low:.1%}, {s.high:.1%}]" for s in result.shares if s.high > 0.005]
    lines += [
        f"  for H0, all images are from {result.shares[0].source}: {tested(result.mixed_p)}",
        f"  for H0, the probe is exchangeable with the known sources in these shares: {tested(result.fit_p)}",
        f"  {counted(result.images, 'image')} used, {len(result.left_out)} left out",
    ]
    return "\n".join(lines)


def lineage(result: Lineage) -> str:
    """A lineage, its verdict first."""
    margin, low, high = result.margin
    lines = [
        result.verdict,
        f"  of models trained apart, {'at most ' if result.followed else ''}{result.rate:.0%} come out derived; "
        "fewer with more --apart",
        f"  distance to {result.parent} {result.distance:.2f}",
        *(f"  distance to {name} {distance:.2f}" for name, distance in result.others.items()),
        f"  for H0, no nearer to {result.parent} than to the nearest other: {tested(result.p)}",
        f"  margin of the squared distances {margin:.2f} [{low:.2f}, {high:.2f}]",
        *(_followed(result.parent, result.followed) if result.followed else ()),
        *(f"  {sentence}" for sentence in result.said),
    ]
    return "\n".join(lines)


def _followed(parent: str, found: Followed) -> list[str]:
    margin, low, high = found.margin
    return [
        f"  image by image, of {counted(found.pairs, 'pair')} (1 is the same):",
        *(f"    follows {name} {value:.2f}" for name, value in {parent: found.parent, **found.others}.items()),
        f"  for H0, follows {parent} at most {CLOSER} closer than another: {tested(found.p)}",
        f"  follows it closer by {margin:.2f} [{low:.2f}, {high:.2f}]",
    ]


def audit(result: Audit) -> str:
    """An audit, with what to do about it."""
    images = counted(sum(result.sources.values()), "image")
    lines = [f"{counted(len(result.sources), 'source')}, {images}; share of images named right"]
    for finding in result.findings:
        mark = "WARNING" if finding.warning else ""
        lines.append(f"  {finding.fact:<12} {finding.accuracy:>6.1%}  (chance {finding.chance:.1%})  {mark}")
        if finding.warning:
            lines += [f"      {source}: {values}" for source, values in finding.values.items()]
    facts = {kind: [w.fact for w in result.warnings if w.kind == kind] for kind in ("file", "grid", "content")}
    if facts["grid"]:
        lines.append(
            "A grid of 8 px differs by source: some images were once saved as JPEG, or generators leave it themselves. "
            "Find out which."
        )
    if facts["file"]:
        lines.append(
            f"Files differ by source in {', '.join(facts['file'])}: a method may name a source by that alone. Get the "
            "files as they were made, or bring all to one form before comparing, and say so."
        )
    if facts["content"]:
        lines.append(
            f"Pictures differ by source in {', '.join(facts['content'])}: compare what a method reaches with these "
            "controls (genprint evaluate attributability DATA --method set_encoder --method colour --method thumbnail)."
        )
    if not result.enough:
        lines.append("There are too few images to tell any fact from chance. Give 20 or more of each source.")
    elif not result.warnings:
        lines.append("Nothing but a trace was found to tell them apart.")
    return "\n".join(lines)


def gallery_audit(result: GalleryAudit) -> str:
    """An audit of a gallery, its verdict first."""
    images = counted(sum(result.sources.values()), "image")
    lines = [result.verdict, *(f"  {concern.said}" for concern in result.concerns)]
    return "\n".join([*lines, f"  {counted(len(result.sources), 'source')}, {images}"])


def families(tree: FamilyTree, support: float) -> str:
    """Who is in one family, a line each; nothing of a tree without support."""
    if tree.support is None:
        return ""
    members: dict[int, list[str]] = {}
    for name, family in tree.families(support).items():
        members.setdefault(family, []).append(name)
    related = [names for names in members.values() if len(names) > 1]
    lines = [f"family of {len(names)}: {', '.join(names)}" for names in related]
    return "\n".join(
        [*lines, f"without kin at support {support:g}: {counted(len(members) - len(related), 'source')}", ""]
    )
