"""What files say of how they were made, wherever formats keep it; what is broken is told, what is evil harmless."""

import io
import json

import c2pa
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from genprint.images.claims import Claims, Statement
from genprint.images.decoding import decode
from genprint.images.manifest import Manifest, TrustList
from genprint.images.xmp import XmpError, read_xmp
from genprint.words import shortened
from tests.conftest import encoded, textured
from tests.images.test_manifest import authority, sign, signer, trust

__all__ = ["authority", "signer", "trust"]

TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI = Statement("digital source type", "trainedAlgorithmicMedia", "IPTC")
PACKET = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:dcterms="http://purl.org/dc/terms/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" {}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
FORMS = {
    "attribute": f'e:DigitalSourceType="{TYPE}trainedAlgorithmicMedia">',
    "element": f"><e:DigitalSourceType>\n {TYPE}trainedAlgorithmicMedia </e:DigitalSourceType>",
    "resource": f'><e:DigitalSourceType rdf:resource="{TYPE}trainedAlgorithmicMedia"/>',
    "list": f"><e:DigitalSourceType><rdf:Bag><rdf:li>{TYPE}trainedAlgorithmicMedia</rdf:li></rdf:Bag>"
    "</e:DigitalSourceType>",
}
SETTINGS = (
    "a cat, Model: a lie\nNegative prompt: dogs\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 32x32, Model hash: 6ce0161689, Model: dreamshaper_8, "
    "Version: v1.9.4"
)
AUTOMATIC = [("generation settings", "as Automatic1111 writes them"), ("model", "dreamshaper_8")]
COMFY = [("generation settings", "as ComfyUI writes them"), ("model", "flux-dev.safetensors")]
PROMPT = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 1, "model": ["4", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "flux-dev.safetensors"}},
}
WORKFLOW = {
    "nodes": [{"type": "KSampler", "widgets_values": [1]},
              {"type": "CheckpointLoaderSimple", "widgets_values": ["flux-dev.safetensors"]}],
}  # fmt: skip


@pytest.fixture
def image(rng):
    return Image.fromarray(textured(rng, 1)[0])


def claims(content):
    return decode("x", content, TrustList()).facts.claims


def said(content):
    return [(one.field, one.value) for one in claims(content).statements]


def png(image, **texts):
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    return encoded(image, pnginfo=info)


def exif_of(own=(), comment=None):
    exif = Image.Exif()
    exif.update(own or {296: 2})
    if comment is not None:
        exif.get_ifd(0x8769)[0x9286] = comment
    return exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("form", FORMS)
def test_the_digital_source_type_in_every_format(image, kind, form):
    packet = PACKET.format(FORMS[form]).encode()
    if kind == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        options = {"pnginfo": info}
    else:
        options = {"tiffinfo": {700: packet}} if kind == "TIFF" else {"xmp": packet}
    content = encoded(image, kind, **options)
    assert claims(content) == Claims((AI,))
    assert decode("x", content).facts.claims is None


def test_heic(image):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener(thumbnails=False)
    content = encoded(image.resize((64, 64)), "HEIF", xmp=PACKET.format(FORMS["attribute"]).encode())
    assert claims(content) == Claims((AI,))


def test_other_properties_of_xmp(image):
    attributes = 'e:AISystemUsed="a system" xmp:CreatorTool="a tool" dcterms:provenance="https://example.org/m">'
    found = claims(encoded(image, "JPEG", xmp=PACKET.format(attributes).encode()))
    assert found.statements == (Statement("AI system", "a system", "IPTC"), Statement("software", "a tool", "XMP"))
    assert found.manifest.state == "not checked"  # which is not absent
    assert found.manifest.problems == ("kept elsewhere, not fetched: https://example.org/m",)


def test_a_type_of_no_vocabulary_is_shown_as_it_is(image):
    packet = PACKET.format('e:DigitalSourceType="drawn by hand">').encode()
    assert said(encoded(image, "JPEG", xmp=packet)) == [("digital source type", "drawn by hand")]


BOMB = '<!DOCTYPE a [<!ENTITY b "{}">{}]>'.format(
    "x" * 100, "".join(f'<!ENTITY b{i} "{f"&b{i - 1};" * 10}">' for i in range(1, 10))
)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (PACKET.format(FORMS["attribute"])[:-80], "no element found|unclosed"),
        (BOMB + f"<a {FORMS['attribute'].replace('e:', '')}&b9;</a>", "declares a document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "declares a document type"),
        ("<a>" + " " * 2**20 + "</a>", "longer than 1 MiB"),
        ("<a>&undefined;</a>", "undefined entity"),
        ('<?xml version="1.0" encoding="none-such"?><a/>', "unknown encoding"),
        (b"\xff\xfe\x00nonsense", "not well-formed|invalid token|unclosed|no element|syntax"),
    ],
)
def test_xmp_that_cannot_be_read_is_told(image, packet, reason):
    with pytest.raises(XmpError, match=reason):
        read_xmp(packet)
    if len(packet) < 2**16:  # what a JPEG can hold
        content = encoded(image, "JPEG", xmp=packet if isinstance(packet, bytes) else packet.encode())
        (statement,) = claims(content).statements
        assert (statement.field, statement.where) == ("unreadable", "XMP")


