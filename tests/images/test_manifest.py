"""C2PA manifests: what is signed by a certificate made here is found, and found out when it is changed."""

import datetime
import io
import json
import sys

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from genprint.images.decoding import decode
from genprint.images.manifest import Manifest, overall, read_manifest
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


@pytest.fixture(scope="module")
def signer():
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    chain = _certificate(authority, "maker", own, False) + _certificate(authority, "authority", authority, True)
    key = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain, key, None))


def sign(signer, content):
    out = io.BytesIO()
    c2pa.Builder(json.dumps(MANIFEST)).sign(signer, "image/png", io.BytesIO(content), out)
    return out.getvalue()


def test_states(signer, rng, monkeypatch):
    plain = encoded(Image.fromarray(textured(rng, 1)[0]))
    signed = sign(signer, plain)
    assert read_manifest(plain) == Manifest("absent")
    assert read_manifest(signed) == Manifest("present-valid", "a made-up model", "Makers & <Sons>")
    changed = bytearray(signed)
    changed[signed.rindex(b"IDAT") + 20] ^= 1
    assert read_manifest(bytes(changed)).state == "present-invalid"
    assert read_manifest(signed[:3000]).state == "present-invalid"
    assert decode("signed.png", signed).facts.manifest.state == "present-valid"
    assert (decode("signed.png", signed).pixels == decode("plain.png", plain).pixels).all()
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert read_manifest(signed) == Manifest("not-checked")
    assert read_manifest(plain) == Manifest("absent")


def test_the_state_of_a_set():
    valid, invalid, absent = map(Manifest, ("present-valid", "present-invalid", "absent"))
    assert overall([absent, valid]) == "present-valid"
    assert overall([absent, valid, invalid]) == "present-invalid"
    assert overall([absent]) == "absent"
