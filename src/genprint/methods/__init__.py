"""The methods there are, by the name the literature gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genprint.fingerprint import Fingerprinter
from genprint.methods.content import ColourQuantiles, Thumbnail
from genprint.methods.marra import MeanResidual
from genprint.methods.set_encoder.encoder import SetEncoder
from genprint.methods.spectrum import MeanSpectrum
from genprint.scoring import LDA, Cosine, Scorer

Comparison = tuple[Fingerprinter, Scorer]


@dataclass(frozen=True)
class Method:
    """A fingerprinter with its scorer, and what it is in a table: 'method', 'peer' or 'control'."""

    role: str
    make: Callable[[SetEncoder], Comparison]


#: What each makes of the encoder in use: the set encoder's own scorers, or methods that need none.
METHODS: dict[str, Method] = {
    "set_encoder": Method("method", lambda encoder: (encoder, encoder.plda_)),
    "set_encoder_lda": Method("method", lambda encoder: (encoder, LDA())),
    "set_encoder_cosine": Method("method", lambda encoder: (encoder, Cosine())),
    "marra": Method("peer", lambda encoder: (MeanResidual(), Cosine())),
    "spectrum": Method("peer", lambda encoder: (MeanSpectrum(), Cosine())),
    "colour": Method("control", lambda encoder: (ColourQuantiles(), LDA())),
    "thumbnail": Method("control", lambda encoder: (Thumbnail(), LDA())),
}
