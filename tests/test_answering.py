"""Galleries that are asked about probes that went through something: what is read again, kept, and left as it is."""

import hashlib
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from genprint import api
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.conditions import CONDITIONS
from genprint.fingerprints.fingerprint import OriginalsError
from genprint.gallery.store import GalleryError
from genprint.images.processing import Jpeg
from genprint.images.sets import ImageSet
from genprint.report.page import tree_with_probe
from genprint.scoring.population import ReferencePopulation
from tests.conftest import JPEG_IMAGES, JPEG_QUALITY, JPEG_SOURCES, Told
from tests.storage.test_sqlite import unwritable

SAVED = Jpeg(JPEG_QUALITY)
GAN = "gan-dcgan-s1"


@pytest.fixture(scope="module")
def stored(jpeg_case, small_model, tmp_path_factory):
    """A gallery with its originals; to be copied."""
    folder = tmp_path_factory.mktemp("stored")
    made = api.Gallery(folder / "g.sqlite", small_model)
    made.enroll(jpeg_case / "known")
    made._connection.close()
    return folder


@pytest.fixture(scope="module")
def in_memory(jpeg_case, small_model):
    made = api.Gallery(None, small_model)
    made.enroll(jpeg_case / "known")
    return made


@pytest.fixture
def path(stored, tmp_path):
    """A gallery of this test's own."""
    shutil.copytree(stored, tmp_path / "own")
    return tmp_path / "own" / "g.sqlite"


@pytest.fixture
def seen(monkeypatch):
    """How many images features are made of, call by call."""
    counts, make = [], SetEncoder._features

    def counted(self, images):
        counts.append(len(images))
        return make(self, images)

    monkeypatch.setattr(SetEncoder, "_features", counted)
    return counts


