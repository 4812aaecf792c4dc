"""Image sets: what is read, what is converted, what is left out and why."""

import contextlib
import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from genprint.images.decoding import Image as Decoded
from genprint.images.known import read_sources
from genprint.images.members import Archive, ArrayFile, Contents, Files, Rows
from genprint.images.sets import ImageSet, ImageSetError, LeftOut, NothingUsable
from tests.conftest import encoded, png_header, textured


def only(path):
    (image,) = ImageSet.read(path)
    return image


def scanned(images):
    """The usable images, and those that are left out."""
    found = list(images.scan())
    return [one for one in found if isinstance(one, Decoded)], [one for one in found if isinstance(one, LeftOut)]


def test_pixels_and_digest_are_those_of_the_file(tmp_path, rng):
    pixels = textured(rng, 1)[0]
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.fromarray(pixels)))
    image = only(path)
    assert (image.pixels == pixels).all()
    assert image.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert image.conversions == ()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "BMP", "GIF"])
def test_formats_decode_as_pillow_does(tmp_path, rng, kind):
    path = tmp_path / "a.img"
    path.write_bytes(encoded(Image.fromarray(textured(rng, 1)[0]), kind))
    assert (only(path).pixels == np.array(Image.open(path).convert("RGB"))).all()


@pytest.mark.parametrize(
    ("mode", "told"),
    [("L", "L to RGB"), ("P", "P to RGB"), ("1", "1 to RGB"), ("RGBA", "alpha dropped"), ("LA", "alpha dropped"),
     ("CMYK", "CMYK to RGB")],
)  # fmt: skip
def test_modes_become_rgb_and_say_so(tmp_path, rng, mode, told):
    path = tmp_path / "a.tif"
    path.write_bytes(encoded(Image.fromarray(textured(rng, 1)[0]).convert(mode), "TIFF"))
    image = only(path)
    assert image.pixels.shape == (32, 32, 3)
    assert told in image.conversions


def test_alpha_is_dropped_not_blended(tmp_path, rng):
    rgba = np.dstack([textured(rng, 1)[0], np.zeros((32, 32), np.uint8)])
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.fromarray(rgba, "RGBA")))
    assert (only(path).pixels == rgba[:, :, :3]).all()


def test_sixteen_bits_keep_the_upper_byte(tmp_path):
    levels = (np.arange(32 * 32, dtype=np.uint16) * 60).reshape(32, 32)
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.fromarray(levels)))
    assert (only(path).pixels[:, :, 0] == levels >> 8).all()


RAMP = np.arange(128 * 128).reshape(128, 128)


@pytest.mark.parametrize(
    ("levels", "kind", "bits", "told"),
    [
        ((RAMP % 256).astype(np.int32), "TIFF", 8, "8 bits used"),
        ((RAMP % 65536 * 4).astype(np.int32), "TIFF", 16, "16 bits to 8: upper byte"),
        ((RAMP % 4096).astype(np.uint16), "PNG", 12, "12 bits used to 8"),
        ((RAMP % 4096).astype(np.uint16), "TIFF", 12, "12 bits used to 8"),
        ((RAMP % 1024).astype(np.uint16), "PNG", 10, "10 bits used to 8"),
        (RAMP.astype(np.uint16), "PNG", 14, "14 bits used to 8"),
    ],
)
def test_levels_are_read_by_the_bits_that_they_use(tmp_path, levels, kind, bits, told):
    path = tmp_path / "a.img"
    path.write_bytes(encoded(Image.fromarray(levels), kind))
    image = only(path)
    assert (image.pixels == (levels >> bits - 8)[:, :, None]).all()
    assert image.pixels.max() == 255
    assert image.conversions == (told, "grey to RGB")


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ((RAMP * 100).astype(np.int32), "levels from 0 to 1638300 have no agreed white level; save it as 8 or 16 bits"),
        ((RAMP - 1).astype(np.int32), "levels from -1 to"),
        ((RAMP / RAMP.max()).astype(np.float32), "floating-point pixels have no agreed white level; save it as 8 bits"),
    ],
)
def test_levels_without_a_white_one_are_left_out(tmp_path, levels, reason):
    (tmp_path / "a.tif").write_bytes(encoded(Image.fromarray(levels), "TIFF"))
    with pytest.raises(NothingUsable) as error:
        only(tmp_path)
    assert reason in error.value.left_out[0].reason


