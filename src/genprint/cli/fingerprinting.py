"""The command that fingerprints piles of images: fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genprint.cli.common import csv_bytes, errors, show, tell
from genprint.cli.loading import load_model, sources_of
from genprint.cli.options import AsJson, Model, Strict
from genprint.cli.progress import bar
from genprint.words import counted


def fingerprint(
    data: Annotated[Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, .npz.")] = Path("fingerprints.npz"),
    cluster: Annotated[
        bool, typer.Option("--cluster", help="On a Ray cluster: of RAY_ADDRESS, else of this machine alone.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes on the cluster; all it has room for.")] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Each process on the cluster has a GPU.")] = False,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Fingerprints every source of a folder, of any number of images.

    Written are sources, counts, vectors and means (numpy.load). Beside it lies the ledger of what was read: killed, it
    goes on where it was when called again, and images added later cost no second pass over most others. What could not
    be used is listed in a .csv.
    """
    from genprint.fingerprints import bulk
    from genprint.fingerprints.cluster import Cluster
    from genprint.storage.device import device
    from genprint.storage.files import write_atomically

    with errors(as_json):
        if (gpu or workers) and not cluster:
            raise ValueError("--workers and --gpu are of a cluster: add --cluster")
        if cluster and device().type != "cpu":
            raise ValueError("--device is of one process: what workers compute on, --gpu says")
        sets = sources_of(data, strict)
        fingerprinter = load_model(model, sets).fingerprinter
        ledger = bulk.Ledger(output.with_suffix(".ledger.sqlite"))
        runner = Cluster(workers, gpu=gpu).run if cluster else bulk.local
        with bar("reading images", total=sum(max(1, len(images.files)) for images in sets)) as advance:
            made = list(bulk.fingerprint(fingerprinter, sets, ledger, runner, advance))
        bulk.save(output, made, fingerprinter)
        left_out = [(found.source, left.name, left.reason) for found in made for left in found.left_out]
        listed = output.with_suffix(".left-out.csv")
        write_atomically(listed, csv_bytes([("source", "image", "reason"), *left_out]))
        if left_out:
            tell(f"{counted(len(left_out), 'image')} left out: {listed} says why")
        counts = {found.source: found.count for found in made}
        show(counts, as_json, f"{counted(sum(counts.values()), 'image')} of {counted(len(counts), 'source')}: {output}")
