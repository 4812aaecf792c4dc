"""Piles in chunks: nothing lost, nothing counted twice, and the same on a cluster whose workers die."""

import os
import pickle
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genprint.baselines.content import ColourQuantiles
from genprint.fingerprints import bulk
from genprint.fingerprints.bulk import Chunk, Ledger, LedgerError, compute, pack, unpack
from genprint.fingerprints.cluster import Cluster, ClusterError
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet, ImageSetError, LeftOut, NothingUsable
from tests.conftest import textured


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


@pytest.fixture
def encoder(small_model):
    return small_model.fingerprinter


def made(pile, ledger, fingerprinter, run=bulk.local, **more):
    return list(bulk.fingerprint(fingerprinter, read_sources(pile), ledger, run, size=10, **more))


def test_chunks_give_what_whole_sets_give(pile, tmp_path, encoder):
    whole = encoder.fingerprint(read_sources(pile))
    parts = made(pile, Ledger(tmp_path / "ledger"), encoder)
    for expected, found in zip(whole, parts, strict=True):
        assert (found.source, found.count, found.digests) == (expected.source, expected.count, expected.digests)
        assert (found.names, found.extractor, found.parts) == (expected.names, expected.extractor, expected.parts)
        assert np.allclose(found.mean, expected.mean, atol=1e-4)
        assert np.allclose(found.scatter, expected.scatter, rtol=1e-3, atol=1e-2)
        assert np.allclose(encoder.embed(found), encoder.embed(expected), atol=1e-4)
        assert found.left_out == expected.left_out
        assert found.features is None  # of a pile, memory keeps moments
    assert len(parts[0].left_out) == 2


def test_what_is_in_the_ledger_is_not_made_again(pile, tmp_path, encoder):
    ledger = Ledger(tmp_path / "ledger")
    asked = []

    def broken(fingerprinter, missing):
        for chunk in missing[:3]:
            yield compute(fingerprinter, chunk)
        raise KeyboardInterrupt

    def counting(fingerprinter, missing):
        asked.extend(missing)
        return bulk.local(fingerprinter, missing)

    with pytest.raises(KeyboardInterrupt):
        made(pile, ledger, encoder, broken)
    told = []
    resumed = made(pile, Ledger(tmp_path / "ledger"), encoder, counting, progress=told.append)
    assert len(asked) == sum(len(bulk.chunks(own, encoder.extractor_id, 10)) for own in read_sources(pile)) - 3
    assert sum(told) == 23 + 12 + 5 + 1
    unbroken = made(pile, Ledger(tmp_path / "other"), encoder)
    for a, b in zip(resumed, unbroken, strict=True):
        assert (encoder.embed(a) == encoder.embed(b)).all()
    asked.clear()
    Image.fromarray(textured(np.random.default_rng(9), 1)[0]).save(pile / "a" / "000.png")
    again = made(pile, ledger, encoder, counting)
    assert len(asked) <= 2  # the chunk that the file is in, perhaps cut in two
    assert again[0].count == 22


def test_what_could_not_be_read_is_tried_again(pile, tmp_path, monkeypatch, encoder):
    ledger, real = Ledger(tmp_path / "ledger"), Path.open

    def failing(path, *how):
        if path.name == "03.png":
            raise OSError(5, "Input/output error")
        return real(path, *how)

    monkeypatch.setattr(Path, "open", failing)
    assert made(pile, ledger, encoder)[1].count == 11
    monkeypatch.setattr(Path, "open", real)
    assert made(pile, ledger, encoder)[1].count == 12


def test_sets_that_are_no_files_are_told_apart(tmp_path, rng, encoder):
    ledger = Ledger(tmp_path / "ledger")
    for n in (6, 4):  # the same file, and the same names, with other images
        np.savez(tmp_path / "sources.npz", a=textured(rng, n), b=textured(rng, 3))
        assert [own.count for own in made(tmp_path / "sources.npz", ledger, encoder)] == [n, 3]
        in_memory = [ImageSet.from_array(textured(rng, n), "x")]
        assert next(bulk.fingerprint(encoder, in_memory, ledger)).count == n


def test_another_extractor_makes_its_own(pile, tmp_path, encoder):
    ledger = Ledger(tmp_path / "ledger")
    found = made(pile, ledger, encoder)
    others = made(pile, ledger, ColourQuantiles())
    assert others[0].mean.shape != found[0].mean.shape
    assert others[0].extractor != found[0].extractor
    assert (made(pile, ledger, encoder)[0].mean == found[0].mean).all()


