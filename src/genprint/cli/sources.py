"""Commands about many sources: audit, families."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genprint.cli.common import csv_bytes, errors, show, tell_left_out
from genprint.cli.loading import known_gallery, open_gallery, sources_of
from genprint.cli.options import DEFAULT_GALLERY, AsJson, GalleryFile, Model, Strict
from genprint.cli.progress import bar
from genprint.words import all_printable

if TYPE_CHECKING:
    from genprint.answers.families import FamilyTree


def audit(
    data: Annotated[
        Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source, or a gallery's file.")
    ],
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Says what else than a trace could tell the sources in DATA apart: format, quality, size, metadata, content.

    Of a gallery, whether it is well: one source under two names, two under one name, too few sources or images.

    Run it before you believe any result on DATA. Exit code: 0 nothing found, 3 something was, 4 too few images to tell.
    """
    from genprint.answers import audit as audits
    from genprint.cli import text
    from genprint.storage.sqlite import is_database

    with errors(as_json):
        if is_database(data):
            well = open_gallery(data, model).audit()
            show(well.to_dict(), as_json, text.gallery_audit(all_printable(well)))
            raise typer.Exit(3 if well.concerns else 0)
        having = sources_of(data, strict)
        with bar("reading images") as advance:
            result = audits.audit(having, advance)
        tell_left_out(str(data), result.left_out)
        show(result.to_dict(), as_json, text.audit(all_printable(result)))
    raise typer.Exit(3 if result.warnings else 0 if result.enough else 4)


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
    resampling: Annotated[str, typer.Option(help="Of images, for support: halves or bootstrap.")] = "halves",
    spectrum: Annotated[
        bool, typer.Option("--spectrum", help="Distances that fingerprints and mean spectra of the images agree on.")
    ] = False,
    structure: Annotated[
        bool, typer.Option("--structure", help="Note on branches what is read of how all their sources are built.")
    ] = False,
    cut_support: Annotated[
        float | None, typer.Option(min=0, max=1, help="Support from which on a branch is a family, by default 0.8.")
    ] = None,
    add: Annotated[
        Path | None,
        typer.Option(exists=True, help="Folder of further sources, each added to the tree of the others, which stays."),
    ] = None,
    groups: Annotated[
        int | None,
        typer.Option(min=2, help="Cluster the gallery's vectors into so many groups, and draw the tree of these."),
    ] = None,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Draws the family tree of sources: tree.html, tree.png, tree.svg, tree.newick, distances.csv, families.json.

    Families are the largest branches with support of --cut-support or more; families.csv says which source is in which.

    Of more than 1000 sources, distances are written as distances.npy, and the top of the tree is drawn. A gallery of
    more than 20,000 becomes a tree of 2000 groups (k-means of vectors); groups.csv says which source is in which.
    """
    from genprint.storage.files import check_writable, write_atomically

    with errors(as_json):
        if linkage not in ("average", "complete", "single", "ward"):
            raise ValueError(f"--linkage {linkage}: use one of average, complete, single, ward")
        if groups and (data or support or add):
            raise ValueError(
                "--groups is of a gallery's vectors and has no support: leave DATA, --support and --add out"
            )
        check_writable(output / "families.json")
        sources = known_gallery(data, gallery, model, conditions=False, strict=strict)
        from genprint.answering import GROUPS
        from genprint.answers.families import MOST_LINKED, SUPPORTED
        from genprint.api import as_gallery
        from genprint.cli import text

        bound = SUPPORTED if cut_support is None else cut_support
        if groups or len(sources) > MOST_LINKED:
            tree, members = sources.groups(groups or GROUPS, linkage)
            write_atomically(output / "groups.csv", csv_bytes([("source", "group"), *members.items()]))
        else:
            if support is None:
                support = 100 if len(sources) <= 500 else 0
            further = None if add is None else as_gallery(sources_of(add, strict), sources.model)
            with bar("resampling", total=support or None) as advance:
                tree = sources.families(
                    linkage, support, progress=advance, add=further, resampling=resampling, spectrum=spectrum,
                    structure=structure,
                )  # fmt: skip
        table = _write_tree(tree, output, bound)
        show(
            tree.to_dict() | ({} if tree.support is None else {"families": tree.families(bound)}),
            as_json,
            f"{tree.newick()}\n{text.families(tree, bound)}written to {output}/: tree.html, tree.png, tree.svg, "
            f"tree.newick, {table}, families.json",
        )


def _write_tree(tree: FamilyTree, output: Path, bound: float) -> str:
    """All files about a tree; the name of the one with its distances."""
    import numpy as np

    from genprint.answers.families import MOST_LISTED
    from genprint.report.family_tree import tree_page
    from genprint.report.figures import save_tree
    from genprint.storage.files import write_atomically

    output.mkdir(parents=True, exist_ok=True)
    for stale in ("distances.csv", "distances.npy", "families.csv"):
        (output / stale).unlink(missing_ok=True)
    save_tree(tree, output, bound)
    write_atomically(output / "tree.html", tree_page(tree, bound).encode("utf-8", "backslashreplace"))
    if tree.support is not None:
        members = tree.families(bound)
        write_atomically(output / "families.csv", csv_bytes([("source", "family"), *members.items()]))
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
