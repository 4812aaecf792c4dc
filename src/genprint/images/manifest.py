"""C2PA manifests in image files: what a signed statement says of the making, apart from any fingerprint.

C2PA Technical Specification 2.2: states and trust (chapter 14), actions and ingredients (chapter 18).
"""

from __future__ import annotations

import io
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from genprint.errors import GenprintError
from genprint.words import shortened

TRUSTED, VALID, INVALID, ABSENT, NOT_CHECKED = "trusted", "valid, not trusted", "invalid", "absent", "not checked"
STATES = (TRUSTED, VALID, INVALID, NOT_CHECKED, ABSENT)
# Type of the box that a manifest store is, the same in every container: type and first half of its UUID.
_MARK = b"jumdc2pa\x00\x11\x00\x10"
_UNTRUSTED, _TRUSTED = "signingCredential.untrusted", "signingCredential.trusted"
_MOST = 20  # actions, ingredients and problems that are told


class TrustError(GenprintError, ValueError):
    """A trust list cannot be used."""


@dataclass(frozen=True)
class TrustList:
    """Authorities that make a signer trusted.

    Attributes:
        certificates: theirs, in PEM; '' where there are none.
        origin: the file that they are from.

    Example:
        >>> bool(TrustList())
        False
    """

    certificates: str = ""
    origin: str = ""

    def __bool__(self) -> bool:
        return bool(self.certificates)

    @classmethod
    def read(cls, path: str | Path | None = None) -> TrustList:
        """Of that file, '' for none; by default of the one that GENPRINT_TRUST names, if it names one.

        Raises:
            TrustError: it cannot be read, or holds anything but certificates.
        """
        path = os.environ.get("GENPRINT_TRUST", "") if path is None else path
        if not path:
            return cls()
        try:
            certificates = Path(path).read_text("ascii")
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificates)
        except OSError as error:  # of which OpenSSL's are, too
            raise TrustError(f"{path}: cannot be read as PEM certificates: {error.strerror or error}") from None
        except ValueError as error:
            raise TrustError(f"{path}: cannot be read as PEM certificates: {error}") from None
        return cls(certificates, str(path))


@dataclass(frozen=True)
class Action:
    """What was done to an image: ``c2pa.created``, ``c2pa.edited`` and the like.

    Attributes:
        action: its label.
        digital_source_type: IPTC's, such as trainedAlgorithmicMedia.
        software: that did it.
    """

    action: str
    digital_source_type: str = ""
    software: str = ""

    def __str__(self) -> str:
        more = f" ({self.digital_source_type})" if self.digital_source_type else ""
        return f"{self.action}{more}{f' by {self.software}' if self.software else ''}"


@dataclass(frozen=True)
class Ingredient:
    """What an image was made from.

    Attributes:
        title: its name.
        relationship: 'parentOf', 'componentOf' or 'inputTo'.
        state: of its own manifest, when it was taken in: 'trusted', 'valid, not trusted', 'invalid' or 'absent'; 'not
            checked' if it has one of which nothing is said.
    """

    title: str
    relationship: str
    state: str

    def __str__(self) -> str:
        return f"{self.title or 'unnamed'} ({self.relationship}, its manifest: {self.state})"


@dataclass(frozen=True)
class Manifest:
    """What became of the look for a manifest in a file.

    Attributes:
        state: 'trusted' (the content is what was signed, by a signer whom an authority of the trust list vouches for),
            'valid, not trusted' (the content is what was signed, by whomever), 'invalid', 'absent', or 'not checked'
            (there is one, but the extra ``provenance`` is not installed, or it is kept elsewhere: nothing is fetched).
        maker: software that the manifest says made the claim.
        signer: to whom the certificate was issued.
        actions: in their order.
        ingredients: what it was made from.
        problems: codes of what fails, of an invalid one; why it was not checked.
    """

    state: str
    maker: str = ""
    signer: str = ""
    actions: tuple[Action, ...] = ()
    ingredients: tuple[Ingredient, ...] = ()
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = [
            self.state + (f" ({', '.join(self.problems)})" if self.problems else ""),
            f"made by {self.maker}" if self.maker else "",
            f"signed by {self.signer}" if self.signer else "",
            f"actions: {', '.join(map(str, self.actions))}" if self.actions else "",
            f"made from {', '.join(map(str, self.ingredients))}" if self.ingredients else "",
        ]
        return "; ".join(filter(None, said))


