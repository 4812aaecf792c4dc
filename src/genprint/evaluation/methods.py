"""The methods there are, by the name the literature gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genprint.baselines.c2st import ClassifierTwoSample
from genprint.baselines.classifier import Classifier, RawPixels
from genprint.baselines.content import ColourQuantiles, Thumbnail
from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.baselines.dnadet import DNANetwork, patchwise, tell_transformations
from genprint.baselines.durall import RadialSpectrum
from genprint.baselines.dzanic import SpectrumDecay
from genprint.baselines.frank import LogDCT
from genprint.baselines.frechet import Frechet
from genprint.baselines.imagenet import ImageNetFeatures
from genprint.baselines.kernel import MMD
from genprint.baselines.manifpt import NearestReal
from genprint.baselines.marra import MeanResidual
from genprint.baselines.mccloskey import Saturation
from genprint.baselines.nataraj import CoOccurrence
from genprint.baselines.spectrum import MeanSpectrum
from genprint.baselines.vote import Vote
from genprint.baselines.wang import blur_and_jpeg
from genprint.baselines.yu import YuNetwork
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.fingerprint import Fingerprinter
from genprint.images.sets import ImageSet
from genprint.scoring.base import LDA, ByFingerprint, Comparer, Cosine, Scorer
from genprint.scoring.cohort import Normalised
from genprint.scoring.conditions import Matched


@dataclass(frozen=True)
class Method:
    """What a method needs to see of an image, how it compares sets of that, and what it is in a table.

    Attributes:
        role: 'method', 'peer' or 'control'.
        front: what gives the features of single images; methods with the same one share a pass over the pixels.
        comparer: scores sets by those features.
        of_real: the front end is fitted to real images first.
    """

    role: str
    front: Callable[[SetEncoder], Fingerprinter]
    comparer: Callable[[SetEncoder], Comparer]
    of_real: bool = False

    def reader(self, encoder: SetEncoder, real: ImageSet | None) -> Fingerprinter:
        """The front end, fitted to real images if it wants them.

        Raises:
            ValueError: there are none.
        """
        front = self.front(encoder)
        if self.of_real:
            if real is None:
                raise ValueError(f"{front.method} compares with real images; give some")
            front.fit([real], [real.name])
        return front


def _fingerprint(
    role: str, front: Callable[[SetEncoder], Fingerprinter], scorer: Callable[[SetEncoder], Scorer]
) -> Method:
    return Method(role, front, lambda encoder: ByFingerprint(front(encoder), scorer(encoder)))


def _of(scorer: type[Scorer]) -> Callable[[SetEncoder], Scorer]:
    return lambda _: scorer()


def _lda(role: str, front: type[Fingerprinter]) -> Method:
    return _fingerprint(role, lambda _: front(), _of(LDA))


def _distance(front: type[Fingerprinter], comparer: Callable[[], Comparer]) -> Method:
    return Method("peer", lambda _: front(), lambda _: comparer())


def _learned(comparer: Callable[[], Comparer]) -> Method:
    return _distance(RawPixels, comparer)


#: What each makes of the encoder in use: the set encoder's own scorers, or methods that need none.
METHODS: dict[str, Method] = {
    "set_encoder": Method("method", lambda encoder: encoder, lambda encoder: Matched(encoder, encoder.plda_)),
    "set_encoder_normalised": Method(
        "method", lambda encoder: encoder, lambda encoder: Normalised(encoder, encoder.plda_)
    ),
    "set_encoder_lda": _fingerprint("method", lambda encoder: encoder, _of(LDA)),
    "set_encoder_cosine": _fingerprint("method", lambda encoder: encoder, _of(Cosine)),
    "set_encoder_vote": Method(
        "control", lambda encoder: encoder, lambda encoder: Vote(ByFingerprint(encoder, encoder.plda_))
    ),
    "covariance": _lda("peer", NeighbourhoodCovariance),
    "covariance_vote": Method(
        "peer", lambda _: NeighbourhoodCovariance(), lambda _: Vote(ByFingerprint(NeighbourhoodCovariance(), LDA()))
    ),
    "marra": _fingerprint("peer", lambda _: MeanResidual(), _of(Cosine)),
    "spectrum": _fingerprint("peer", lambda _: MeanSpectrum(), _of(Cosine)),
    "durall": _lda("peer", RadialSpectrum),
    "dzanic": _lda("peer", SpectrumDecay),
    "frank": _lda("peer", LogDCT),
    "mccloskey": _lda("peer", Saturation),
    "nataraj": _lda("peer", CoOccurrence),
    "imagenet": _fingerprint("peer", lambda _: ImageNetFeatures(), _of(Cosine)),
    "yu": _learned(lambda: Classifier(YuNetwork)),
    "wang": _learned(lambda: Classifier(YuNetwork, blur_and_jpeg)),
    "dnadet": _learned(lambda: Classifier(DNANetwork, loss=patchwise, prepare=tell_transformations)),
    "manifpt_rgb": Method("peer", lambda _: NearestReal("rgb"), lambda _: Classifier(YuNetwork), of_real=True),
    "manifpt_frequency": Method(
        "peer", lambda _: NearestReal("frequency"), lambda _: Classifier(YuNetwork), of_real=True
    ),
    "frechet_imagenet": _distance(ImageNetFeatures, Frechet),
    "frechet_residual": _distance(NeighbourhoodCovariance, Frechet),
    "kernel_imagenet": _distance(ImageNetFeatures, MMD),
    "kernel_residual": _distance(NeighbourhoodCovariance, MMD),
    "c2st_imagenet": _distance(ImageNetFeatures, ClassifierTwoSample),
    "c2st_residual": _distance(NeighbourhoodCovariance, ClassifierTwoSample),
    "rbf_imagenet": _distance(ImageNetFeatures, lambda: MMD("rbf")),
    "rbf_residual": _distance(NeighbourhoodCovariance, lambda: MMD("rbf")),
    "colour": _lda("control", ColourQuantiles),
    "thumbnail": _lda("control", Thumbnail),
}
