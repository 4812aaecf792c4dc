"""A probe put to a gallery: the answer, and all that is told beside it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from genprint.answers.claims import SetClaims
from genprint.answers.copies import Copies
from genprint.answers.held_back import expected
from genprint.answers.results import Asked, Attribution
from genprint.answers.sizes import said_of_sizes
from genprint.answers.stressing import Asking, stressed
from genprint.answers.unknown import said_of_unknown
from genprint.fingerprints.fingerprinter import Progress, expect
from genprint.images.manifest import TrustList
from genprint.images.sets import ImageSet

if TYPE_CHECKING:
    from genprint.answering import Gallery


def asked(
    gallery: Gallery,
    probe: ImageSet,
    rate: float,
    conditions: bool,
    trusted: TrustList,
    stress: bool,
    thorough: bool,
    progress: Progress | None,
) -> Attribution:
    """Which source of a gallery made the probe, if any; arguments and errors are those of ``Gallery.attribute``."""
    expect(progress, probe.count)
    fingerprint = gallery.model.fingerprint(replace(probe, claims=trusted), progress, looks=True)
    identifier = gallery.identifier(fingerprint, rate, conditions, progress)
    result = identifier.identify(fingerprint, thorough, progress)
    ask = partial(identifier.identify, grown=False, progress=progress)
    copies = Copies.of(fingerprint, identifier.known, result, ask)
    nearest = len(gallery) > len(identifier.known)
    result = replace(result, expected=expected(identifier, result, count=thorough, nearest=nearest))
    if stress:
        again = Asking(
            gallery.model.fingerprint,
            lambda one, told: gallery.identifier(one, rate, conditions, told).identify(one, False, told),
        )
        result = stressed(result, probe, fingerprint.without(identifier.known), again, progress)
    on_disk = bool(probe.files or probe.container) and Path(probe.origin).exists()
    inputs: dict[str, str | float | bool | None] = {
        "probe": str(Path(probe.origin).resolve()) if on_disk else None,
        "known": gallery.origin if gallery.in_memory else None,
        "gallery": None if gallery.in_memory else str(Path(gallery.path).resolve()),
        "model": gallery.model.origin, "rate": rate, "conditions": conditions,
        "trust": str(Path(trusted.origin).resolve()) if trusted.origin else None, "stress": stress,
        "thorough": thorough,
    }  # fmt: skip
    sources = gallery.sources if gallery.in_memory else ()
    compared = identifier.enrolled.called(result.condition).fingerprints
    put = Asked(gallery.model, probe, fingerprint, identifier.known, tuple(compared), sources, inputs)
    resized = "scale" in result.condition  # which the condition tells
    sizes = said_of_sizes(fingerprint, identifier.known.values(), resized)
    said = (*said_of_unknown(result.decision), *sizes, *copies.said)
    return replace(result, claims=SetClaims.of(fingerprint, trusted), said=said, copies=copies, asked=put)
