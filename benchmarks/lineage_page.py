"""The page of benchmarks/lineage.py: docs/lineage.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import roc_auc_score

from genprint.evaluation.intervals import Mean, over_sources

if TYPE_CHECKING:
    from lineage import Asked

DECISIONS = ("derived", "apart", "inconclusive")
TRUE, TURNED, SIBLINGS, RECIPE, SAME = "true", "turned", "siblings", "trained apart", "same weights"
ENCODER, THUMBNAIL = "set encoder", "thumbnail"
_PAGE = """# Lineage and kinship

Written by `benchmarks/lineage.py`. {made}

`genprint lineage` says whether a child lies nearer its alleged parent than models trained apart do. Here it is asked about models that nobody of this project
trained, and about shipped generators; then about sets that were made of the same latents, where images can be compared one by one (`--paired`). The
encoder has seen none of these models. Cells with three numbers: how often the answer was **derived / apart / inconclusive**. Intervals are 95 %, by
bootstrap over sources. The same question is put to an 8x8 thumbnail and colour quantiles by the same test, and, of the
author's models, to ImageNet features.

## One author's models

20 DCGANs of anime faces, 64 px, 40 images each (`anime64lineage`), by the author's own scripts:

- One set of weights, sampled thrice, each time from other latents: `milestone_11_diffaug_ema`, `clip_e0`, `fp32`. Nothing but the latents differs.
- Its children: `fp16` and `int8` (the latents of `fp32`); `clip_c1`, `clip_c4`, perceptual fine-tunes (the latents of `clip_e0`); `sdxl_a0` to `sdxl_a50`, fine-tunes on 4,000
  images of which 0 to 50 % come from another generator (the latents of `milestone_11`).
