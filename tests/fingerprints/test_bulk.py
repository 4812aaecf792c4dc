"""Piles in chunks: nothing lost, nothing counted twice, and the same on a cluster whose workers die."""

import csv
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from genprint.baselines.content import ColourQuantiles
from genprint.cli import app
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints import bulk as fingerprinting
from genprint.fingerprints.bulk import Ledger, LedgerError, pack, unpack
from genprint.fingerprints.cluster import Cluster, ClusterError
from genprint.images.sets import ImageSet, ImageSetError, LeftOut, read_sources

from tests.conftest import textured

ENCODER = SetEncoder.from_pretrained()


@pytest.fixture
def pile(tmp_path, rng):
    """Three folders of files, one bad, one twice in different chunks; and an archive of numpy arrays."""
    for name, n in {"a": 23, "b": 12, "c": 5}.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for i, pixels in enumerate(textured(rng, n, grain=5.0)):
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i:02d}.png")
    (tmp_path / "data/a/05.png").write_bytes(b"no image")
    (tmp_path / "data/a/22.png").write_bytes((tmp_path / "data/a/01.png").read_bytes())
    np.savez(tmp_path / "data" / "d.npz", images=textured(rng, 6))
    return tmp_path / "data"


def made(pile, ledger, run=fingerprinting.here, encoder=ENCODER, **more):
    return list(fingerprinting.fingerprint(encoder, read_sources(pile), ledger, run, size=10, **more))


def test_chunks_give_what_whole_sets_give(pile, tmp_path):
    whole = ENCODER.fingerprint(sets := read_sources(pile))
    parts = made(pile, Ledger(tmp_path / "ledger"))
    for expected, images, (found, left_out) in zip(whole, sets, parts, strict=True):
        assert (found.source, found.count, found.digests) == (expected.source, expected.count, expected.digests)
        assert np.allclose(found.mean, expected.mean, atol=1e-4)
        assert np.allclose(found.scatter, expected.scatter, rtol=1e-3, atol=1e-2)
        assert np.allclose(found.vector, expected.vector, atol=1e-4)
        assert left_out == images.left_out
    assert len(parts[0][1]) == 2


