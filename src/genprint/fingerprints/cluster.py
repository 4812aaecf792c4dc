"""Fingerprinting on many machines at once, by Ray Data."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from genprint.errors import GenprintError
from genprint.fingerprints.bulk import Chunk, ChunkResult, compute
from genprint.fingerprints.fingerprinter import Fingerprinter


class ClusterError(GenprintError, RuntimeError):
    """No cluster is available."""


class _Worker:
    """Keeps a fingerprinter, and computes one chunk at a time."""

    def __init__(self, fingerprinter: Fingerprinter, threads: int, gpu: bool):
        import torch

        torch.set_num_threads(threads)
        self._fingerprinter = fingerprinter
        if gpu:
            fingerprinter.network.to("cuda")

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return asdict(compute(self._fingerprinter, pickle.loads(row["chunk"])))


@dataclass(frozen=True)
class Cluster:
    """Workers of a Ray cluster: the one that ``RAY_ADDRESS`` names, else one of this machine alone.

    A worker that dies is replaced and its chunk computed again, as often as it takes. All machines see the images under
    the same path.

    Args:
        workers: processes, each with a fingerprinter of its own; None: as many as the cluster has processors (or GPUs).
        threads: of each.
        gpu: each worker has one.
    """

    workers: int | None = None
    threads: int = 1
    gpu: bool = False

    def run(self, fingerprinter: Fingerprinter, missing: Sequence[Chunk]) -> Iterator[ChunkResult]:
        """Computes the chunks, in whatever order; a ``genprint.fingerprints.bulk.Runner``.

        Raises:
            ClusterError: Ray is not installed, or no cluster answers.
        """
        if not missing:
            return
        ray = _ray()
        if not ray.is_initialized():
            try:
                ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
            except Exception as error:
                raise ClusterError(f"no Ray cluster answers ({error}); check RAY_ADDRESS, or go without it") from None
        room = ray.cluster_resources()
        places = int(room.get("GPU", 0) if self.gpu else room.get("CPU", 0) // self.threads)
        if not places:
            raise ClusterError(f"the cluster has no {'GPU' if self.gpu else 'processor'} for a worker; it has {room}")
        workers = min(self.workers or places, places, len(missing))
        rows = [{"chunk": pickle.dumps(chunk)} for chunk in missing]
        computed = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            _Worker,
            fn_constructor_args=(fingerprinter, self.threads, self.gpu),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=self.threads,
            num_gpus=1 if self.gpu else None,
        )
        try:
            for row in computed.iter_rows():
                yield ChunkResult(**row)
        except Exception as error:
            raise ClusterError(f"the cluster failed ({error}); call again: what is computed is kept") from None


def _ray() -> Any:
    """Ray, quiet: no usage statistics, and progress is shown by the caller."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise ClusterError("a cluster needs Ray: pip install 'genprint[cluster]'") from None
    ray.data.DataContext.get_current().enable_progress_bars = False
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ray
