"""Writes docs/scale.md: a gallery of a million fingerprints, and the family tree of twenty thousand sources.

    python benchmarks/scale.py

Beside FAISS where that is installed (pip install faiss-cpu). Needs 24 GiB of memory.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import ROOT, encoder_of, provenance

from genprint.answers.families import FamilyTree
from genprint.answers.grouping import grouped
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.moments import Moments
from genprint.gallery.index import Index
from genprint.gallery.store import GalleryStore
from genprint.model import Model

_AS_ENROLLED = "none"  # how the gallery's tables name the original condition
_PAGE = """# Many sources

Written by `benchmarks/scale.py`. {provenance} Fingerprints are made up: unit vectors of {dim} numbers in families of ten.

## Gallery

| what | measured |
| --- | --- |
| enroll, one transaction ({enrolled:,} sources of {images} images) | {rate:,.0f} sources a second |
| enroll, a transaction each | {single:,.0f} sources a second |
| open: {count:,} vectors from SQLite into memory | {opened:.1f} s, {memory:.0f} MiB |
| file | {file:.0f} bytes a vector |
| one pass over that memory (sum) | {passed:.0f} ms |
| exact top 5 of all | {exact:.0f} ms, {ratio:.2f} times the pass |
{faiss}

## Family tree

{leaves:,} sources: distances {apart:.0f} s, average linkage {linked:.0f} s, Newick text {written:.1f} s; {peak:.1f} GiB at most.

{count:,} sources: a tree of {groups:,} groups of vectors (mini-batch k-means) in {grouped:.0f} s. Two sources of a family, in
whose tree they would be neighbours, are in one group in {together:.0f} % of pairs; any two sources are in {chance:.2f} %.
"""


def _seconds(work: Callable[[], object], repeats: int = 7) -> float:
    """The median of several."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def _vectors(count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    centres = rng.normal(size=(count // 10, dim)).astype(np.float32)
    vectors = np.repeat(centres, 10, axis=0)
    vectors += 0.5 * rng.standard_normal(vectors.shape, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _made_up(model: Model, count: int, images: int, rng: np.random.Generator, name: str) -> dict[str, Fingerprint]:
    extractor, parts, size = model.fingerprinter.extractor_id, model.fingerprinter.parts, len(model.plda.mean)
    made = {}
    for source in (f"{name} {i}" for i in range(count)):
        features = rng.standard_normal((images, size), dtype=np.float32)
        digests = tuple(f"{source}.{j}" for j in range(images))
        made[source] = Fingerprint(source, features, digests, extractor, parts)
    return made


def _faiss(index: Index, queries: np.ndarray) -> str:
    try:
        import faiss
    except ImportError:
        return "| FAISS | not installed |"
    faiss.omp_set_num_threads(1)
    rows, dim = [], index.vectors.shape[1]
    truth = [set(np.argsort(-(index.vectors @ query))[:5]) for query in queries]
    flat, graph = faiss.IndexFlatIP(dim), faiss.IndexHNSWFlat(dim, 16, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 40
    for name, other in (("flat", flat), ("HNSW (M 16, efSearch 200)", graph)):
        start = time.perf_counter()
        other.add(index.vectors)
        built = time.perf_counter() - start
        if other is graph:
            graph.hnsw.efSearch = 200
        found = [set(other.search(query[None], 5)[1][0]) for query in queries]
        recall = np.mean([len(a & b) / 5 for a, b in zip(truth, found, strict=True)])
        took = _seconds(lambda other=other: other.search(queries[:1], 5))
        rows.append(f"| FAISS {name}, one thread | {1000 * took:.2f} ms, recall {recall:.3f}, built in {built:.0f} s |")
        print(rows[-1], flush=True)
    return "\n".join(rows)


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=1_000_000)
    options.add_argument("--enrolled", type=int, default=5000)
    options.add_argument("--leaves", type=int, default=20_000)
    options.add_argument("--groups", type=int, default=2000)
    given = options.parse_args()
    start, rng, model, images = time.monotonic(), np.random.default_rng(0), Model.load(), 8
    with tempfile.TemporaryDirectory() as folder:
        gallery = GalleryStore(path := Path(folder) / "g.sqlite", model)
        made = _made_up(model, given.enrolled, images, rng, "many")
        rate = given.enrolled / _seconds(lambda: gallery.add_all(made.items()), 1)
        few = _made_up(model, 200, images, rng, "one")
        single = len(few) / _seconds(lambda: [gallery.add(*source) for source in few.items()], 1)
        vectors = _vectors(given.count, encoder_of(model).network.config["dim"], rng)
        # The rest as rows of the table that search reads: features of a million sources would measure the disk.
        large = Path(folder) / "large.sqlite"
        whole = GalleryStore(large, model)
        whole._connection.execute("PRAGMA foreign_keys=OFF")
        whole._connection.execute("BEGIN")
        rows = ((f"source {i:07d}", _AS_ENROLLED, row.tobytes()) for i, row in enumerate(vectors))
        whole._connection.executemany("INSERT INTO vector VALUES (?, ?, ?)", rows)
        whole._connection.execute("COMMIT")
        whole._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = time.perf_counter()
        index = GalleryStore(large, model).index()
        opened = time.perf_counter() - before
        size = large.stat().st_size / given.count
        print(f"{rate:.0f} {single:.0f} {opened:.1f} {path.stat().st_size}", flush=True)
    queries = _vectors(100, vectors.shape[1], rng)
    passed = _seconds(lambda: index.vectors.sum(dtype=np.float32))
    exact = _seconds(lambda: index.nearest(queries[0], 5))
    print(f"{1000 * passed:.0f} {1000 * exact:.0f}", flush=True)
    faiss = _faiss(index, queries)
    before = time.perf_counter()
    _, labels = grouped(index.names, index.vectors, given.groups)
    took = time.perf_counter() - before
    families = labels.reshape(-1, 10)
    together = (families[:, :1] == families[:, 1:]).mean()
    chance = np.square(np.bincount(labels) / len(labels)).sum()
    print(f"{took:.0f} {together:.3f}", flush=True)
    del index, vectors
    dim = len(model.plda.mean)
    scatter = (images - 1) * model.plda.within
    means = rng.normal(size=(given.leaves // 10, dim)).repeat(10, axis=0) + 0.3 * rng.normal(size=(given.leaves, dim))
    leaves = [
        Fingerprint(f"s{i}", None, (), parts=len(scatter), moments=Moments(images, mean, scatter))
        for i, mean in enumerate(means)
    ]
    before = time.perf_counter()
    distances = model.plda.adapt(leaves).distances(leaves)
    apart = time.perf_counter() - before
    tree = FamilyTree.build([leaf.source for leaf in leaves], distances)
    linked = time.perf_counter() - before - apart
    tree.newick()
    written = time.perf_counter() - before - apart - linked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "linux" else 2**30)
    page = _PAGE.format(
        provenance=provenance(0, start, model.identity), dim=len(queries[0]), enrolled=given.enrolled, images=images, rate=rate,
        single=single, count=given.count, opened=opened, memory=given.count * len(queries[0]) * 4 / 2**20, file=size,
        passed=1000 * passed, exact=1000 * exact, ratio=exact / passed, faiss=faiss, leaves=given.leaves,
        apart=apart, groups=given.groups, grouped=took, together=100 * together, chance=100 * chance, linked=linked, written=written, peak=peak,
    )  # fmt: skip
    (ROOT / "docs/scale.md").write_text(page)


if __name__ == "__main__":
    main()
