"""What the files of a set say, counted: beside the answer, in words, and with no part in any decision."""

import json
from dataclasses import replace

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import genprint
from genprint.answers.claims import CAUTION, SetClaims
from genprint.api import Gallery
from genprint.cli import text
from genprint.images import decoding
from genprint.images.claims import Claims, Statement
from genprint.images.decoding import FileFacts
from genprint.images.manifest import Manifest, TrustError, TrustList
from tests.conftest import encoded, given, textured
from tests.images.test_claims import AI, FORMS, PACKET, SETTINGS
from tests.images.test_manifest import authority, sign, signer, tampered, trust

__all__ = ["authority", "signer", "trust"]


def of(*claims, trust=TrustList()):
    facts = tuple(one if one is None else FileFacts("PNG", "RGB", claims=one) for one in claims)
    rows = [[float(i)] for i in range(len(claims))]
    names = tuple(f"{i}.png" for i in range(len(claims)))
    return SetClaims.of(given(rows, facts=facts, names=names), trust)


def test_they_are_counted():
    model = Statement("model", "m", "PNG text")
    found = of(Claims((AI, model)), Claims((AI,)), Claims(), None)
    assert found.files == 3
    assert [(one.statement, one.files) for one in found.statements] == [(AI, 2), (model, 1)]
    assert [one.image for one in found.images] == ["0.png", "1.png"]
    assert found.said == ("2 of 3 files say trainedAlgorithmicMedia (IPTC)", "1 of 3 files says model: m (PNG text)")
    assert found.manifests == {"trusted": 0, "valid, not trusted": 0, "invalid": 0, "not checked": 0, "absent": 3}


def test_the_order_of_files_changes_nothing():
    claims = [Claims((Statement("software", name, "XMP"),), Manifest("trusted", name)) for name in "bca"]
    one, other = of(*claims), of(*claims[::-1])
    assert (one.said, one.statements) == (other.said, other.statements)
    assert one.said[0] == "1 of 3 files says software: a (XMP)"


def test_nothing_is_one_sentence():
    assert of(Claims(), Claims()).said == ("no file says who made it",)
    assert of(None).said == ("the images did not come from files",)
    broken = of(Claims((Statement("unreadable", "no XML", "XMP"),)))
    assert broken.said == ("no file says who made it", "1 of 1 files has XMP that cannot be read: no XML")


def test_states_are_kept_apart(trust):
    states = ["trusted", "valid, not trusted", "invalid", "not checked", "absent", "absent"]
    found = of(*(Claims(manifest=Manifest(state, "a maker")) for state in states))
    assert found.manifests == dict(zip(states[:4], [1] * 4, strict=True)) | {"absent": 2}
    assert "1 of 6 files has a C2PA manifest: invalid; made by a maker" in found.said
    assert found.said[-1] == "no trust list was given (--trust), so that no signer is trusted"
    assert len(of(Claims(manifest=Manifest("valid, not trusted")), trust=TrustList.read(trust)).said) == 1


def test_many_values_are_told_by_number():
    found = of(*(Claims((Statement("description", f"number {i}", "EXIF"),)) for i in range(9)))
    assert len(found.said) == 4
    assert found.said[-1] == "6 more values of description (EXIF)"
    assert len(found.statements) == len(found.images) == 9
    found = of(*(Claims(manifest=Manifest("trusted", f"maker {i}")) for i in range(9)))
    assert found.said[-1] == "4 more kinds of C2PA manifests"


@pytest.fixture(scope="module")
def gallery(small_model, golden_images):
    known = {name: golden_images[name][:12] for name in list(golden_images)[:4]}
    made = Gallery(model=small_model)
    made.enroll(known, originals=False)
    return made


def test_no_claim_changes_an_answer(gallery, golden_images, signer, trust, tmp_path, monkeypatch):
    """The same pixels, said to be of a camera, of a generator, or nothing."""
    name = next(iter(golden_images))
    for i, pixels in enumerate(golden_images[name][20:28]):
        image = Image.fromarray(pixels)
        said, exif = PngInfo(), Image.Exif()
        said.add_text("parameters", SETTINGS)
        said.add_itxt("XML:com.adobe.xmp", PACKET.format(FORMS["attribute"]))
        exif.update({271: "Camera & Sons"})
        files = {
            "plain": encoded(image), "generator": encoded(image, pnginfo=said), "camera": encoded(image, exif=exif),
            "signed": sign(signer, encoded(image)), "tampered": tampered(sign(signer, encoded(image))),
        }  # fmt: skip
        for folder, content in files.items():
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{i}.png").write_bytes(content)
    answers = {folder: gallery.attribute(tmp_path / folder, "probe", trust=trust) for folder in files}
    plain = answers["plain"]
    assert plain.claims.said == ("no file says who made it",)
    assert "8 of 8 files say model: dreamshaper_8 (PNG text)" in answers["generator"].claims.said
    assert answers["camera"].claims.said == ("8 of 8 files say camera make: Camera & Sons (EXIF)",)
    assert answers["signed"].claims.manifests["trusted"] == 8
    assert gallery.attribute(tmp_path / "signed").claims.manifests["valid, not trusted"] == 8
    assert answers["tampered"].claims.manifests["invalid"] == 8
    monkeypatch.setattr(decoding, "read_claims", lambda *_: Claims())
    for folder, answer in answers.items():
        assert (answer.decision, answer.source) == (plain.decision, plain.source)
        unread = gallery.attribute(tmp_path / folder, "probe", trust=trust)
        assert unread.claims.said == ("no file says who made it",)
        assert replace(unread, claims=answer.claims) == answer


def test_a_trust_list_that_cannot_be_read_is_told(gallery, golden_images, tmp_path):
    with pytest.raises(TrustError, match="cannot be read as PEM"):
        gallery.attribute(next(iter(golden_images.values()))[30:34], trust=tmp_path / "none.pem")


def test_where_it_is_shown(gallery, golden_images):
    answer = gallery.attribute(next(iter(golden_images.values()))[30:34], "probe")
    assert answer.to_dict()["claims"]["files"] == 0
    assert "claims" not in answer.to_dict()["evidence"]
    shown = text.attribution(answer)
    assert "  the images did not come from files\n" in shown
    assert CAUTION not in shown
    claimed = replace(answer, claims=of(Claims((AI,)), Claims()))
    json.loads(claimed.to_json())
    shown = text.attribution(claimed)
    assert "  what the files say:\n    1 of 2 files says trainedAlgorithmicMedia (IPTC)\n    Anybody can" in shown
    assert shown.index("exchangeability test") < shown.index("what the files say")


def test_one_call_takes_a_trust_list(small_model, golden_images, rng, signer, trust, tmp_path):
    (tmp_path / "probe").mkdir()
    for i, pixels in enumerate(textured(rng, 2)):
        (tmp_path / "probe" / f"{i}.png").write_bytes(sign(signer, encoded(Image.fromarray(pixels))))
    known = {name: golden_images[name][:6] for name in list(golden_images)[:2]}
    answer = genprint.attribute(tmp_path / "probe", known, model=small_model, trust=trust)
    assert answer.claims.manifests["trusted"] == 2
    assert answer.claims.images[0].claims.manifest.actions[0].digital_source_type == "trainedAlgorithmicMedia"