def digests(path):
    """What is in the gallery's file and that of its originals, and what is written but not in them yet."""
    found = {}
    for file in (path, path.with_name(f"{path.name}.originals")):
        found[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        log = file.with_name(f"{file.name}-wal")
        found[log.name] = log.stat().st_size if log.exists() else 0
    return found


@pytest.mark.parametrize("where", ["in memory", "in a file"])
def test_jpeg_probes_are_attributed_where_without_conditions_they_are_not(
    where, jpeg_case, in_memory, path, small_model
):
    gallery = in_memory if where == "in memory" else api.open(path, small_model)
    probes = {name: jpeg_case / "probes" / name for name in JPEG_SOURCES}
    found = {name: gallery.attribute(probe) for name, probe in probes.items()}
    assert {answer.condition for answer in found.values()} == {SAVED.name}
    assert [answer.evidence.candidates[0].source for answer in found.values()] == list(JPEG_SOURCES)
    assert sum(answer.source == name for name, answer in found.items()) >= 3  # one in twenty fails a test
    blind = {name: gallery.attribute(probe, conditions=False) for name, probe in probes.items()}
    assert {(answer.decision, answer.condition) for answer in blind.values()} == {("unknown", "original")}
    assert sum(answer.evidence.candidates[0].source == name for name, answer in blind.items()) <= 2


@pytest.mark.parametrize(("quality", "subsampling"), [(85, "4:2:0"), (92, "4:4:4"), (75, "4:2:2")])
def test_the_header_of_jpeg_files_names_the_condition(
    golden_images, in_memory, small_model, tmp_path, quality, subsampling
):
    for i, pixels in enumerate(golden_images[GAN][20:26]):
        Image.fromarray(pixels).save(tmp_path / f"{i}.jpg", quality=quality, subsampling=subsampling)
    probe = small_model.fingerprint(ImageSet.read(tmp_path))
    first, *others = in_memory.identifier(probe).enrolled.candidates([probe])
    assert first == Jpeg(quality, subsampling)
    assert all(one.steps[-1] == first for one in others)
    lossless = small_model.fingerprint(ImageSet.of(golden_images[GAN][20:26]))
    assert in_memory.identifier(probe).enrolled.candidates([lossless]) == []


def test_in_a_file_or_in_memory_the_answer_is_the_same(jpeg_case, in_memory, path, small_model):
    probe = jpeg_case / "probes" / GAN
    one, other = api.open(path, small_model).attribute(probe), in_memory.attribute(probe)
    assert one.to_dict() == other.to_dict()


def test_asking_leaves_the_gallery_as_it_was(jpeg_case, path, small_model):
    before = digests(path)
    gallery = api.open(path, small_model)
    state = gallery.state()
    assert gallery.attribute(jpeg_case / "probes" / GAN).condition == SAVED.name
    gallery.mixture(jpeg_case / "probes" / GAN)
    gallery.verify(jpeg_case / "probes" / GAN, jpeg_case / "probes" / JPEG_SOURCES[0])
    assert gallery.state() == state
    assert digests(path) == before
    gallery._connection.close()
    assert digests(path) == before
    # only what is safe to delete is there beside
    assert {one.name.removesuffix("-wal").removesuffix("-shm") for one in path.parent.iterdir()} == {
        "g.sqlite", "g.sqlite.originals", "g.sqlite.cache"
    }  # fmt: skip


@pytest.mark.parametrize("asked_before", [False, True])
def test_a_gallery_that_cannot_be_written_answers_the_same(
    jpeg_case, path, small_model, in_memory, monkeypatch, asked_before
):
    probe = jpeg_case / "probes" / GAN
    if asked_before:
        gallery = api.open(path, small_model)
        gallery.attribute(probe)
        gallery.cache._connection.close()
        gallery._connection.close()
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert ("g.sqlite.cache" in before) == asked_before
    monkeypatch.setattr("os.access", lambda *_, **__: False)
    gallery = api.open(path, small_model)
    assert gallery.attribute(probe).to_dict() == in_memory.attribute(probe).to_dict()
    with pytest.raises(GalleryError, match=r"g\.sqlite: cannot be written"):
        gallery.remove(GAN)
    assert {name: (path.parent / name).read_bytes() for name in before} == before


def test_a_gallery_in_a_folder_that_cannot_be_written_answers_the_same(
    jpeg_case, path, small_model, in_memory, monkeypatch
):
    probe = jpeg_case / "probes" / GAN
    unwritable(monkeypatch, path.parent)
    assert api.open(path, small_model).attribute(probe).to_dict() == in_memory.attribute(probe).to_dict()
    assert {file.name for file in path.parent.iterdir()} == {"g.sqlite", "g.sqlite.originals"}


def test_features_in_a_condition_are_made_once(jpeg_case, path, small_model, seen):
    probe, enrolled = jpeg_case / "probes" / GAN, JPEG_IMAGES * len(JPEG_SOURCES)
    gallery = api.open(path, small_model)
    first = gallery.attribute(probe)
    assert sum(seen) >= JPEG_IMAGES + enrolled
    seen.clear()
    assert api.open(path, small_model).attribute(probe) == first  # opened anew, as by another process
    assert sum(seen) == JPEG_IMAGES  # the probe alone
    seen.clear()
    gallery.cache.forget([digest for own in gallery.fingerprints().values() for digest in own.digests])
    assert gallery.attribute(probe) == first
    assert sum(seen) == JPEG_IMAGES  # what was made is held, too
    seen.clear()
    api.open(path, small_model).attribute(probe)
    assert sum(seen) >= JPEG_IMAGES + enrolled  # it had been forgotten


def test_of_a_lossless_probe_no_enrolled_image_is_read_again(golden_images, path, small_model, seen):
    gallery = api.open(path, small_model)
    answer = gallery.attribute(golden_images[GAN][20:36])
    assert (answer.condition, answer.evidence.candidates[0].source) == ("original", GAN)
    assert sum(seen) == 16
    with sqlite3.connect(f"{path}.originals") as originals:  # nor could it be
        originals.execute("DELETE FROM original")
    assert api.open(path, small_model).attribute(golden_images[GAN][20:36]) == answer


def test_a_cache_of_the_model_is_used_in_place_of_the_gallerys(jpeg_case, path, small_model, seen, tmp_path):
    probe = jpeg_case / "probes" / GAN
    model = replace(small_model, cache=Cache(tmp_path / "features.sqlite"))
    for expected in (False, True):
        seen.clear()
        api.open(path, model).attribute(probe)
        assert (sum(seen) == 0) == expected
    assert not path.with_name("g.sqlite.cache").exists()


def test_threads_share_what_is_made_of_originals(jpeg_case, path, small_model, in_memory):
    """Each opens the gallery for itself, as the service does."""
    probe = small_model.fingerprint(ImageSet.read(jpeg_case / "probes" / GAN))
    derived = api.Derived()

    def work(_):
        gallery = api.Gallery(path, small_model, derived)
        return gallery.identifier(probe).enrolled.match([probe.ordered()])[0]

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(work, range(8)))
    assert all(one is found[0] for one in found)
    assert found[0].condition == SAVED.name


def test_threads_ask_one_gallery(jpeg_case, path, small_model, in_memory):
    probes = [jpeg_case / "probes" / name for name in JPEG_SOURCES] * 2
    derived = api.Derived()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda own: api.Gallery(path, small_model, derived).attribute(own), probes))
    for probe, answer in zip(probes, found, strict=True):
        assert answer.to_dict() == in_memory.attribute(probe).to_dict()