def test_what_user_interfaces_write_into_png(image):
    assert said(png(image, parameters=SETTINGS)) == AUTOMATIC
    assert said(png(image, prompt=json.dumps(PROMPT))) == COMFY
    assert said(png(image, workflow=json.dumps(WORKFLOW))) == COMFY
    assert said(png(image, prompt=json.dumps(PROMPT), workflow=json.dumps(WORKFLOW))) == COMFY  # once
    quoted = SETTINGS.replace("dreamshaper_8", '"a, b"')
    assert said(png(image, parameters=quoted))[1] == ("model", "a, b")
    assert said(png(image, parameters="a cat, Model: a lie")) == AUTOMATIC[:1]
    texts = png(image, Software="NovelAI", Source="a model", Description="a cat", Comment="nothing of interest")
    assert said(texts) == [("software", "NovelAI"), ("source", "a model"), ("description", "a cat")]
    assert said(png(image)) == []


def test_text_after_the_pixels_and_compressed_text(image):
    info = PngInfo()
    info.add_text("parameters", SETTINGS, zip=True)
    content = encoded(image, pnginfo=info)
    assert said(content) == AUTOMATIC
    start = content.index(b"zTXt") - 4
    length = int.from_bytes(content[start : start + 4], "big") + 12
    end = content.index(b"IEND") - 4
    moved = content[:start] + content[start + length : end] + content[start : start + length] + content[end:]
    assert said(moved) == AUTOMATIC


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize(
    "comment",
    [b"UNICODE\0" + SETTINGS.encode("utf-16-be"), b"UNICODE\0" + SETTINGS.encode("utf-16-le"),
     b"ASCII\0\0\0" + SETTINGS.encode()],
)  # fmt: skip
def test_settings_in_a_user_comment(image, kind, comment):
    assert said(encoded(image, kind, exif=exif_of(comment=comment))) == AUTOMATIC


def test_comments_of_people_are_left_alone(image):
    assert said(encoded(image, "JPEG", exif=exif_of(comment=b"ASCII\0\0\0our holidays"))) == []
    assert said(encoded(image, "JPEG", exif=exif_of(comment=b"ASCII\0\0\0{our holidays}"))) == []


def test_what_comfyui_writes_into_webp_and_user_comments(image):
    exif = exif_of({0x0110: f"prompt:{json.dumps(PROMPT)}", 0x010F: f"workflow:{json.dumps(WORKFLOW)}"})
    assert said(encoded(image, "WEBP", exif=exif)) == COMFY
    comment = b"UNICODE\0" + json.dumps(PROMPT).encode("utf-16-be")
    assert said(encoded(image, "JPEG", exif=exif_of(comment=comment))) == COMFY


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "TIFF"])
def test_cameras(image, kind):
    exif = exif_of({271: "Maker", 272: "Model 1", 305: "firmware 2", 270: "a view"})
    found = claims(encoded(image, kind, exif=exif)).statements
    assert {(one.field, one.value) for one in found} == {
        ("camera make", "Maker"), ("camera model", "Model 1"), ("software", "firmware 2"), ("description", "a view")
    }  # fmt: skip
    assert {one.where for one in found} == {"EXIF"}


def test_broken_exif_is_told(image):
    (statement,) = claims(encoded(image, exif=b"Exif\x00\x00nonsense")).statements
    assert (statement.field, statement.where) == ("unreadable", "EXIF")


@pytest.mark.parametrize(
    "graph", ["{", "[" * 100_000, "[]", "3", '{"4": 7}', '{"nodes": [3, {"type": 4, "widgets_values": {}}]}', "{}\0"]
)
def test_workflows_that_are_none(image, graph):
    found = said(png(image, workflow=graph))
    assert found[0] == COMFY[0]
    assert all(field == "unreadable" for field, _ in found[1:])


def test_a_huge_text_is_not_searched(image):
    for name in ("parameters", "prompt"):
        found = said(png(image, **{name: SETTINGS + "x" * 2**20}))
        assert [field for field, _ in found] == ["generation settings", "unreadable"]
    (description,) = said(png(image, Description="x" * 2**22))
    assert len(description[1]) < 250


def test_control_characters_are_shown_escaped(image):
    evil = "a\x1b[2K\u202eb\x07\nc"
    ((_, shown),) = said(png(image, Description=evil))
    assert shown == r"a\x1b[2K\u202eb\x07\nc"
    ((_, shown),) = said(encoded(image, "JPEG", exif=exif_of({305: "a\x1bb"})))
    assert shown == r"a\x1bb"
    packet = PACKET.format('e:DigitalSourceType="a&#x202E;b">').encode()
    assert said(encoded(image, "JPEG", xmp=packet)) == [("digital source type", r"a\u202eb")]
    assert shortened("é 猫") == "é 猫"
    model = SETTINGS.replace("dreamshaper_8", "dream\x1b[2K")
    assert said(png(image, parameters=model))[1] == ("model", r"dream\x1b[2K")


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "AVIF", "PNG"])
def test_manifests_in_every_format(image, kind, authority, trust):
    content = sign(authority[0], encoded(image, kind), f"image/{kind.lower()}")
    trusted = decode("x", content, TrustList.read(trust)).facts.claims
    assert trusted.manifest.state == "trusted"
    assert claims(content).manifest.state == "valid, not trusted"


def test_a_manifest_that_is_kept_elsewhere_is_not_fetched(image, signer):
    builder = c2pa.Builder(json.dumps({"claim_generator_info": [{"name": "x"}], "assertions": []}))
    builder.set_no_embed()
    builder.set_remote_url("https://example.org/m.c2pa")
    out = io.BytesIO()
    actions = {"action": "c2pa.created", "digitalSourceType": f"{TYPE}trainedAlgorithmicMedia"}
    builder.add_action(actions)
    builder.sign(signer, "image/jpeg", io.BytesIO(encoded(image, "JPEG")), out)
    reason = "kept elsewhere, not fetched: https://example.org/m.c2pa"
    assert claims(out.getvalue()).manifest == Manifest("not checked", problems=(reason,))