def has_manifest(content: bytes) -> bool:
    """Whether a file holds what looks like a manifest."""
    return _MARK in content


def read_manifest(content: bytes, trust: TrustList = TrustList()) -> Manifest:
    """The manifest embedded in a file. Nothing is fetched: neither remote manifests nor revocation lists."""
    if not has_manifest(content):
        return Manifest(ABSENT)
    try:
        import c2pa
    except ImportError:
        return Manifest(NOT_CHECKED, problems=("pip install 'genprint[provenance]'",))
    try:
        with c2pa.Reader(None, io.BytesIO(content), context=_context(trust)) as reader:
            store = json.loads(reader.json())
    except c2pa.C2paError as error:  # there is a mark, but no manifest that can be read
        return Manifest(INVALID, problems=(shortened(str(error)),))
    return _told(store)


@lru_cache(4)
def _context(trust: TrustList) -> Any:
    import c2pa

    verify = {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True}
    anchors = {"trust": {"user_anchors": trust.certificates}} if trust else {}
    return c2pa.Context.from_dict({"verify": verify, **anchors})


def _told(store: Mapping[str, Any]) -> Manifest:
    """What a manifest store, as the reader tells it, says in its active manifest."""
    active = store.get("manifests", {}).get(store.get("active_manifest"), {})
    state = {"Trusted": TRUSTED, "Valid": VALID}.get(store.get("validation_state", ""), INVALID)
    failures = [str(one.get("code")) for one in store.get("validation_status") or () if one.get("code") != _UNTRUSTED]
    makers = [str(maker.get("name", "")) for maker in active.get("claim_generator_info") or ()]
    return Manifest(
        state,
        shortened(", ".join(filter(None, makers))),
        shortened(str((active.get("signature_info") or {}).get("issuer", ""))),
        tuple(_action(one) for one in _actions(active)[:_MOST]),
        tuple(_ingredient(one) for one in (active.get("ingredients") or ())[:_MOST]),
        tuple(shortened(code) for code in sorted(set(failures))[:_MOST]) if state == INVALID else (),
    )


def _actions(active: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    assertions = active.get("assertions") or ()
    # c2pa.actions, and its second version
    found = [one for one in assertions if str(one.get("label", "")).split("__")[0].startswith("c2pa.actions")]
    return [action for one in found for action in (one.get("data") or {}).get("actions") or ()]


def _action(said: Mapping[str, Any]) -> Action:
    agent = said.get("softwareAgent") or ""
    software = agent.get("name", "") if isinstance(agent, Mapping) else agent
    return Action(
        shortened(str(said.get("action", ""))),
        source_type(str(said.get("digitalSourceType", ""))),
        shortened(str(software)),
    )


def _ingredient(said: Mapping[str, Any]) -> Ingredient:
    results = (said.get("validation_results") or {}).get("activeManifest")
    if not said.get("active_manifest") and results is None:
        state = ABSENT
    elif results is None:
        state = NOT_CHECKED
    else:
        codes = {kind: {one.get("code") for one in results.get(kind) or ()} for kind in ("success", "failure")}
        state = TRUSTED if _TRUSTED in codes["success"] else VALID
        state = INVALID if codes["failure"] - {_UNTRUSTED} else state
    return Ingredient(shortened(str(said.get("title", ""))), shortened(str(said.get("relationship", ""))), state)


def source_type(value: str) -> str:
    """A digital source type as IPTC names it, from its URI (http://cv.iptc.org/newscodes/digitalsourcetype/)."""
    return shortened(value.rpartition("/newscodes/digitalsourcetype/")[2])
