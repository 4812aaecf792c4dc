"""Several sources in one place: folders, archives, arrays."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from genprint.images.known import read_sources
from genprint.images.known import usable as having_images
from genprint.images.sets import ImageSet, ImageSetError
from tests.conftest import encoded, textured


def test_what_is_no_source_among_sources_is_told_when_it_is_read(tmp_path, folder):
    (folder / "loop").symlink_to(folder)
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    (folder / "damaged.npz").write_bytes(b"no arrays")
    (folder / "zeros.npy").write_bytes(bytes(200))
    (folder / "readme.txt").write_text("no source")
    having, lacking = having_images(read_sources(folder))
    assert [images.name for images in having] == ["coarse", "fine", "middle"]
    assert {left.name for left in lacking} == {"loop", "gone", "damaged", "zeros"}
    reasons = {left.name: left.reason for left in lacking}
    assert "a link to a folder that it lies in" in reasons["loop"]
    assert "gone: no such file or folder" in reasons["gone"]
    for name in ("damaged.npz", "zeros.npy"):
        assert reasons[name[:-4]].endswith(f"{name}: cannot be read as numpy arrays: damaged, or no array of numbers")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_backslashes_part_folders_in_archives(tmp_path, rng, kind):
    path = tmp_path / f"a.{kind}"
    names = [f"{source}\\{i}.png" for source in "ab" for i in range(2)]
    contents = [encoded(Image.fromarray(pixels)) for pixels in textured(rng, 4)]
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a\\", b"")
            for name, content in zip(names, contents, strict=True):
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w") as tar:
            for name, content in zip(names, contents, strict=True):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    sources = read_sources(path)
    assert [images.name for images in sources] == ["a", "b"]
    assert [[image.name for image in images] for images in sources] == [
        ["a/0.png", "a/1.png"], ["b/0.png", "b/1.png"]
    ]  # fmt: skip


def test_archives_hold_what_folders_hold(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive, tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder))
            tar.add(path, str(path.relative_to(folder)))
    expected = {s.name: [i.sha256 for i in s] for s in read_sources(folder)}
    for name in ("a.zip", "a.tar.gz"):
        assert {s.name: [i.sha256 for i in s] for s in read_sources(tmp_path / name)} == expected


def test_sources_of_an_archive_are_its_folders_whoever_packed_it(tmp_path, folder):
    expected = ["coarse", "fine", "middle"]
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as tar:
        tar.add(folder, ".")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder))
            archive.writestr(f"__MACOSX/{path.relative_to(folder).parent}/._{path.name}", b"resource fork")
    for name in ("a.tgz", "a.zip"):
        sources = read_sources(tmp_path / name)
        assert [images.name for images in sources] == expected
        assert [len(list(images)) for images in sources] == [24] * 3


def test_names_keep_their_dots_and_do_not_collide(tmp_path, rng):
    for name in ("sd-v1.4", "sd-v1.5"):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.fromarray(textured(rng, 1)[0]).save(tmp_path / "data" / name / "a.png")
        assert ImageSet.read(tmp_path / "data" / name).name == name
    np.save(tmp_path / "data" / "sd-v1.4.npy", textured(rng, 2))
    with pytest.raises(ImageSetError, match=r"both are named sd-v1\.4"):
        read_sources(tmp_path / "data")


def test_images_beside_the_folders_of_sources_are_told(tmp_path, rng, caplog):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(textured(rng, 1)[0]).save(tmp_path / name / "0.png")
    (tmp_path / "sources.csv").write_text("source\n")
    assert len(read_sources(tmp_path)) == 2
    assert caplog.text == ""
    Image.fromarray(textured(rng, 1)[0]).save(tmp_path / "stray.png")
    assert [images.name for images in read_sources(tmp_path)] == ["a", "b"]
    assert "1 image beside the sub-folders, such as stray.png: of no source, so passed over" in caplog.text


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_around_all_sources_is_told(tmp_path, folder, caplog, packed):
    around = tmp_path / "around"
    around.mkdir()
    folder.rename(around / "models")
    data = around
    if packed:
        data = tmp_path / "a.zip"
        with zipfile.ZipFile(data, "w") as archive:
            for path in sorted(around.rglob("*.png")):
                archive.write(path, path.relative_to(around))
    assert [images.name for images in read_sources(data)] == ["models"]
    assert "one source, models, of which all images lie in sub-folders (coarse, fine, middle)" in caplog.text
    caplog.clear()
    read_sources(data, told=False)
    assert caplog.text == ""
    if not packed:
        (around / "models" / "own.png").write_bytes(b"an image of its own")
        assert len(read_sources(data)) == 1
        assert len(read_sources(around / "models")) == 3
        assert "lie in sub-folders" not in caplog.text
