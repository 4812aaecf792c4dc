"""Commands that look closer: mixture, audit, compare, families."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genprint.cli.common import (
    DEFAULT_GALLERY,
    AsJson,
    GalleryFile,
    Histories,
    Known,
    Model,
    bar,
    csv_bytes,
    enrolled_features,
    errors,
    load_encoder,
    open_gallery,
    read_features,
    show,
    tell_left_out,
)
from genprint.storage.files import check_writable, write_atomically

if TYPE_CHECKING:
    from genprint.answers.audit import Audit
    from genprint.answers.families import FamilyTree
    from genprint.answers.mixture import Mixture


def mixture(
    probe: Annotated[Path, typer.Argument(exists=True, help="Image set that may be of several sources.")],
    known: Known = None,
    gallery: GalleryFile = DEFAULT_GALLERY,
    histories: Histories = True,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write whose each image likely is, as CSV, here.")
    ] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Says in what shares a set holds images of the known sources, and whose each image likely is.

    Exit code: 0 one source or several, 3 not made of the known ones.

    Example: genprint mixture pile/ --known models/ -o whose.csv
    """
    from genprint.answers.mixture import unmix
    from genprint.answers.results import EXIT_CODES
    from genprint.images.sets import ImageSet

    with errors(as_json):
        if output:
            check_writable(output)
        encoder = load_encoder(model)
        enrolled = enrolled_features(encoder, known, gallery, histories)
        features = read_features(encoder, [ImageSet.read(probe, str(probe))])[str(probe)]
        result = unmix(encoder, enrolled, str(probe), features)
        tell_left_out(str(probe), result.left_out[len(features.left_out) :])
        if output:
            rows = [(m.image, m.sha256, m.source, f"{m.probability:.4f}") for m in result.members]
            write_atomically(output, csv_bytes([("image", "sha256", "source", "probability"), *rows]))
        show(result.to_dict(), as_json, _mixture_text(result))
    raise typer.Exit(EXIT_CODES.get(result.answer, 0))


def _mixture_text(result: Mixture) -> str:
    said = {
        "single": "nothing speaks against one source",
        "mixed": "images of several sources",
        "unknown": "not made of the known sources alone; the shares are no answer",
    }
    lines = [f"{result.probe}: {result.answer} ({said[result.answer]})"]
    lines += [f"  {s.source:<24} {s.share:>6.1%} [{s.low:.1%}, {s.high:.1%}]" for s in result.shares if s.high > 0.005]
    first = result.shares[0].source
    lines.append(
        f"  p {result.mixed_p:.3f} that all are of {first}; p {result.fit_p:.3f} that known sources draw these"
    )
    lines.append(f"  {result.images} images used, {len(result.left_out)} left out")
    return "\n".join(lines)