def test_what_is_in_the_ledger_is_not_made_again(pile, tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    asked = []

    def broken(fingerprinter, missing):
        for chunk in missing[:3]:
            yield fingerprinting.make(fingerprinter, chunk)
        raise KeyboardInterrupt

    def counting(fingerprinter, missing):
        asked.extend(missing)
        return fingerprinting.here(fingerprinter, missing)

    with pytest.raises(KeyboardInterrupt):
        made(pile, ledger, broken)
    told = []
    resumed = made(pile, Ledger(tmp_path / "ledger"), counting, progress=told.append)
    assert len(asked) == sum(len(fingerprinting.chunks(own, ENCODER.maker(), 10)) for own in read_sources(pile)) - 3
    assert sum(told) == 23 + 12 + 5 + 1
    unbroken = made(pile, Ledger(tmp_path / "other"))
    assert all((a.vector == b.vector).all() for (a, _), (b, _) in zip(resumed, unbroken, strict=True))
    asked.clear()
    Image.fromarray(textured(np.random.default_rng(9), 1)[0]).save(pile / "a" / "000.png")
    again = made(pile, ledger, counting)
    assert len(asked) <= 2  # the chunk that the file is in, perhaps cut in two
    assert again[0][0].count == 22


def test_what_could_not_be_read_is_tried_again(pile, tmp_path, monkeypatch):
    ledger, real = Ledger(tmp_path / "ledger"), Path.read_bytes

    def failing(path):
        if path.name == "03.png":
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    assert made(pile, ledger)[1][0].count == 11
    monkeypatch.setattr(Path, "read_bytes", real)
    assert made(pile, ledger)[1][0].count == 12


def test_sets_that_are_no_files_are_told_apart(tmp_path, rng):
    ledger = Ledger(tmp_path / "ledger")
    for n in (6, 4):  # the same file, and the same names, with other images
        np.savez(tmp_path / "sources.npz", a=textured(rng, n), b=textured(rng, 3))
        assert [own.count for own, _ in made(tmp_path / "sources.npz", ledger)] == [n, 3]
        in_memory = [ImageSet.from_array(textured(rng, n), "x")]
        assert next(fingerprinting.fingerprint(ENCODER, in_memory, ledger))[0].count == n


def test_another_maker_makes_its_own(pile, tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    made(pile, ledger)
    assert made(pile, ledger, encoder=ColourQuantiles())[0][0].mean.shape != made(pile, ledger)[0][0].mean.shape


def test_packing_keeps_names_that_are_no_text():
    features = ENCODER.features(ImageSet.from_array(textured(np.random.default_rng(0), 3), "x"))
    odd = os.fsdecode(b"\xff\xfe.png")
    features = fingerprinting.Features(features.values, features.digests, (LeftOut(odd, "why"),), (odd, "", "b"))
    again = unpack(pack(features))
    assert (again.values == features.values).all()
    assert (again.digests, again.left_out, again.names) == (features.digests, features.left_out, features.names)


def test_errors_say_what_to_do(pile, tmp_path):
    (tmp_path / "ledger").write_text("something else, and long enough to be no database of any kind" * 20)
    with pytest.raises(LedgerError, match="remove it"):
        Ledger(tmp_path / "ledger")
    ledger = Ledger(tmp_path / "damaged")
    made(pile, ledger)
    ledger._connection.execute("UPDATE chunk SET features = x'00'")
    with pytest.raises(LedgerError, match="damaged; remove it"):
        made(pile, ledger)
    for path in (pile / "c").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(ImageSetError, match=r"none of 5 files can be used"):
        made(pile, Ledger(tmp_path / "new"))


def test_command(pile, tmp_path):
    output = tmp_path / "out" / "fingerprints.npz"
    done = CliRunner().invoke(app, ["fingerprint", str(pile), "-o", str(output), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"a": 21, "b": 12, "c": 5, "d": 6}
    with np.load(output, allow_pickle=False) as file:
        assert list(file["sources"]) == list("abcd")
        assert file["vectors"].shape == (4, 96)
        assert str(file["maker"]) == ENCODER.maker()
    assert CliRunner().invoke(app, ["fingerprint", str(pile), "-o", str(output), "--gpu"]).exit_code == 1
    rows = list(csv.DictReader(output.with_suffix(".left-out.csv").open()))
    assert [Path(row["image"]).name for row in rows] == ["05.png", "22.png"]


class Mortal(ColourQuantiles):
    """Its process dies once, while it looks at images."""

    def __init__(self, marker: str = ""):
        self.marker = marker

    def _features(self, images):
        time.sleep(0.3)
        try:
            Path(self.marker).touch(exist_ok=False)
        except FileExistsError:
            return super()._features(images)
        os._exit(1)


def test_a_cluster_that_loses_a_worker_and_a_node_gives_the_same(pile, tmp_path):
    import ray
    import ray.cluster_utils

    ray.cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["Mortal"]))
    nodes = ray.cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = nodes.add_node(num_cpus=1)
        nodes.wait_for_nodes()
        ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
        encoder = Mortal(str(tmp_path / "died"))

        def losing_a_node(fingerprinter, missing):
            for i, one in enumerate(Cluster(workers=2).run(fingerprinter, missing)):
                if i == 1:
                    nodes.remove_node(second, allow_graceful=False)
                yield one

        ledger = Ledger(tmp_path / "cluster")
        whole = list(fingerprinting.fingerprint(encoder, read_sources(pile), ledger, losing_a_node, size=2))
        assert (tmp_path / "died").exists()
        here = list(fingerprinting.fingerprint(encoder, read_sources(pile), Ledger(tmp_path / "here"), size=2))
        for (ours, left), (theirs, left_here) in zip(whole, here, strict=True):
            assert ours.digests == theirs.digests
            assert (ours.mean == theirs.mean).all()
            assert (ours.scatter == theirs.scatter).all()
            assert left == left_here
    finally:
        ray.shutdown()
        nodes.shutdown()


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ClusterError, match=r"genprint\[cluster\]"):
        next(
            Cluster().run(
                ENCODER, [fingerprinting.Chunk("x", ImageSet.from_array(np.zeros((1, 32, 32, 3), np.uint8), "x"))]
            )
        )
