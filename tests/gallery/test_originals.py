"""Originals: which images of a source are kept, how much of them, and that nothing is left once it is removed."""

import io
import sqlite3

import numpy as np
import pytest
from PIL import Image

from genprint.api import Gallery
from genprint.baselines.content import ColourQuantiles
from genprint.fingerprints.conditions import KEPT
from genprint.fingerprints.fingerprint import OriginalsError
from genprint.gallery.originals import KEPT_BYTES
from genprint.gallery.store import GalleryStore
from genprint.images.processing import Blur, Jpeg
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.storage.files import digest
from tests.conftest import encoded, textured
from tests.fingerprints.test_originals import Counted

MODEL = Model(ColourQuantiles())


def noise(rng, height, width, count=1):
    return rng.integers(0, 256, (count, height, width, 3), np.uint8)


def write(folder, images, kind="png", **options):
    folder.mkdir(exist_ok=True)
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{i:02d}.{kind}", **options)
    return folder


def kept(gallery, source="a"):
    """What is kept of a source's images, by the digests they were enrolled under."""
    with sqlite3.connect(f"{gallery.path}.originals") as file:
        return dict(file.execute("SELECT image, content FROM original WHERE source = ? ORDER BY image", (source,)))


def opened(content):
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.fixture
def gallery(tmp_path):
    return Gallery(tmp_path / "g.sqlite", MODEL)


def test_the_files_of_32_images_are_kept_as_they_are(tmp_path, rng, gallery):
    folder = write(tmp_path / "a", textured(rng, 40))
    gallery.enroll(folder, "a")
    contents = {digest(path.read_bytes()): path.read_bytes() for path in folder.iterdir()}
    assert kept(gallery) == {one: contents[one] for one in sorted(contents)[:KEPT]}
    assert gallery.originals() == {"a": (32, sum(map(len, kept(gallery).values())))}
    assert gallery.lacking_originals() == []
    own = gallery.fingerprints()["a"]
    assert sorted(own.kept().digests) == sorted(contents)[:KEPT]
    # what comes of them is what would come of the files
    in_memory = Gallery(None, MODEL)
    in_memory.enroll(folder, "a")
    expected = in_memory.fingerprints()["a"].kept(KEPT).ordered().under(Blur(1))
    found = own.kept(KEPT).ordered().under(Blur(1))
    assert found.digests == expected.digests
    assert np.array_equal(found.values, expected.values)


def test_images_added_later_are_kept_where_they_are_the_first_by_digest(tmp_path, rng, gallery):
    parts = [write(tmp_path / name, textured(rng, count)) for name, count in (("x", 20), ("y", 30), ("z", 3))]
    held = set()
    for part in (*parts, parts[0]):
        gallery.enroll(part, "a")
        held |= {digest(path.read_bytes()) for path in part.iterdir()}
        assert list(kept(gallery)) == sorted(held)[:KEPT]
    assert gallery.counts() == {"a": 53}
    assert len(gallery.fingerprints()["a"].kept(KEPT).under(Blur(1))) == KEPT


def test_of_32_large_images_no_more_than_16_mib_are_kept(tmp_path, rng, gallery):
    write(tmp_path / "a", noise(rng, 420, 420, KEPT + 1), compress_level=0)
    gallery.enroll(tmp_path / "a", "a")
    ((images, size),) = gallery.originals().values()
    assert images == KEPT
    assert size <= KEPT_BYTES == 16 * 2**20
    assert (tmp_path / "g.sqlite.originals").stat().st_size < 1.05 * KEPT_BYTES
    assert {opened(content).shape for content in kept(gallery).values()} == {(384, 384, 3)}


SHAPES = [(1000, 900), (431, 417), (1600, 200), (150, 1333)]


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_of_a_large_image_the_middle_is_kept_on_the_grid_pixel_by_pixel(tmp_path, rng, gallery, height, width):
    (pixels,) = noise(rng, height, width)
    write(tmp_path / "a", [pixels], compress_level=0)
    gallery.enroll(tmp_path / "a", "a")
    ((enrolled, content),) = kept(gallery).items()
    assert enrolled == digest((tmp_path / "a" / "00.png").read_bytes())
    part = opened(content)
    assert part.shape == (min(384, height), min(384, width), 3)
    found = [
        (top, left)
        for top in range(0, height - part.shape[0] + 1, 16)
        for left in range(0, width - part.shape[1] + 1, 16)
        if np.array_equal(pixels[top : top + part.shape[0], left : left + part.shape[1]], part)
    ]
    ((top, left),) = found
    for at, whole, side in ((top, height, part.shape[0]), (left, width, part.shape[1])):
        assert 0 <= (whole - side) / 2 - at < 16
    # it goes by the digest of the whole, and its features are those of the part
    own = gallery.fingerprints()["a"].under(Jpeg(80))
    assert own.digests == (enrolled,)
    assert np.array_equal(own.values, MODEL.fingerprint(ImageSet.of(Jpeg(80)(part[None]))).values)


