"""Images behind a fingerprint are read again when they are wanted in another condition, and no others are."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from genprint.baselines.content import ColourQuantiles
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.fingerprint import OriginalsError
from genprint.images.members import Contents, Rows
from genprint.images.processing import Blur, Jpeg
from genprint.images.sets import ImageSet, NothingUsable
from tests.conftest import encoded, textured

COUNT = 6


@pytest.fixture
def pixels(rng):
    return textured(rng, COUNT)


@pytest.fixture
def files(tmp_path, pixels):
    for i, own in enumerate(pixels):
        (tmp_path / f"{i}.png").write_bytes(encoded(Image.fromarray(own)))
    return tmp_path


def zipped(folder, pixels):
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for i in range(COUNT):
            archive.write(folder / f"{i}.png", f"in/{i}.png")
    return ImageSet.read(folder / "all.zip")


def array_file(folder, pixels):
    np.save(folder / "all.npy", pixels)
    return ImageSet.read(folder / "all.npy")


FORMS = {
    "folder": lambda folder, pixels: ImageSet.read(folder),
    "zip": zipped,
    "array file": array_file,
    "array": lambda folder, pixels: ImageSet.of(pixels),
    "Pillow images": lambda folder, pixels: ImageSet.of([Image.fromarray(own) for own in pixels]),
    "rows": lambda folder, pixels: ImageSet("x", Rows([{"image": Image.fromarray(own)} for own in pixels]), "x"),
}


@pytest.mark.parametrize("form", FORMS)
def test_wherever_they_are_they_are_read_again(files, pixels, form):
    images = FORMS[form](files, pixels)
    whole, told = ColourQuantiles().extract(images), []
    for chosen in (np.arange(COUNT), [4, 1]):
        found = whole[chosen].under(Blur(1), told.append)
        expected = ColourQuantiles().extract(ImageSet.from_array(Blur(1)(pixels[chosen]), "x"))
        assert np.array_equal(found.values, expected.values)
        assert found.digests == whole[chosen].digests
    assert sum(told) == COUNT + 2


@pytest.mark.parametrize("form", FORMS)
def test_wherever_they_are_they_are_read_as_they_are(files, pixels, form):
    whole = ColourQuantiles().extract(FORMS[form](files, pixels))
    (originals,) = whole.originals
    wanted = [whole.digests[i] for i in (4, 1)]
    found = {image.sha256: image for image in originals.read(wanted)}
    assert found.keys() == set(wanted)
    assert np.array_equal(found[whole.digests[4]].pixels, pixels[4])
    assert found[whole.digests[4]].facts == whole.facts[4]
    assert list(originals.read([])) == []


def test_those_that_cannot_be_read_any_more_are_passed_over(files, rng):
    whole = ColourQuantiles().extract(ImageSet.read(files))
    (files / "3.png").write_bytes(encoded(Image.fromarray(textured(rng, 1)[0])))
    (files / "2.png").unlink()
    (originals,) = whole.originals
    found = [image.sha256 for image in originals.read(whole.digests)]
    assert found == [digest for i, digest in enumerate(whole.digests) if i not in (2, 3)]
    for path in files.iterdir():
        path.unlink()
    assert list(originals.read(whole.digests)) == []


class Counted:
    """Images that say which of them were read."""

    def __init__(self, contents):
        self._contents, self.read = Contents("x", contents), []

    def __iter__(self):
        for name, read in self._contents:
            yield name, lambda name=name, read=read: self.read.append(name) or read()


def test_only_those_that_are_wanted_are_read(pixels):
    members = Counted(pixels)
    whole = ColourQuantiles().extract(ImageSet("x", members, "x"))
    members.read.clear()
    whole[[5, 2]].under(Jpeg(90))
    assert members.read == ["x[2]", "x[5]"]


def test_a_set_says_how_many_it_holds_and_gives_some_of_them(files, pixels):
    images = ImageSet.read(files)
    assert images.count == ImageSet.of(pixels).count == COUNT
    assert zipped(files, pixels).count is None  # nobody knows before it is read
    some = images.only([str(files / "3.png"), str(files / "1.png"), "never heard of"])
    assert [image.name for image in some] == [str(files / "1.png"), str(files / "3.png")]
    assert (some.name, some.origin) == (images.name, images.origin)
    with pytest.raises(NothingUsable):
        list(images.only([]))


@pytest.mark.parametrize("cached", [False, True])
def test_a_file_that_changed_is_refused_by_its_name(files, rng, cached, tmp_path):
    cache = Cache(tmp_path / "c.sqlite") if cached else None
    whole = ColourQuantiles().extract(ImageSet.read(files), cache=cache)
    if cache:
        whole.under(Jpeg(90))
    (files / "3.png").write_bytes(encoded(Image.fromarray(textured(rng, 1)[0])))
    with pytest.raises(OriginalsError, match=r"/3\.png: .* needed again, but: another is in its place"):
        whole.under(Jpeg(90))
    assert len(whole[[0, 1, 2]].under(Jpeg(90))) == 3  # of the others, there is nothing to say


def test_a_file_that_vanished_or_broke_is_told_by_its_name(files):
    whole = ColourQuantiles().extract(ImageSet.read(files))
    (files / "3.png").unlink()
    with pytest.raises(OriginalsError, match=r"/3\.png: .* needed again, but: no such file"):
        whole.under(Jpeg(90))
    with pytest.raises(OriginalsError, match=r"3\.png: no such file"):
        whole[[3]].under(Jpeg(90))
    (files / "3.png").write_text("no image")
    with pytest.raises(OriginalsError, match=r"/3\.png: .* needed again, but: not an image"):
        whole.under(Jpeg(90))


def test_a_file_that_moved_to_another_ones_place_is_found(files):
    """Images are known by what they are, not by what they are called."""
    whole = ColourQuantiles().extract(ImageSet.read(files))
    expected = whole.under(Jpeg(90))
    one, other = (files / "1.png").read_bytes(), (files / "2.png").read_bytes()
    (files / "1.png").write_bytes(other)
    (files / "2.png").write_bytes(one)
    assert np.array_equal(whole.under(Jpeg(90)).values, expected.values)


def test_images_of_one_name_are_kept_apart(pixels):
    """As of uploads from several folders."""
    contents = [encoded(Image.fromarray(own)) for own in pixels]
    whole = ColourQuantiles().extract(ImageSet("x", Contents("x", contents, ("0.png", "1.png") * 3), "x"))
    found = whole[[0, 3]].under(Blur(1))
    assert np.array_equal(found.values, ColourQuantiles().extract(ImageSet.of(Blur(1)(pixels[[0, 3]]))).values)
