"""C2PA manifests: what is signed by a certificate made here is found, and found out when it is changed."""

import datetime
import io
import json
import struct
import sys
import zlib
from dataclasses import replace

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from genprint.images.decoding import decode
from genprint.images.manifest import Action, Ingredient, Manifest, TrustError, TrustList, read_manifest
from tests.conftest import encoded, textured

_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
MANIFEST = {
    "claim_generator_info": [{"name": "a made-up model", "version": "1"}],
    "assertions": [
        {
            "label": "c2pa.actions",
            "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": _TYPE}]},
        }
    ],
}


def _certificate(issuer, name, key, authority):
    now = datetime.datetime.now(datetime.UTC)

    def called(common):
        organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Makers & <Sons>")
        return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common)])

    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only"), False
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder(called("authority"), called(name), key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(authority, None), True)
        .add_extension(
            x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usage), True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), False)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    return builder.sign(issuer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _authority():
    """A signer, and the certificate of the authority that vouches for it."""
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate(authority, "authority", authority, True)
    chain = _certificate(authority, "maker", own, False) + root
    key = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain, key, None)), root


@pytest.fixture(scope="session")
def authority():
    return _authority()


@pytest.fixture(scope="session")
def signer(authority):
    return authority[0]


@pytest.fixture
def trust(authority, tmp_path):
    """The file of a trust list that holds the signer's authority."""
    (tmp_path / "trust.pem").write_bytes(authority[1])
    return tmp_path / "trust.pem"


def sign(signer, content, kind="image/png", ingredients=(), **manifest):
    out = io.BytesIO()
    builder = c2pa.Builder(json.dumps({**MANIFEST, **manifest}))
    for title, ingredient in ingredients:
        builder.add_ingredient({"title": title, "relationship": "componentOf"}, kind, io.BytesIO(ingredient))
    builder.sign(signer, kind, io.BytesIO(content), out)
    return out.getvalue()


def tampered(signed):
    """With a remark put in after signing; the pixels are as they were."""
    remark = b"tEXtSoftware\0another"
    chunk = struct.pack(">I", len(remark) - 4) + remark + struct.pack(">I", zlib.crc32(remark))
    end = signed.rindex(b"IEND") - 4
    return signed[:end] + chunk + signed[end:]


@pytest.fixture
def plain(rng):
    return encoded(Image.fromarray(textured(rng, 1)[0]))


CREATED = (Action("c2pa.created", "trainedAlgorithmicMedia"),)


def test_states(signer, plain, trust, tmp_path, monkeypatch):
    signed = sign(signer, plain)
    assert read_manifest(plain) == Manifest("absent")
    said = Manifest("valid, not trusted", "a made-up model", "Makers & <Sons>", CREATED)
    assert read_manifest(signed) == said
    assert read_manifest(signed, TrustList.read(trust)) == replace(said, state="trusted")
    (tmp_path / "other.pem").write_bytes(_authority()[1])
    assert read_manifest(signed, TrustList.read(tmp_path / "other.pem")) == said
    for trusted in (TrustList(), TrustList.read(trust)):
        assert read_manifest(tampered(signed), trusted) == replace(
            said, state="invalid", problems=("assertion.dataHash.mismatch",)
        )
        changed = bytearray(signed)
        changed[signed.rindex(b"IDAT") + 20] ^= 1  # a pixel
        for broken in (bytes(changed), signed[:3000]):
            assert read_manifest(broken, trusted).state == "invalid"
    assert (decode("signed.png", signed).pixels == decode("plain.png", plain).pixels).all()
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert read_manifest(signed).state == "not checked"
    assert "genprint[provenance]" in str(read_manifest(signed))
    assert read_manifest(plain) == Manifest("absent")


def test_only_probes_are_looked_at(signer, plain):
    signed = sign(signer, plain)
    assert decode("x", signed).facts.claims is None
    assert "C2PA manifest" in decode("x", signed).facts.metadata
    assert decode("x", signed, TrustList()).facts.claims.manifest.state == "valid, not trusted"


def test_actions_and_ingredients(signer, plain, trust):
    actions = [
        {"action": "c2pa.created", "digitalSourceType": _TYPE},
        {"action": "c2pa.edited", "softwareAgent": {"name": "a painter\x1b[2K"}},
    ]
    own = sign(signer, plain)
    ingredients = [("own.png", own), ("plain.png", plain), ("bad.png", tampered(own))]
    signed = sign(
        signer, plain, ingredients=ingredients, assertions=[{"label": "c2pa.actions", "data": {"actions": actions}}]
    )
    found = read_manifest(signed, TrustList.read(trust))
    assert found.actions == (*CREATED, Action("c2pa.edited", "", "a painter\\x1b[2K"))
    assert found.ingredients == (
        Ingredient("own.png", "componentOf", "valid, not trusted"),  # the signing library had no trust list
        Ingredient("plain.png", "componentOf", "absent"),
        Ingredient("bad.png", "componentOf", "invalid"),
    )
    for part in ("trusted; made by a made-up model; signed by Makers", "c2pa.edited by a painter", "bad.png ("):
        assert part in str(found)


def test_a_trust_list_is_certificates(trust, tmp_path, monkeypatch):
    assert not TrustList.read()
    monkeypatch.setenv("GENPRINT_TRUST", str(trust))
    assert TrustList.read() == TrustList.read(trust) != TrustList()
    assert TrustList.read("") == TrustList()
    (bad := tmp_path / "bad.pem").write_text("nonsense")
    (empty := tmp_path / "empty.pem").write_text("")
    (broken := tmp_path / "broken.pem").write_bytes(trust.read_bytes().replace(b"A", b"B"))
    (binary := tmp_path / "binary.pem").write_bytes(bytes(range(256)))
    for path in (bad, empty, broken, binary, tmp_path / "none.pem"):
        with pytest.raises(TrustError, match=path.name):
            TrustList.read(path)