def test_large_files_of_small_images_are_kept_whole_but_as_png(tmp_path, rng, gallery):
    (pixels,) = textured(rng, 1)
    path = write(tmp_path / "a", [pixels]) / "00.png"
    path.write_bytes(path.read_bytes() + bytes(2**20))  # something after the image
    gallery.enroll(tmp_path / "a", "a")
    (content,) = kept(gallery).values()
    assert len(content) < 2**14
    assert np.array_equal(opened(content), pixels)


def test_pixels_at_hand_are_kept_without_loss(rng, gallery):
    images = textured(rng, 3)
    gallery.enroll({"a": images, "b": [Image.fromarray(own) for own in textured(rng, 2)]})
    assert {own.tobytes() for own in images} == {opened(content).tobytes() for content in kept(gallery).values()}
    for name in "ab":
        own = gallery.fingerprints()[name]
        assert np.array_equal(own.kept().under(Jpeg(100)).digests, own.kept().digests)


def test_what_could_not_be_used_is_not_kept(tmp_path, rng, gallery):
    folder = write(tmp_path / "a", textured(rng, 3))
    (folder / "note.txt").write_text("secret")
    (folder / "again.png").write_bytes((folder / "01.png").read_bytes())
    gallery.enroll(folder, "a")
    assert gallery.originals()["a"][0] == 3
    assert b"secret" not in (tmp_path / "g.sqlite.originals").read_bytes()


def test_to_keep_some_no_others_are_read_again(rng, gallery):
    members = Counted(textured(rng, 60))
    gallery.enroll(ImageSet("a", members, "a"), "a")
    assert len(members.read) <= 60 + KEPT


def test_without_originals_there_is_no_file(tmp_path, rng, gallery):
    gallery.enroll({"a": textured(rng, 4)}, originals=False)
    assert gallery.originals() == {}
    assert gallery.lacking_originals() == ["a"]
    gallery.attribute(textured(rng, 2))
    gallery.remove("a")
    assert not (tmp_path / "g.sqlite.originals").exists()
    gallery.enroll({"a": textured(rng, 4)}, originals=False)
    gallery.enroll({"b": textured(rng, 4)})
    assert list(gallery.originals()) == ["b"]
    assert gallery.lacking_originals() == ["a"]


