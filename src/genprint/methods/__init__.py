"""The methods there are, by the name the literature gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genprint.fingerprint import Fingerprinter
from genprint.methods.content import ColourQuantiles, Thumbnail
from genprint.methods.marra import MeanResidual
from genprint.methods.set_encoder.encoder import SetEncoder
from genprint.methods.spectrum import MeanSpectrum
from genprint.scoring import LDA, ByFingerprint, Comparer, Cosine, Scorer


@dataclass(frozen=True)
class Method:
    """What a method needs to see of an image, how it compares sets of that, and what it is in a table.

    Attributes:
        role: 'method', 'peer' or 'control'.
        front: what gives the features of single images; methods with the same one share a pass over the pixels.
        comparer: scores sets by those features.
    """

    role: str
    front: Callable[[SetEncoder], Fingerprinter]
    comparer: Callable[[SetEncoder], Comparer]


def _fingerprint(
    role: str, front: Callable[[SetEncoder], Fingerprinter], scorer: Callable[[SetEncoder], Scorer]
) -> Method:
    return Method(role, front, lambda encoder: ByFingerprint(front(encoder), scorer(encoder)))


def _of(scorer: type[Scorer]) -> Callable[[SetEncoder], Scorer]:
    return lambda _: scorer()


#: What each makes of the encoder in use: the set encoder's own scorers, or methods that need none.
METHODS: dict[str, Method] = {
    "set_encoder": _fingerprint("method", lambda encoder: encoder, lambda encoder: encoder.plda_),
    "set_encoder_lda": _fingerprint("method", lambda encoder: encoder, _of(LDA)),
    "set_encoder_cosine": _fingerprint("method", lambda encoder: encoder, _of(Cosine)),
    "marra": _fingerprint("peer", lambda _: MeanResidual(), _of(Cosine)),
    "spectrum": _fingerprint("peer", lambda _: MeanSpectrum(), _of(Cosine)),
    "colour": _fingerprint("control", lambda _: ColourQuantiles(), _of(LDA)),
    "thumbnail": _fingerprint("control", lambda _: Thumbnail(), _of(LDA)),
}
