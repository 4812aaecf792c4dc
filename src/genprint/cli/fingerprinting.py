"""The command that fingerprints piles of images: fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genprint.cli.common import AsJson, Model, bar, csv_bytes, errors, load_encoder, show, tell


def fingerprint(
    data: Annotated[Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, .npz.")] = Path("fingerprints.npz"),
    cluster: Annotated[
        bool, typer.Option("--cluster", help="On a Ray cluster: of RAY_ADDRESS, else of this machine alone.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes on the cluster; all it has room for.")] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Each process on the cluster has a GPU.")] = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Fingerprints every source of a folder, of any number of images.

    Written are sources, counts, vectors and means (numpy.load). Beside it lies the ledger of what was read: killed, it
    goes on where it was when called again, and images added later cost no second pass over most others. What could not
    be used is listed in a .csv.
    """
    from genprint.fingerprints import bulk as fingerprinting
    from genprint.fingerprints.cluster import Cluster
    from genprint.images.sets import read_sources
    from genprint.storage.files import write_atomically

    with errors(as_json):
        if (gpu or workers) and not cluster:
            raise ValueError("--workers and --gpu are of a cluster: add --cluster")
        encoder, sets = load_encoder(model), read_sources(data)
        ledger = fingerprinting.Ledger(output.with_suffix(".ledger.sqlite"))
        run = Cluster(workers, gpu=gpu).run if cluster else fingerprinting.here
        with bar("reading images", total=sum(max(1, len(images.files)) for images in sets)) as advance:
            found = list(fingerprinting.fingerprint(encoder, sets, ledger, run, advance))
        made = [own for own, _ in found]
        fingerprinting.save(output, made, encoder.maker())
        left_out = [(own.source, left.name, left.reason) for own, all_left in found for left in all_left]
        listed = output.with_suffix(".left-out.csv")
        write_atomically(listed, csv_bytes([("source", "image", "reason"), *left_out]))
        if left_out:
            tell(f"{len(left_out)} images left out: {listed} says why")
        counts = {own.source: own.count for own in made}
        show(counts, as_json, f"{sum(counts.values())} images of {len(counts)} sources: {output}")
