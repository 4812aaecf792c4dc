"""What else than a trace tells sources apart."""

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from genprint.answers.audit import audit, block_grid
from genprint.images.headers import jpeg_quality
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from tests.conftest import textured


def write(root, name, images, suffix="png", **options):
    (root / name).mkdir(parents=True)
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(root / name / f"{i}.{suffix}", **options)


def warned(root):
    return {finding.fact for finding in audit(read_sources(root)).warnings}


def smooth(rng, n, side=48):
    """Photograph-like: JPEG leaves its blocks on it."""
    coarse = [Image.fromarray(own).resize((side, side), Image.Resampling.BICUBIC) for own in textured(rng, n, 8)]
    return np.stack([np.asarray(own) for own in coarse])


@pytest.mark.parametrize("seed", range(3))
def test_a_clean_folder_is_silent(tmp_path, seed):
    rng = np.random.default_rng(seed)
    for name in "abc":
        write(tmp_path, name, textured(rng, 40))
    assert warned(tmp_path) == set()


def test_finds_formats(tmp_path, rng):
    write(tmp_path, "a", textured(rng, 30))
    write(tmp_path, "b", textured(rng, 30), "jpg", quality=95)
    assert {"format", "compression"} <= warned(tmp_path)


def test_finds_qualities(tmp_path, rng):
    write(tmp_path, "a", smooth(rng, 30), "jpg", quality=90)
    write(tmp_path, "b", smooth(rng, 30), "jpg", quality=92)
    assert {"compression"} <= warned(tmp_path) <= {"compression", "8-px grid"}


def test_finds_sizes(tmp_path, rng):
    write(tmp_path, "a", textured(rng, 30))
    write(tmp_path, "b", textured(rng, 30, side=33))
    assert "size" in warned(tmp_path)


def test_finds_colour_modes(tmp_path, rng):
    write(tmp_path, "a", textured(rng, 30))
    write(tmp_path, "b", np.concatenate([textured(rng, 30), np.full((30, 32, 32, 1), 255, np.uint8)], axis=3))
    assert warned(tmp_path) == {"colour mode"}


def test_finds_metadata(tmp_path, rng):
    note = PngInfo()
    note.add_text("Software", "painter 1.0")
    write(tmp_path, "a", textured(rng, 30))
    write(tmp_path, "b", textured(rng, 30), pnginfo=note)
    assert warned(tmp_path) == {"metadata"}


def test_finds_what_was_once_a_jpeg(tmp_path, rng):
    write(tmp_path, "lossless", smooth(rng, 60))
    write(tmp_path, "saved", smooth(rng, 60), "jpg", quality=60)
    for path in (tmp_path / "saved").iterdir():
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    assert "8-px grid" in warned(tmp_path)
    assert "format" not in warned(tmp_path)


def test_finds_content(tmp_path, rng):
    write(tmp_path, "a", textured(rng, 30))
    write(tmp_path, "b", textured(rng, 30) // 2)
    assert warned(tmp_path) == {"colour", "thumbnail"}


def test_grid_is_where_the_blocks_are():
    steps = np.kron(np.arange(16).reshape(4, 4) * 10, np.ones((8, 8))).astype(np.uint8)
    columns = block_grid(np.repeat(steps[:, :, None], 3, axis=2))[:8]
    assert set(np.argsort(columns)[-2:]) == {6, 7}  # second differences that reach over an edge


@pytest.mark.parametrize("quality", [30, 75, 90, 95])
def test_quality_of_pillow_is_the_groups(quality, tmp_path, rng):
    write(tmp_path, "a", textured(rng, 1), "jpg", quality=quality)
    (image,) = ImageSet.read(tmp_path)
    assert (image.facts.format, image.facts.quality, image.facts.subsampling) == ("JPEG", quality, "4:2:0")
    assert jpeg_quality(Image.open(tmp_path / "a" / "0.jpg").quantization[0]) == quality


def test_bad_metadata_leaves_the_pixels(tmp_path, rng):
    (tmp_path / "a").mkdir()
    Image.fromarray(textured(rng, 1)[0]).save(tmp_path / "a" / "0.png", exif=b"Exif\x00\x00nonsense")
    (image,) = ImageSet.read(tmp_path).scan()  # and nothing is left out
    assert "unreadable EXIF" in image.facts.metadata


def test_sources_that_cannot_be_audited_are_told(rng):
    one = ImageSet.from_array(textured(rng, 3), "a")
    with pytest.raises(ValueError, match="two sources or more"):
        audit([one])
    with pytest.raises(ValueError, match="two images or more each"):
        audit([one, ImageSet.from_array(textured(rng, 1), "b")])


def test_it_says_what_it_found_and_what_it_looked_at(tmp_path, rng):
    write(tmp_path, "a", textured(rng, 30))
    write(tmp_path, "b", textured(rng, 30), "jpg")
    (tmp_path / "b" / "bad.png").write_bytes(b"no image")
    told = []
    found = audit(read_sources(tmp_path), told.append)
    assert sum(told) == 60
    assert found.sources == {"a": 30, "b": 30}
    assert [left.reason for left in found.left_out] == ["not an image"]
    assert found.verdict.startswith("sources differ in format, compression")
    assert "format" in found.to_dict()["warnings"]
    (form,) = (finding for finding in found.findings if finding.fact == "format")
    assert form.values == {"a": "PNG (30)", "b": "JPEG (30)"}
    assert (form.accuracy, form.chance, form.enough) == (1, 0.5, True)
    assert audit(read_sources(tmp_path), most=10).sources == {"a": 10, "b": 10}


def test_too_few_images_are_no_clean_folder(rng):
    few = audit([ImageSet.from_array(textured(rng, 3), name) for name in "ab"])
    assert not few.enough
    assert few.verdict.startswith("too few images to tell any fact")
    many = audit([ImageSet.from_array(textured(rng, 40), name) for name in "ab"])
    assert many.enough
    assert many.verdict == "nothing but a trace was found to tell the sources apart"