@pytest.mark.parametrize("how", ["changed", "vanished"])
def test_a_file_that_is_not_there_any_more_as_it_was_is_named(jpeg_case, tmp_path, small_model, rng, how):
    shutil.copytree(jpeg_case / "known", tmp_path / "known")
    gallery = api.Gallery(None, small_model)
    gallery.enroll(tmp_path / "known")
    file = tmp_path / "known" / GAN / "07.png"
    if how == "changed":
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(file)
    else:
        file.unlink()
    said = "another is in its place" if how == "changed" else "no such file"
    with pytest.raises(OriginalsError, match=f"07.png: the image that was enrolled is needed again, but: {said}"):
        gallery.attribute(jpeg_case / "probes" / GAN)
    assert gallery.attribute(jpeg_case / "probes" / GAN, conditions=False).condition == "original"


def test_a_pile_is_unmixed_in_its_condition(jpeg_case, in_memory, monkeypatch):
    monkeypatch.setattr("genprint.scoring.conditions.MARGIN", 10.0)  # the small model sees little in a single image
    mixed = [path for name in JPEG_SOURCES[:2] for path in sorted((jpeg_case / "probes" / name).iterdir())[:10]]
    found, blind = in_memory.mixture(mixed), in_memory.mixture(mixed, conditions=False)
    assert (found.condition, blind.condition) == (SAVED.name, "original")
    shares, without = ({share.source: share.share for share in one.shares} for one in (found, blind))
    assert shares[GAN] > 0.3 > 0.1 > without[GAN]


@pytest.fixture
def fitted(monkeypatch):
    """The conditions of each population that is made, and how many images of a source are looked at."""
    calls, fit = [], ReferencePopulation.fit.__func__

    def recorded(cls, plda, fingerprints, population, rate=0.05, conditions=(), progress=None):
        calls.append((tuple(conditions), max(map(len, fingerprints.values()))))
        return fit(cls, plda, fingerprints, population, rate, conditions, progress)

    monkeypatch.setattr(ReferencePopulation, "fit", classmethod(recorded))
    return calls


def test_an_own_population_is_looked_at_in_the_likely_conditions_only(
    jpeg_case, path, small_model, golden_images, fitted
):
    gallery, told = api.open(path, small_model), Told()
    files = sorted((jpeg_case / "probes" / GAN).iterdir())
    one, other, lossless = files[:8], files[8:], golden_images[GAN][32:]
    found = gallery.verify(one, other, progress=told)
    ((conditions, images),) = fitted
    assert SAVED in conditions
    assert len(conditions) < 4 < len(CONDITIONS)
    assert images == JPEG_IMAGES
    assert SAVED.name in found.evidence.conditions
    assert sum(told.done) == 16 + len(conditions) * JPEG_IMAGES * len(JPEG_SOURCES)
    assert told.expected == [len(conditions) * JPEG_IMAGES * len(JPEG_SOURCES)]
    fitted.clear()
    assert gallery.verify(one, other) == found
    assert fitted == []  # nothing is made anew
    gallery.verify(one, other, conditions=False)
    gallery.verify(lossless[:4], lossless[4:])
    assert fitted == [((), JPEG_IMAGES)]  # neither is looked at in any other, and once is enough


def test_what_was_compared_is_what_is_shown(jpeg_case, in_memory, golden_images):
    answer = in_memory.attribute(jpeg_case / "probes" / GAN)
    known = in_memory.fingerprints()
    for own in answer.asked.compared:
        expected = known[own.source].kept(32).ordered().under(SAVED)
        assert own.digests == expected.digests
        assert np.array_equal(own.values, expected.values)
    tree = tree_with_probe(answer.asked)
    assert tree.sources == (*sorted(JPEG_SOURCES), f"probe: {GAN}")
    assert tree.distances[-1, :-1].argmin() == sorted(JPEG_SOURCES).index(GAN)
    plain = in_memory.attribute(golden_images[GAN][20:36])
    assert [own.values.tolist() for own in plain.asked.compared] == [
        own.ordered().values.tolist() for own in known.values()
    ]


def test_progress_is_told_what_is_to_come(jpeg_case, small_model, tmp_path):
    gallery, enrolling, asking = api.Gallery(tmp_path / "g.sqlite", small_model), Told(), Told()
    gallery.enroll(jpeg_case / "known", progress=enrolling)
    assert enrolling.expected == [sum(enrolling.done)] == [JPEG_IMAGES * len(JPEG_SOURCES)]
    gallery.attribute(jpeg_case / "probes" / GAN, progress=asking)
    assert asking.expected[0] == JPEG_IMAGES
    assert len(asking.expected) >= 2  # a condition was made
    assert sum(asking.expected) == sum(asking.done)
    assert set(asking.expected[1:]) == {JPEG_IMAGES * len(JPEG_SOURCES)}
    archive, told = shutil.make_archive(str(tmp_path / "all"), "zip", jpeg_case / "known"), Told()
    api.Gallery(None, small_model).enroll(archive, progress=told)
    assert told.expected == [None]  # nobody knows how many are in it
    assert sum(told.done) == JPEG_IMAGES * len(JPEG_SOURCES)