def test_in_memory_they_stay_where_they_are(tmp_path, rng, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gallery = Gallery(None, MODEL)
    gallery.enroll({"a": textured(rng, 40), "b": textured(rng, 4)})
    gallery.enroll({"c": textured(rng, 4)}, originals=False)
    assert gallery.lacking_originals() == ["c"]
    assert gallery.originals() == {}  # nothing was kept anywhere
    assert len(gallery.fingerprints()["a"].kept()) == 40
    gallery.remove("a")
    gallery.enroll({"a": textured(rng, 4)}, originals=False)
    assert gallery.lacking_originals() == ["a", "c"]
    assert not list(tmp_path.iterdir())


def pieces(paths):
    """Bytes of files that cannot be there by chance."""
    return {path.name: path.read_bytes()[-100:-20] for path in paths}


@pytest.mark.parametrize("with_model", [True, False])
@pytest.mark.parametrize("watched", [True, False])
def test_what_is_removed_is_erased(tmp_path, rng, with_model, watched):
    folder = write(tmp_path / "a", noise(rng, 64, 64, 8))
    other = write(tmp_path / "b", noise(rng, 64, 64, 3))
    gallery = Gallery(tmp_path / "g.sqlite", MODEL)
    gallery.enroll(folder, "a")
    gallery.enroll(other, "b")
    # With another connection open, what was written is not brought from the log into the file by itself.
    held = sqlite3.connect(tmp_path / "g.sqlite.originals") if watched else None
    if held:
        held.execute("SELECT count(*) FROM original").fetchone()

    def left():
        content = b"".join(path.read_bytes() for path in tmp_path.glob("g.sqlite.originals*"))
        return {name for name, piece in pieces([*folder.iterdir(), *other.iterdir()]).items() if piece in content}

    gallery.enroll(write(tmp_path / "more", noise(rng, 64, 64, 2)), "a")
    assert left() == {path.name for path in [*folder.iterdir(), *other.iterdir()]}
    digests = set(gallery.fingerprints()["a"].digests)
    (gallery if with_model else GalleryStore(tmp_path / "g.sqlite", None)).remove("a")
    content = b"".join(path.read_bytes() for path in tmp_path.glob("g.sqlite.originals*"))
    assert not [name for name, piece in pieces(folder.iterdir()).items() if piece in content]
    assert all(piece in content for piece in pieces(other.iterdir()).values())
    assert not [one for one in digests if one.encode() in content]
    assert list(gallery.originals()) == ["b"]
    if held:
        held.close()


@pytest.mark.parametrize("large", [False, True])
def test_the_cache_forgets_what_is_removed(tmp_path, rng, gallery, large):
    images = noise(rng, 420, 420, 2) if large else noise(rng, 32, 32, 2)
    for name in "ab":
        gallery.enroll(write(tmp_path / name, images if name == "a" else ~images, compress_level=0), name)
    for own in gallery.fingerprints().values():
        own.under(Jpeg(90))
        own.under(Blur(1))

    def rows():
        with sqlite3.connect(tmp_path / "g.sqlite.cache") as file:
            return file.execute("SELECT count(*) FROM made").fetchone()[0]

    assert rows() == 8
    GalleryStore(tmp_path / "g.sqlite", None).remove("a")
    assert rows() == 4


def test_a_changed_original_is_refused_by_the_name_of_the_file(tmp_path, rng, gallery):
    gallery.enroll({"a": textured(rng, 4)})
    own = gallery.fingerprints()["a"]
    changed = encoded(Image.fromarray(textured(rng, 1)[0]))
    with sqlite3.connect(tmp_path / "g.sqlite.originals") as file:
        file.execute("UPDATE original SET content = ? WHERE image = ?", (changed, own.digests[2]))
    said = rf"{own.digests[2]}: .* needed again, but: changed in .*g\.sqlite\.originals since it was enrolled"
    with pytest.raises(OriginalsError, match=said):
        own.under(Jpeg(90))
    with pytest.raises(OriginalsError, match=r"g\.sqlite\.originals since it was enrolled"):
        gallery.fingerprints()["a"].under(Jpeg(90))
    with sqlite3.connect(tmp_path / "g.sqlite.originals") as file:
        file.execute("DELETE FROM original WHERE image = ?", (own.digests[2],))
    with pytest.raises(OriginalsError, match=r"no longer among the originals in .*g\.sqlite\.originals"):
        own.under(Jpeg(90))
    assert len(gallery.fingerprints()["a"].kept().under(Jpeg(90))) == 3


def test_a_file_of_something_else_is_told(tmp_path, rng, gallery):
    (tmp_path / "g.sqlite.originals").write_bytes(b"no database" * 100)
    with pytest.raises(OriginalsError, match=r"g\.sqlite\.originals: cannot be used as the originals of a gallery"):
        gallery.enroll({"a": textured(rng, 2)})
    assert gallery.counts() == {}  # nothing was enrolled, either


def test_a_gallery_without_its_originals_is_as_it_was(tmp_path, rng, gallery):
    gallery.enroll({"a": textured(rng, 4), "b": textured(rng, 4, grain=60)})
    before = gallery.fingerprints()
    for path in tmp_path.glob("g.sqlite.originals*"):
        path.unlink()
    assert gallery.lacking_originals() == ["a", "b"]
    for name, own in gallery.fingerprints().items():
        assert np.array_equal(own.values, before[name].values)
        assert len(own.kept()) == 0
    assert gallery.attribute(textured(rng, 2)).condition == "original"


def test_where_enrolling_fails_nothing_is_kept(tmp_path, rng, gallery):
    fingerprints = [MODEL.fingerprint(ImageSet.of(textured(rng, 2))) for _ in range(2)]
    with pytest.raises(Exception, match="a source needs a name"):
        gallery.add_all([("a", fingerprints[0]), ("", fingerprints[1])])
    assert gallery.counts() == {}
    assert gallery.originals() == {}


def test_how_large_images_were_is_kept_with_them(tmp_path, rng):
    noise = rng.integers(0, 256, (2, 700, 500, 3), dtype=np.uint8)  # a part of each is kept
    for gallery in (Gallery(tmp_path / "g.sqlite", MODEL), Gallery(None, MODEL)):
        gallery.enroll({"large": noise, "small": textured(rng, 3)})
        assert {name: own.side for name, own in gallery.fingerprints().items()} == {"large": 700, "small": 32}
    bare = Gallery(tmp_path / "bare.sqlite", MODEL)
    bare.enroll({"large": noise}, originals=False)
    assert bare.fingerprints()["large"].side is None


def test_of_a_part_the_file_says_nothing_of_how_the_image_was_saved(tmp_path, rng, gallery):
    write(tmp_path / "a", noise(rng, 1000, 900), "jpg", quality=97)  # more than its share
    write(tmp_path / "b", textured(rng, 1), "jpg", quality=97)
    for name in ("a", "b"):
        gallery.enroll(tmp_path / name, name)
    known = gallery.fingerprints()
    for name, said in (("a", None), ("b", 97)):
        (one,) = known[name].originals
        (image,) = one.read(known[name].digests)
        assert image.sha256 == known[name].digests[0]
        assert (image.facts and image.facts.quality) == said
        assert known[name].facts[0].quality == 97  # the gallery knows it