@pytest.mark.parametrize(("most", "usable"), [(4095, False), (65535, True)])
def test_colours_of_sixteen_bits_that_use_fewer_are_left_out(tmp_path, most, usable):
    levels = (np.arange(32 * 32 * 3) * most // (32 * 32 * 3 - 1)).astype(">u2").reshape(32, 32, 3)
    raw = b"".join(b"\0" + row.tobytes() for row in levels)
    header = struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    (tmp_path / "a.png").write_bytes(content)
    if usable:
        assert (only(tmp_path).pixels == levels >> 8).all()
    else:
        with pytest.raises(ImageSetError, match="the upper ones are not used; save it as 8 bits"):
            only(tmp_path)


def test_links_to_folders_are_followed_and_loops_are_not(tmp_path, rng):
    for folder, count in (("set", 1), ("elsewhere", 4)):
        (tmp_path / folder).mkdir()
        for i, pixels in enumerate(textured(rng, count)):
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
    (tmp_path / "set" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "the same").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "loop").symlink_to(tmp_path / "set")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "gone").symlink_to(tmp_path / "nowhere")
    usable, left_out = scanned(ImageSet.read(tmp_path / "set"))
    assert [Path(image.name).relative_to(tmp_path / "set").as_posix() for image in usable] == [
        "0.png", *(f"more/{i}.png" for i in range(4))
    ]  # fmt: skip
    assert [left.reason for left in left_out] == [f"no such file: a link to {tmp_path / 'nowhere'}"]


def test_a_folder_that_cannot_be_listed_is_told(tmp_path, rng, monkeypatch):
    for name in ("open", "shut"):
        (tmp_path / name).mkdir()
        Image.fromarray(textured(rng, 1)[0]).save(tmp_path / name / "a.png")
    listing = os.scandir

    def refused(path):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refused)
    usable, left_out = scanned(ImageSet.read(tmp_path))
    assert len(usable) == 1
    assert left_out == [LeftOut(str(tmp_path / "shut"), "cannot be read: a folder that cannot be listed")]


def test_links_in_archives_are_left_out_with_their_reason(tmp_path, rng):
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(textured(rng, 1)[0])))
    os.link(tmp_path / "a.png", tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to("a.png")
    with tarfile.open(tmp_path / "a.tar", "w") as tar, zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in "abc":
            tar.add(tmp_path / f"{name}.png", f"{name}.png")
        archive.write(tmp_path / "a.png", "a.png")
        link = zipfile.ZipInfo("c.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "a.png")
    expected = {
        "a.tar": [("b.png", "the same file as a.png"), ("c.png", "a link in an archive, which is not followed")],
        "a.zip": [("c.png", "a link in an archive, which is not followed")],
    }
    for name, reasons in expected.items():
        found, left_out = scanned(ImageSet.read(tmp_path / name))
        assert [image.name for image in found] == ["a.png"]
        assert [(left.name, left.reason) for left in left_out] == reasons


def test_orientation_is_left_alone(tmp_path, rng):
    picture = Image.fromarray(textured(rng, 1, side=32)[0][:20])
    exif = picture.getexif()
    exif[0x0112] = 6
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(picture, "JPEG", exif=exif))
    assert only(path).pixels.shape == (20, 32, 3)


# What is cut off has to be the same in all processes that collect the tests, so the noise has a seed.
CUT_OFF = encoded(Image.fromarray(textured(np.random.default_rng(0), 1, side=64)[0]), "JPEG")[:500]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "empty file", id="empty"),
        pytest.param(b"hello", "not an image", id="text"),
        pytest.param(encoded(Image.new("RGB", (1, 1))), "smaller than 16", id="tiny"),
        pytest.param(png_header(30_000, 30_000), "more than", id="bomb"),
        pytest.param(CUT_OFF, "damaged", id="cut off"),
    ],
)
def test_bad_files_are_left_out_with_their_reason(tmp_path, rng, content, reason):
    (tmp_path / "bad.png").write_bytes(content)
    (tmp_path / "good.png").write_bytes(encoded(Image.fromarray(textured(rng, 1)[0])))
    usable, left_out = scanned(ImageSet.read(tmp_path))
    assert len(usable) == 1
    assert [reason in left.reason for left in left_out] == [True]


def test_same_bytes_count_once(tmp_path, rng):
    data = encoded(Image.fromarray(textured(rng, 1)[0]))
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(data)
    usable, left_out = scanned(ImageSet.read(tmp_path))
    assert len(usable) == 1
    assert "same content" in left_out[0].reason


def test_a_set_without_images_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ImageSetError, match=str(tmp_path)):
        list(ImageSet.read(tmp_path))
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(ImageSetError, match=r"a\.txt: not an image"):
        list(ImageSet.read(tmp_path))
    with pytest.raises(ImageSetError, match="no such"):
        ImageSet.read(tmp_path / "missing")