def audit(
    data: Annotated[Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source.")],
    as_json: AsJson = False,
) -> None:
    """Says what else than a trace could tell the sources in DATA apart: format, quality, size, metadata, content.

    Run it before you believe any result on DATA. Exit code: 0 nothing found, 3 something was, 4 too few images to tell.
    """
    from genprint.answers.audit import audit as look
    from genprint.images.sets import read_sources

    with errors(as_json):
        with bar("reading images") as advance:
            result = look(read_sources(data), advance)
        show({**result.to_dict(), "warnings": [w.fact for w in result.warnings]}, as_json, _audit_text(result))
    raise typer.Exit(3 if result.warnings else 0 if result.enough else 4)


def _audit_text(result: Audit) -> str:
    lines = [f"{len(result.sources)} sources, {sum(result.sources.values())} images; share of images named right"]
    for finding in result.findings:
        mark = "WARNING" if finding.warning else ""
        lines.append(f"  {finding.fact:<12} {finding.accuracy:>6.1%}  (chance {finding.chance:.1%})  {mark}")
        if finding.warning:
            lines += [f"      {source}: {values}" for source, values in finding.values.items()]
    file = [w.fact for w in result.warnings if w.kind == "file"]
    if any(w.kind == "grid" for w in result.warnings):
        lines.append(
            "A grid of 8 px differs by source: some images were once saved as JPEG, or generators leave it themselves. "
            "Find out which."
        )
    content = [w.fact for w in result.warnings if w.kind == "content"]
    if file:
        lines.append(
            f"Files differ by source in {', '.join(file)}: a method may name a source by that alone. Get the files as "
            "they were made, or bring all to one form before comparing, and say so."
        )
    if content:
        lines.append(
            f"Pictures differ by source in {', '.join(content)}: compare what a method reaches with these controls "
            "(genprint evaluate attributability DATA --method set_encoder --method colour --method thumbnail)."
        )
    if not result.enough:
        lines.append("There are too few images to tell any fact from chance. Give 20 or more of each source.")
    elif not result.warnings:
        lines.append("Nothing but a trace was found to tell them apart.")
    return "\n".join(lines)


def compare(
    child: Annotated[Path, typer.Argument(exists=True, help="Images of the model in question.")],
    parent: Annotated[Path, typer.Argument(exists=True, help="Images of the model it may be derived from.")],
    apart: Annotated[
        list[Path],
        typer.Option(exists=True, help="Images of a model like the parent, known to be trained apart; several times."),
    ],
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Says whether CHILD is derived from PARENT (tuned, quantised, other sampler) rather than trained apart.

    Other seeds of the parent's architecture, on the same images, are the right --apart. Exit code: 0 derived, 3 nearer
    one of the others, 4 inconclusive.

    Example: genprint compare suspect/ ours/ --apart ours-seed-1/ --apart ours-seed-2/
    """
    from genprint.answers.lineage import APART, DERIVED, lineage
    from genprint.images.sets import ImageSet

    with errors(as_json):
        encoder = load_encoder(model)
        paths = [child, parent, *apart]
        if len({path.resolve() for path in paths}) < len(paths):
            raise ValueError("child, parent and every --apart are different sets; one is given twice")
        features = read_features(encoder, [ImageSet.read(path, str(path)) for path in paths])
        others = {str(path): features[str(path)] for path in apart}
        result = lineage(encoder, (str(child), features[str(child)]), (str(parent), features[str(parent)]), others)
        low, high = result.margin[1:]
        lines = [
            f"{child}: {result.answer}",
            f"  of models trained apart, {result.rate:.0%} come out derived; fewer with more --apart",
            f"  distance to {parent} {result.distance:.2f}, p {result.p:.3f} of being no nearer than to the others",
            *(f"  distance to {name} {distance:.2f}" for name, distance in result.others.items()),
            f"  margin of the squared distances {result.margin[0]:.2f} [{low:.2f}, {high:.2f}]",
        ]
        show(result.to_dict(), as_json, "\n".join(lines))
    raise typer.Exit({DERIVED: 0, APART: 3}.get(result.answer, 4))


def families(
    data: Annotated[
        Path | None, typer.Argument(exists=True, help="Folder with one sub-folder for each source; else the gallery.")
    ] = None,
    gallery: GalleryFile = DEFAULT_GALLERY,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("genprint-families"),
    linkage: Annotated[str, typer.Option(help="average, complete, single or ward.")] = "average",
    support: Annotated[
        int | None,
        typer.Option(min=0, help="Resamplings for the support of branches; 100, or none for more than 500 sources."),
    ] = None,
    groups: Annotated[
        int | None,
        typer.Option(min=2, help="Cluster the gallery's vectors into so many groups, and draw the tree of these."),
    ] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Draws the family tree of sources: tree.png, tree.svg, tree.newick, distances.csv, families.json.

    Of more than 1000 sources, distances are written as distances.npy, and the top of the tree is drawn. A gallery of
    more than 20,000 becomes a tree of 2000 groups (k-means of vectors); groups.csv says which source is in which.
    """
    from genprint.answers.families import LINKAGES, MOST_LINKED, FamilyTree, grouped, resampled
    from genprint.images.sets import read_sources
    from genprint.scoring.base import ByFingerprint

    with errors(as_json):
        if linkage not in LINKAGES:
            raise ValueError(f"--linkage {linkage}: use one of {', '.join(LINKAGES)}")
        if groups and (data or support):
            raise ValueError("--groups is of a gallery's vectors and has no support: leave DATA and --support out")
        check_writable(output / "families.json")
        encoder = load_encoder(model)
        if data is None and (groups or len(open_gallery(encoder, gallery)) > MOST_LINKED):
            names, vectors = open_gallery(encoder, gallery).vectors()
            tree, labels = grouped(names, vectors, groups or 2000, linkage)
            rows = zip(names, (tree.sources[label] for label in labels), strict=True)
            write_atomically(output / "groups.csv", csv_bytes([("source", "group"), *rows]))
        else:
            if data is None:
                features = open_gallery(encoder, gallery).features(histories=False)
            else:
                features = read_features(encoder, read_sources(data))
            comparer = ByFingerprint(encoder, encoder.plda_)
            distances = partial(comparer.apart, comparer.adapted(features.values()))
            tree = FamilyTree.build(list(features), distances(list(features.values())), linkage)
            if support is None:
                support = 100 if len(features) <= 500 else 0
            if support:
                with bar("resampling", total=support) as advance:
                    tree = tree.with_support(resampled(list(features.values()), distances, support, progress=advance))
        table = _write_tree(tree, output)
        show(tree.to_dict(), as_json, f"{tree.newick()}\nwritten to {output}/: tree.png, tree.svg, tree.newick, "
             f"{table}, families.json")  # fmt: skip


def _write_tree(tree: FamilyTree, output: Path) -> str:
    """All files about a tree; the name of the one with its distances."""
    import numpy as np

    from genprint.answers.families import MOST_LISTED
    from genprint.report.figures import save_tree

    output.mkdir(parents=True, exist_ok=True)
    for stale in ("distances.csv", "distances.npy"):
        (output / stale).unlink(missing_ok=True)
    save_tree(tree, output)
    table = "distances.csv" if len(tree.sources) <= MOST_LISTED else "distances.npy"
    if table.endswith("csv"):
        rows = [(n, *(f"{d:.6g}" for d in row)) for n, row in zip(tree.sources, tree.distances, strict=True)]
        write_atomically(output / table, csv_bytes([("source", *tree.sources), *rows]))
    else:
        buffer = io.BytesIO()
        np.save(buffer, tree.distances.astype(np.float32))
        write_atomically(output / table, buffer.getvalue())
    write_atomically(output / "families.json", tree.to_json().encode())
    return table
