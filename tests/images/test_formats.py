"""Files that give no image: what they are, what is wrong with them, and what to do."""

import numpy as np
import pytest
from PIL import Image

from genprint.images.decoding import Unusable, decode
from tests.conftest import encoded, textured

PNG = encoded(Image.fromarray(textured(np.random.default_rng(0), 1)[0]))


def changed(content: bytes, at: int) -> bytes:
    """The same with one bit of another value."""
    other = bytearray(content)
    other[at] ^= 1
    return bytes(other)


def why(content: bytes) -> str:
    with pytest.raises(Unusable) as error:
        decode("x", content)
    return str(error.value)


@pytest.mark.parametrize("at", [29, len(PNG) // 2, len(PNG) - 20], ids=["header", "pixels", "last pixels"])
def test_a_png_with_a_wrong_checksum_is_damaged(at):
    assert why(changed(PNG, at)) == "damaged PNG (checksum); get the file again"


@pytest.mark.parametrize("length", [20, len(PNG) // 2])
def test_a_png_that_is_cut_off_says_so(length):
    assert why(PNG[:length]) == "damaged PNG (cut off); get the file again"


@pytest.mark.parametrize(
    ("content", "kind", "remedy"),
    [
        (b"\xff\x0a" + bytes(64), "JPEG XL", "convert"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(64), "JPEG XL", "convert"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG", "convert"),
        (b"%PDF-1.4\n", "PDF", "take the images out"),
        (b"PK\x03\x04" + bytes(64), "an archive", "give it as a set of its own"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(64), "a camera's raw file", "convert"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + bytes(64), "a video", "take the frames out"),
        (b"\x93NUMPY" + bytes(64), "a numpy array", "set of its own"),
    ],
)
def test_what_is_not_read_is_named_with_what_to_do(content, kind, remedy):
    said = why(content)
    assert kind in said
    assert remedy in said


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xd8\xff\xe0" + bytes(40), "JPEG"),
        (b"GIF89a", "GIF"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(20), "WebP"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif" + bytes(40), "AVIF"),
    ],
)
def test_what_is_read_and_cannot_be_is_damaged(content, kind):
    assert f"damaged {kind}" in why(content) or f"{kind}, which this Pillow cannot read" in why(content)


def test_text_is_no_image():
    assert why(b"hello") == "not an image"