def test_arrays(tmp_path, rng):
    np.savez(tmp_path / "a.npz", one=textured(rng, 3), two=textured(rng, 2))
    assert {s.name: len(list(s)) for s in read_sources(tmp_path / "a.npz")} == {"one": 3, "two": 2}
    with pytest.raises(ImageSetError, match="uint8"):
        ImageSet.from_array(np.zeros((2, 32, 32, 3)), "float")
    np.savez(tmp_path / "p.npz", images=np.array([{}], dtype=object))
    with pytest.raises(ImageSetError, match="numpy"):
        ImageSet.read(tmp_path / "p.npz")


def test_damaged_archives_are_errors(tmp_path):
    for name in ("a.zip", "a.tar"):
        (tmp_path / name).write_bytes(b"no archive")
        with pytest.raises(ImageSetError, match=name):
            list(ImageSet.read(tmp_path / name))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_never_escapes(tmp_path, data):
    """Whatever happens to a file's bytes, it is read or left out; nothing else is raised."""
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP"]))
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    content = bytearray(encoded(Image.fromarray(noise), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    good = encoded(Image.new("RGB", (16, 16)))
    (tmp_path / "a").write_bytes(bytes(content))
    (tmp_path / "b").write_bytes(good)
    usable, left_out = scanned(ImageSet.read(tmp_path))
    assert len(usable) + len(left_out) == 2


def test_members_that_cannot_be_bounded_are_left_out(tmp_path, rng):
    buffer = io.BytesIO()
    Image.fromarray(textured(rng, 1)[0]).save(buffer, "PNG")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("a.png", buffer.getvalue())
        archive.writestr("b.png", buffer.getvalue() + b" ", zipfile.ZIP_BZIP2)
    usable, left_out = scanned(ImageSet.read(tmp_path / "z.zip"))
    assert [image.name for image in usable] == ["a.png"]
    assert "stored and deflated" in left_out[0].reason


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_a_tar_that_is_damaged_in_the_middle_loses_nothing_in_silence(tmp_path, rng, ending):
    whole = tmp_path / f"whole.{ending}"
    with tarfile.open(whole, "w:gz" if ending.endswith("gz") else "w") as tar:
        starts = []
        for i, pixels in enumerate(textured(rng, 6)):
            content, info = encoded(Image.fromarray(pixels)), tarfile.TarInfo(f"{i}.png")
            info.size = len(content)
            starts.append(tar.offset)
            tar.addfile(info, io.BytesIO(content))
    assert len(list(ImageSet.read(whole))) == 6
    content = bytearray(gzip.decompress(whole.read_bytes()) if ending.endswith("gz") else whole.read_bytes())
    content[starts[3]] ^= 1
    damaged = tmp_path / f"damaged.{ending}"
    damaged.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    with pytest.raises(ImageSetError, match="damaged"):
        list(ImageSet.read(damaged))


@pytest.mark.parametrize("name", ["a.npz", "a.tar.xz", "a.tar.gz", "a.zip"])
def test_damage_to_archives_never_escapes(tmp_path, rng, name):
    path = tmp_path / name
    images = textured(rng, 4)
    if name == "a.npz":
        np.savez_compressed(path, images=images)
    elif name == "a.zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for i, pixels in enumerate(images):
                archive.writestr(f"{i}.bmp", encoded(Image.fromarray(pixels), "BMP"))
    else:
        with tarfile.open(path, f"w:{path.suffix[1:]}") as tar:
            for i, pixels in enumerate(images):
                content, info = encoded(Image.fromarray(pixels), "BMP"), tarfile.TarInfo(f"{i}.bmp")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    whole = path.read_bytes()
    for _ in range(60):
        content = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        content[rng.integers(len(content))] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(content))
        with contextlib.suppress(ImageSetError):
            list(ImageSet.read(path))


def test_eight_bits_are_eight_bits_whatever_the_width(tmp_path, rng):
    path = tmp_path / "a.bmp"
    path.write_bytes(encoded(Image.fromarray(textured(rng, 1, 72)[0]), "BMP"))  # 216 bytes a row
    assert only(path).conversions == ()


def test_icons_are_not_read(tmp_path, rng):
    """They would be decoded before their size is known."""
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(textured(rng, 1)[0]), "ICO"))
    with pytest.raises(ImageSetError, match="not an image"):
        list(ImageSet.read(tmp_path))


def test_programs_are_no_images(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\nshowpage\n")
    with pytest.raises(ImageSetError, match="not an image"):
        list(ImageSet.read(tmp_path))


class Table:
    """What ``datasets.Dataset`` shows of itself."""

    column_names = ("image",)

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, row):
        return {"image": self.images[row]}