- Trained apart with the same generator network: `b1_formal` (the parent's recipe on 17,000 cleaned images), `milestone_09` (without its augmentation and averaging), `milestone_10`
  (another loss), `milestone_03` (half the images).
- Trained apart with a network of a third of the width: `phase1_epoch_200`, `phase1_sharpen_aug`, `phase2_baseline`, `phase2_sn_hinge`.

A set of a child is always drawn from other latents than that of the parent: even places against odd ones, both ways round, also where all latents differ. Models
trained apart are the four of the same network. *Chance*: so many of models trained apart come out as derived, by symmetry. All children have **one** parent: intervals over children do not
say how another parent would do.

| child and alleged parent | images | chance, % | derived by the set encoder, % | set encoder | thumbnail | colour | ImageNet |
| --- | --- | --- | --- | --- | --- | --- | --- |
{author}

Margins (squared distance to the nearest model trained apart less that to the parent, in within-source variances), 20 images, even places of the child:

| child | `milestone_11` | `clip_e0` | `fp32` |
| --- | --- | --- | --- |
{margins}

### Does distance order kinship?

Pairs of all 20 by degree: the same weights, derived from them or from one another's parent, the same network trained apart, another network. *Order*: Spearman's rank correlation of degree and
distance (0 by chance). AUROC (0.5 by chance): pairs of one lineage against all pairs trained apart; among the latter, pairs of one network against pairs of two.

| by | images | order | one lineage, AUROC | one network, AUROC |
| --- | --- | --- | --- | --- |
{kinship}

## Shipped generators

Children of shipped generators (fine-tuned, int8, pruned, another sampler, the last weights in place of their average), each with its parent and another seed as the one trained apart; images
from latents of their own. *Turned*: the other seed is alleged, the parent is among those apart. AUROC of relative margins, children against turned.

| images | by | children | turned | AUROC |
| --- | --- | --- | --- | --- |
{shipped}

## Pairs: the same latents

Every shipped generator was given the same noise. *Children*: their parent is alleged; apart are the other seeds. *Trained apart*: another seed of the child's own architecture is alleged, and
all others are of other architectures of its class. That is the hard case: near is near in architecture alone, and unpaired sets cannot tell it from descent. Content is alike, too: some flows and
score-based models that were trained apart draw much the same picture of one noise.

| images | by | children | derived, % | trained apart | falsely derived, % |
| --- | --- | --- | --- | --- | --- |
{pairs}

How far images of one latent follow one another (20 pairs; 0: no more than any two images of both sets, 1: the same), the parent against the nearest other:

| child | answer | follows its parent | follows another | thumbnail: its parent | thumbnail: another |
| --- | --- | --- | --- | --- | --- |
{follows}

Of models trained apart ({apart} pairs of seeds), the features of one followed those of the other by {least:.2f} to {most:.2f}, and by up to {closer:.2f} more than those of another architecture. A child counts as
following if that margin is surely above 0.1: chosen here, on these generators, so that this table is a little optimistic; that following tells descent from one recipe was first
seen on the author's models below. Images of some flows and score-based models follow one another in content (thumbnail) nearly as far whether weights were handed on or not; in their
features they do not.

The author's models that were given the same latents: the five fine-tunes with foreign images, their parent, and four trained apart (the same parent alleged for these):

| images | by | children | follow the parent, another | trained apart | follow the alleged parent, another |
| --- | --- | --- | --- | --- | --- |
{author_pairs}

The thumbnail finds these children as well as the features do: same latents and a shared mapping from latents to faces are seen at a glance. That is why pairs are no evidence of a trace by themselves,
and why `--paired` asks for both: nearer in what all images share, and following image by image more than models trained apart on the same latents do.

## What cannot be told

- **Which is the parent.** Distance is symmetric: {said_same}
- **fp16 from fp32, or two samples of one set of weights.** They are one model up to rounding: nine in ten levels of `fp16` are those of `fp32`, and hardly any differs by more than one; their margins are those of two samples
  of the same weights. `int8` differs by four levels on average, which is no further away by its margins. Lineage says *derived* of each, and means: of one lineage.
- **Siblings from parent and child.** {said_siblings}
- **One recipe from descent, without pairs.** {said_recipe} Give models of the same recipe as `--apart`, or pairs.
- **A sampler with noise of its own** (`ancestral50`) does not follow its parent image by image: with pairs it stays inconclusive; without, it is derived.
- **Heavy pruning** moves what all images share further than another seed lies: `vae-conv-s0-pruned` is called apart without pairs; with {pruned}.
- **Prompts alone.** Pairs were measured on latents. Of three text-to-image models that were given the same prompts and latents of their own (28 images each, looked at once by hand), images of
  one prompt followed one another by 0.02 at most: none was called derived, the one fine-tune among them neither.
"""


def cell(rows: Iterable[Asked]) -> str:
    """Counts of the three decisions."""
    said = [row.decision for row in rows]
    return " / ".join(str(said.count(one)) for one in DECISIONS)


def share(rows: Sequence[Asked]) -> str:
    """Derived, in percent, with its interval over children."""
    by_child: dict[str, list[bool]] = {}
    for row in rows:
        by_child.setdefault(row.child, []).append(row.decision == DECISIONS[0])
    return percent(over_sources([float(np.mean(found)) for found in by_child.values()]))


def percent(mean: Mean) -> str:
    return f"{100 * mean.mean:.0f} [{100 * mean.low:.0f}, {100 * mean.high:.0f}]"


def number(mean: Mean) -> str:
    return f"{mean.mean:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def line(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def chosen(rows: Iterable[Asked], **wanted: object) -> list[Asked]:
    return [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]


def methods(rows: Iterable[Asked]) -> list[str]:
    return list(dict.fromkeys(row.method for row in rows))


def author(rows: Sequence[Asked]) -> str:
    """Decisions by what is known of child and alleged parent."""
    kinds: dict[str, Callable[[Asked], bool]] = {
        "two samples of the same weights": lambda row: row.kind == SAME,
        "fp16 and int8, the parent": lambda row: row.kind == TRUE and row.child in ("fp16", "int8"),
        "perceptual fine-tunes, the parent": lambda row: row.kind == TRUE and row.child.startswith("clip"),
        "fine-tunes with foreign images, the parent": lambda row: row.kind == TRUE and row.child.startswith("sdxl"),
        "all children, one trained apart (`b1_formal`); the parent among those apart": lambda row: row.kind == TURNED,
        "fine-tunes, another fine-tune of their parent": lambda row: row.kind == SIBLINGS,
        "each trained apart, the parent; the other three apart": lambda row: row.kind == RECIPE,
    }
    lines = []
    for what, fits in kinds.items():
        for size in sorted({row.size for row in rows}):
            own = [row for row in rows if row.size == size and fits(row)]
            encoder = chosen(own, method=ENCODER)
            cells = [cell(chosen(own, method=method)) for method in methods(rows)]
            lines.append(line(what, size, f"{100 * encoder[0].rate:.0f}", share(encoder), *cells))
    return "\n".join(lines)


def margins(rows: Sequence[Asked]) -> str:
    """A row for each child: answer and margin, by the sample of the parent."""
    own = [row for row in chosen(rows, method=ENCODER, size=20) if row.kind in (TRUE, SAME)]
    parents = ("milestone_11_diffaug_ema", "clip_e0", "fp32")
    lines = []
    for child in dict.fromkeys(row.child for row in sorted(own, key=lambda row: row.kind == SAME)):
        cells = []
        for parent in parents:
            found = chosen(own, child=child, parent=parent)
            cells.append("" if not found else "{}, {:.0f} [{:.0f}, {:.0f}]".format(found[0].decision, *found[0].margin))
        lines.append(line(f"`{child}`", *cells))
    return "\n".join(lines)


def shipped(rows: Sequence[Asked]) -> str:
    """Children and turned questions, by size and method."""
    lines = []
    for size in sorted({row.size for row in rows}):
        for method in methods(rows):
            own = chosen(rows, size=size, method=method)
            right, turned = chosen(own, kind=TRUE), chosen(own, kind=TURNED)
            relative = np.array([row.relative for row in right])
            lines.append(line(size, method, cell(right), cell(turned), auroc(relative)))
    return "\n".join(lines)


def auroc(relative: np.ndarray) -> str:
    """Of margins against the same turned; bootstrap over children."""
    rng = np.random.default_rng(0)
    draws = [relative, *(rng.choice(relative, len(relative)) for _ in range(1000))]
    found = [roc_auc_score(np.repeat([1, 0], len(one)), np.concatenate([one, -one])) for one in draws]
    return "{:.2f} [{:.2f}, {:.2f}]".format(found[0], *np.quantile(found[1:], [0.025, 0.975]))


def pairs(rows: Sequence[Asked], unpaired: Sequence[Asked]) -> str:
    """Children and models trained apart, by size, paired by each method and not paired by the encoder."""
    lines = []
    for size in sorted({row.size for row in rows}):
        ways = {"set encoder, not paired, latents of their own": chosen(unpaired, size=size)}
        ways |= {f"{method}, paired": chosen(rows, size=size, method=method) for method in methods(rows)}
        for way, own in ways.items():
            right, apart = chosen(own, kind=TRUE), chosen(own, kind=RECIPE)
            lines.append(line(size, way, cell(right), share(right), cell(apart), share(apart)))
    return "\n".join(lines)


def follows(rows: Sequence[Asked]) -> str:
    """Of each shipped child, how far it follows its parent and another."""
    own = chosen(rows, size=20, kind=TRUE)
    lines = []
    for row in chosen(own, method=ENCODER):
        (seen,) = chosen(own, method=THUMBNAIL, child=row.child)
        lines.append(line(row.child, row.decision, *(f"{value:.2f}" for value in (*row.follows, *seen.follows))))
    return "\n".join(lines)


def author_pairs(rows: Sequence[Asked]) -> str:
    """The author's models from the same latents, by size and method."""
    lines = []
    for size in sorted({row.size for row in rows}):
        for method in methods(rows):
            cells = []
            for kind in (TRUE, RECIPE):
                own = chosen(rows, size=size, method=method, kind=kind)
                cells += [cell(own), ", ".join(spread([row.follows[i] for row in own]) for i in (0, 1))]
            lines.append(line(size, method, *cells))
    return "\n".join(lines)


def spread(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def page(found: Mapping[str, Sequence[Asked]], kin: Mapping[tuple[str, int], Mapping[str, Mean]], made: str) -> str:
    """The whole page."""
    apart = chosen(found["pairs"], method=ENCODER, kind=RECIPE)
    encoder = chosen(found["author"], method=ENCODER, size=20)
    siblings, recipe = chosen(encoder, kind=SIBLINGS), chosen(encoder, kind=RECIPE, child="b1_formal_clean_unique_17k")
    same = chosen(encoder, kind=SAME)
    kinship = [
        line(method, size, *(number(one[what]) for what in ("order", "derived", "architecture")))
        for (method, size), one in sorted(kin.items(), key=lambda item: item[0][1])
    ]  # fmt: skip
    return _PAGE.format(
        made=made, author=author(found["author"]), margins=margins(found["author"]), kinship="\n".join(kinship),
        shipped=shipped(found["shipped"]), pairs=pairs(found["pairs"], found["unpaired"]), follows=follows(found["pairs"]),
        author_pairs=author_pairs(found["author pairs"]), apart=len(chosen(apart, size=20)),
        least=min(row.follows[0] for row in apart), most=max(row.follows[0] for row in apart),
        closer=max(row.follows[0] - row.follows[1] for row in apart),
        pruned=", ".join(
            f"{row.size} pairs {row.decision}"
            for row in chosen(found["pairs"], method=ENCODER, child="vae-conv-s0-pruned")
        ),
        said_same=f"of two samples of the same weights, each came out as derived from the other ({cell(same)}).",
        said_siblings=f"Two fine-tunes of one parent come out as derived from one another ({cell(siblings)}).",
        said_recipe=f"`b1_formal`, trained apart by the parent's recipe, is called derived from it ({cell(recipe)}) where all those apart are of other recipes.",
    )  # fmt: skip
