"""C2PA manifests in image files: what a signed statement says of the making, apart from any fingerprint."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

PRESENT_VALID, PRESENT_INVALID, ABSENT, NOT_CHECKED = "present-valid", "present-invalid", "absent", "not-checked"
_MARK = b"c2pa"  # label of the box that holds a manifest store, in every container


@dataclass(frozen=True)
class Manifest:
    """What became of the look for a manifest in a file.

    Attributes:
        state: 'present-valid' (the content is what was signed; whether the signer is to be trusted is not asked),
            'present-invalid', 'absent', or 'not-checked' (there is one, but the extra ``provenance`` is not installed;
            or the image did not come from a file).
        maker: software that the manifest says made the claim.
        signer: to whom the certificate was issued.
    """

    state: str
    maker: str = ""
    signer: str = ""

    def __str__(self) -> str:
        said = [f"made by {self.maker}" if self.maker else "", f"signed by {self.signer}" if self.signer else ""]
        return ", ".join(part for part in (self.state, *said) if part)


def read_manifest(content: bytes) -> Manifest:
    """The manifest embedded in a file. Nothing is fetched: neither remote manifests nor revocation lists."""
    if _MARK not in content:
        return Manifest(ABSENT)
    try:
        import c2pa
    except ImportError:
        return Manifest(NOT_CHECKED)
    try:
        with c2pa.Reader(None, io.BytesIO(content), context=_offline()) as reader:
            valid = reader.get_validation_state() in ("Valid", "Trusted")
            store = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return Manifest(ABSENT)
    except c2pa.C2paError:  # there is a mark, but no manifest that can be read
        return Manifest(PRESENT_INVALID)
    active = store.get("manifests", {}).get(store.get("active_manifest"), {})
    makers = [str(maker.get("name", "")) for maker in active.get("claim_generator_info") or []]
    signer = str((active.get("signature_info") or {}).get("issuer", ""))
    return Manifest(PRESENT_VALID if valid else PRESENT_INVALID, ", ".join(filter(None, makers)), signer)


@cache
def _offline() -> Any:
    import c2pa

    return c2pa.Context.from_dict({"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}})


def overall(manifests: Iterable[Manifest]) -> str:
    """The state of a set: that of any image, what calls for attention first."""
    states = {manifest.state for manifest in manifests}
    return next((s for s in (PRESENT_INVALID, PRESENT_VALID, NOT_CHECKED) if s in states), ABSENT)