def test_packing_keeps_names_that_are_no_text(encoder):
    found = encoder.extract(ImageSet.from_array(textured(np.random.default_rng(0), 3), "x"))
    odd = os.fsdecode(b"\xff\xfe.png")
    found = replace(found, left_out=(LeftOut(odd, "why"),), names=(odd, "", "b"))
    again = unpack(pack(found), "x", encoder)
    assert (again.values == found.values).all()
    for name in ("source", "digests", "left_out", "names", "extractor", "parts"):
        assert getattr(again, name) == getattr(found, name)


def test_chunks_survive_pickling(pile, encoder):
    for images in read_sources(pile):
        for chunk in bulk.chunks(images, encoder.extractor_id, 10):
            again = pickle.loads(pickle.dumps(chunk))
            assert again.key == chunk.key
            assert compute(encoder, again) == compute(encoder, chunk)


def test_what_is_left_out_of_a_set_of_nothing_is_all_told(pile, tmp_path, encoder):
    for path in (pile / "c").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(NothingUsable, match=r"none of 5 files can be used") as error:
        list(bulk.fingerprint(encoder, [ImageSet.read(pile / "c")], Ledger(tmp_path / "ledger"), size=2))
    assert [Path(left.name).name for left in error.value.left_out] == [f"{i:02d}.png" for i in range(5)]


def test_errors_say_what_to_do(pile, tmp_path, encoder):
    (tmp_path / "ledger").write_text("something else, and long enough to be no database of any kind" * 20)
    with pytest.raises(LedgerError, match="remove it"):
        Ledger(tmp_path / "ledger")
    ledger = Ledger(tmp_path / "damaged")
    made(pile, ledger, encoder)
    ledger._connection.execute("UPDATE chunk SET features = x'00'")
    with pytest.raises(LedgerError, match="damaged; remove it"):
        made(pile, ledger, encoder)
    for path in (pile / "c").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(ImageSetError, match=r"none of 5 files can be used"):
        made(pile, Ledger(tmp_path / "new"), encoder)


def test_saved_fingerprints_say_what_made_them(pile, tmp_path, encoder):
    found = made(pile, Ledger(tmp_path / "ledger"), encoder)
    bulk.save(tmp_path / "out" / "f.npz", found, encoder)
    with np.load(tmp_path / "out" / "f.npz", allow_pickle=False) as file:
        assert list(file["sources"]) == list("abcd")
        assert file["counts"].tolist() == [21, 12, 5, 6]
        assert file["vectors"].shape == (4, 96)
        assert np.allclose(file["means"][1], found[1].mean)
        assert str(file["extractor"]) == encoder.extractor_id


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


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_and_a_node_gives_the_same(pile, tmp_path):
    import ray
    import ray.cluster_utils

    ray.cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["Mortal"]))
    nodes = ray.cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = nodes.add_node(wait=False, num_cpus=1)
        nodes.wait_for_nodes(timeout=300)  # beside other work they come up slowly
        ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
        mortal = Mortal(str(tmp_path / "died"))

        def losing_a_node(fingerprinter, missing):
            for i, one in enumerate(Cluster(workers=2).run(fingerprinter, missing)):
                if i == 1:
                    nodes.remove_node(second, allow_graceful=False)
                yield one

        ledger = Ledger(tmp_path / "cluster")
        whole = list(bulk.fingerprint(mortal, read_sources(pile), ledger, losing_a_node, size=2))
        assert (tmp_path / "died").exists()
        here = list(bulk.fingerprint(mortal, read_sources(pile), Ledger(tmp_path / "here"), size=2))
        for ours, theirs in zip(whole, here, strict=True):
            assert ours.digests == theirs.digests
            assert (ours.mean == theirs.mean).all()
            assert (ours.scatter == theirs.scatter).all()
            assert ours.left_out == theirs.left_out
    finally:
        ray.shutdown()
        nodes.shutdown()


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ClusterError, match=r"genprint\[cluster\]"):
        next(Cluster().run(ColourQuantiles(), [Chunk("x", ImageSet.of(np.zeros((1, 32, 32, 3), np.uint8)))]))
