"""The page of a family tree: who is in one family, how sure that is, and the tree."""

from __future__ import annotations

from genprint._version import __version__
from genprint.answers.families import FEWEST_SCALED, SUPPORTED, FamilyTree
from genprint.report import figures
from genprint.report.blocks import Block, Items, Picture, Section, Table, Text, Verdict
from genprint.report.templates import fill
from genprint.words import counted


def tree_page(tree: FamilyTree, support: float = SUPPORTED) -> str:
    """The page of a tree, as HTML; families are cut at that support."""
    drawn = figures.themed(figures.tree_figure(tree, narrow=True, supported=support))
    title = f"Family tree of {counted(len(tree.sources), 'source')}"
    shown: list[Block] = [
        Picture(drawn, tree.newick() if len(tree.sources) < 200 else title),
        Items(_said(tree, support)),
    ]
    sections = [Section("Families", tuple(_families(tree, support))), Section("The tree", tuple(shown))]
    sections.append(Section("In Newick format", (Text(tree.newick()),), folded=True))
    lead = "Sources that join early leave traces alike. That does not say that one was made from another."
    about = f"{type(tree).__name__}, by Genprint {__version__}"
    return fill("page.html", title=title, about=about, verdict=Verdict(title, "", lead), sections=sections)


def _families(tree: FamilyTree, support: float) -> list[Block]:
    """Who is in one family, and the support of its branch."""
    if tree.support is None:
        return [Text("Drawn without support, so that no branch is known to be sure. Ask for some resamplings.")]
    members: dict[int, list[str]] = {}
    for name, family in tree.families(support).items():
        members.setdefault(family, []).append(name)
    shares = dict(zip(tree.branches(), tree.support, strict=True))
    numbers = {name: i for i, name in enumerate(tree.sources)}
    rows, alone = [], []
    for names in members.values():
        if len(names) > 1:
            share = shares[frozenset(numbers[name] for name in names)]
            rows.append((", ".join(names), str(len(names)), f"{100 * share:.0f} %"))
        else:
            alone += names
    said: list[Block] = [Table(("family", "sources", "support"), tuple(rows))] if rows else []
    if alone:
        said.append(Text(f"No kin at support {100 * support:.0f} %: {', '.join(alone)}."))
    return said


def _said(tree: FamilyTree, support: float) -> tuple[str, ...]:
    """What the picture's numbers mean."""
    said = []
    if tree.support is not None:
        said.append(
            "The number beside a branch says in how many percent of trees of resampled images it is there; branches "
            f"below {100 * support:.0f} are grey. It says how often a branch would be there with other images of these "
            "sources, not whether they have one architecture."
        )
    if tree.notes:
        said.append(
            "Below a branch stands what is read of the images of all its sources. Where nothing stands, nothing is "
            "known. genprint structure IMAGES says how often such a reading was wrong."
        )
    if tree.added:
        said.append(f"Added to the tree of the others, which stayed as it was: {', '.join(tree.added)}.")
    if len(tree.sources) >= FEWEST_SCALED:
        said.append("Distances are scaled by how far each source's neighbours are.")
    if tree.cophenetic is not None:
        said.append(
            f"The tree says of distances what a correlation of {tree.cophenetic:.2f} does (cophenetic; 1: all)."
        )
    return tuple(said)