@pytest.fixture
def every_kind(tmp_path, rng):
    """The same four images as a set of each kind, and where they are of another number, as many as there are."""
    import torch

    images = textured(rng, 4)
    (tmp_path / "files").mkdir()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive, tarfile.open(tmp_path / "a.tar", "w") as tar:
        for i, pixels in enumerate(images):
            (tmp_path / "files" / f"{i}.png").write_bytes(encoded(Image.fromarray(pixels)))
            archive.write(tmp_path / "files" / f"{i}.png", f"{i}.png")
            archive.write(tmp_path / "files" / f"{i}.png", f"top/{i}.png")
            tar.add(tmp_path / "files" / f"{i}.png", f"{i}.png")
    np.save(tmp_path / "a.npy", images)
    np.savez(tmp_path / "a.npz", images=images, others=images[:2])
    pillows = [Image.fromarray(pixels) for pixels in images]
    return {
        "folder": (ImageSet.of(tmp_path / "files"), Files),
        "text": (ImageSet.of(str(tmp_path / "files")), Files),
        "list of paths": (ImageSet.of(sorted((tmp_path / "files").iterdir())), Files),
        "zip": (read_sources(tmp_path / "a.zip")[0], Archive),
        "tar": (ImageSet.of(tmp_path / "a.tar"), Archive),
        "npy": (ImageSet.of(tmp_path / "a.npy"), ArrayFile),
        "npz": (ImageSet.of(tmp_path / "a.npz"), ArrayFile),
        "array": (ImageSet.of(images), Contents),
        "list of arrays": (ImageSet.of(list(images)), Contents),
        "Pillow images": (ImageSet.of(pillows), Contents),
        "tensor": (ImageSet.of(torch.from_numpy(images).permute(0, 3, 1, 2) / 255), Contents),
        "table": (ImageSet.of(Table(pillows)), Rows),
        "bytes": (ImageSet("bytes", Contents("bytes", [encoded(one) for one in pillows]), "bytes"), Contents),
    }, images


def test_whatever_holds_images_is_a_set_of_the_same_pixels(every_kind):
    kinds, images = every_kind
    for kind, (images_of, members) in kinds.items():
        assert isinstance(images_of.members, members), kind
        assert (np.stack([image.pixels for image in images_of]) == images).all(), kind
    assert ImageSet.of(kinds["array"][0]) is kinds["array"][0]
    assert ImageSet.of(kinds["array"][0], "other").name == "other"
    assert kinds["npz"][0].container.name == "a.npz"
    assert kinds["folder"][0].container is None
    assert len(kinds["folder"][0].files) == 4


def test_a_set_of_any_kind_survives_pickling(every_kind):
    kinds, _ = every_kind
    for kind, (images, _) in kinds.items():
        again = pickle.loads(pickle.dumps(images))
        assert (again.name, again.origin) == (images.name, images.origin), kind
        assert [i.sha256 for i in again] == [i.sha256 for i in images], kind
        assert [i.name for i in again] == [i.name for i in images], kind


@pytest.mark.parametrize("nothing", [[], 3, ["a.png", 3], np.zeros((2, 32, 32, 4), np.uint8), np.zeros((2, 32, 32, 3))])
def test_what_holds_no_images_is_refused_with_what_to_give(nothing):
    with pytest.raises(ImageSetError, match="uint8"):
        ImageSet.of(nothing)


def test_two_scans_at_once_do_not_disturb_each_other(tmp_path, rng):
    data = [encoded(Image.fromarray(pixels)) for pixels in textured(rng, 3)]
    for i, content in enumerate([*data, data[0], b"no image"]):
        (tmp_path / f"{i}.png").write_bytes(content)
    images = ImageSet.read(tmp_path)
    whole = list(images.scan())
    one, other = images.scan(), images.scan()
    found = [next(one), next(one)]
    others = list(other)
    found += list(one)
    for scan in (found, others):
        assert [(type(a), a.name, getattr(a, "reason", "")) for a in scan] == [
            (type(a), a.name, getattr(a, "reason", "")) for a in whole
        ]
    with ThreadPoolExecutor(8) as pool:
        scans = list(pool.map(lambda _: scanned(images), range(16)))
    assert all([left.reason for left in left_out] == ["same content as " + str(tmp_path / "0.png"), "not an image"]
               for _, left_out in scans)  # fmt: skip
    assert not hasattr(images, "left_out")


def test_a_set_of_which_nothing_can_be_used_says_why_of_each(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "b.png").touch()
    with pytest.raises(NothingUsable, match="none of 2 files") as error:
        list(ImageSet.read(tmp_path).scan())
    assert [left.reason for left in error.value.left_out] == ["not an image", "empty file"]
    again = pickle.loads(pickle.dumps(error.value))  # as it comes from another process
    assert (str(again), again.left_out) == (str(error.value), error.value.left_out)
