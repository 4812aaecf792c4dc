"""The methods there are, by the name the literature gives them.

All of them take images of mixed size: ``genprint.baselines.pixels`` says which take each image whole, and which the
middle of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from genprint.baselines.header import Header, NearestHeader
from genprint.baselines.imagenet import ImageNetFeatures
from genprint.baselines.kernel import MMD
from genprint.baselines.manifpt import NearestReal
from genprint.baselines.marra import MeanResidual
from genprint.baselines.mccloskey import Saturation
from genprint.baselines.nataraj import CoOccurrence
from genprint.baselines.pixels import FixedSize, common_side
from genprint.baselines.rpa import RPANetwork, corrupted_patches, of_patches
from genprint.baselines.self_description import SelfDescription
from genprint.baselines.spectrum import MeanSpectrum
from genprint.baselines.vote import Vote
from genprint.baselines.wang import blur_and_jpeg
from genprint.baselines.yu import YuNetwork
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer, Comparer
from genprint.scoring.cohort import Normalised
from genprint.scoring.cosine import Cosine
from genprint.scoring.lda import LDA
from genprint.scoring.matching import Matched


@dataclass(frozen=True)
class Method:
    """What a method needs to see of an image, how it compares sets of that, and what it is in a table.

    Attributes:
        role: 'method', 'peer' or 'control'.
        fingerprinter: what makes the features of single images; methods with the same one share a pass over the pixels.
        comparer: scores sets by those features.
        of_real: the fingerprinter is fitted to real images first.
    """

    role: str
    fingerprinter: Callable[[Model], Fingerprinter]
    comparer: Callable[[Model], Comparer]
    of_real: bool = False

    def reader(self, model: Model, real: ImageSet | None, sets: Sequence[ImageSet] = ()) -> Fingerprinter:
        """The fingerprinter, fitted to real images if it needs them.

        Args:
            model: in use.
            real: real images, if there are any.
            sets: all that are to be compared. Where their images differ in size, methods that need one size take the
                middle of each (``genprint.baselines.pixels``).

        Raises:
            ValueError: it needs real images, and there are none.
        """
        front = self.fingerprinter(model)
        seen = list(sets)
        if self.of_real:
            if real is None:
                raise ValueError(f"{front.method} compares with real images; give some")
            seen.append(real)
        if isinstance(front, FixedSize):
            front.side = common_side(seen)
        if self.of_real and real:
            front.fit([real], [real.name])
        return front


def _ours(role: str, comparer: Callable[[Model], Comparer]) -> Method:
    return Method(role, lambda model: model.fingerprinter, comparer)


def _lda(role: str, front: type[Fingerprinter]) -> Method:
    return _peer(front, lambda: ByScorer(LDA()), role)


def _cosine(front: type[Fingerprinter]) -> Method:
    return _peer(front, lambda: Cosine(front()))


def _peer(front: type[Fingerprinter], comparer: Callable[[], Comparer], role: str = "peer") -> Method:
    return Method(role, lambda _: front(), lambda _: comparer())


def _learned(comparer: Callable[[], Comparer]) -> Method:
    return _peer(RawPixels, comparer)


#: What needs no trace; belongs beside every table of images as found.
CONTROLS = ("colour", "thumbnail", "header")

#: What each makes of the model in use: the set encoder's scorers, or methods that need none.
METHODS: dict[str, Method] = {
    "set_encoder": _ours("method", lambda model: ByScorer(model.scorer)),
    "set_encoder_matched": _ours("method", lambda model: Matched(model.scorer, model.population)),
    "set_encoder_normalised": _ours("method", lambda model: Normalised(model.scorer)),
    "set_encoder_lda": _ours("method", lambda _: ByScorer(LDA())),
    "set_encoder_cosine": _ours("method", lambda model: Cosine(model.fingerprinter)),
    "set_encoder_vote": _ours("control", lambda model: Vote(ByScorer(model.scorer))),
    "covariance": _lda("peer", NeighbourhoodCovariance),
    "covariance_vote": _peer(NeighbourhoodCovariance, lambda: Vote(ByScorer(LDA()))),
    "marra": _cosine(MeanResidual),
    "spectrum": _cosine(MeanSpectrum),
    "durall": _lda("peer", RadialSpectrum),
    "dzanic": _lda("peer", SpectrumDecay),
    "frank": _lda("peer", LogDCT),
    "mccloskey": _lda("peer", Saturation),
    "nataraj": _lda("peer", CoOccurrence),
    "self_description": _lda("peer", SelfDescription),
    "imagenet": _cosine(ImageNetFeatures),
    "yu": _learned(lambda: Classifier(YuNetwork)),
    "wang": _learned(lambda: Classifier(YuNetwork, blur_and_jpeg)),
    "dnadet": _learned(lambda: Classifier(DNANetwork, loss=patchwise, prepare=tell_transformations)),
    "rpa": _learned(lambda: Classifier(RPANetwork, corrupted_patches, of_patches, steps=300)),
    "manifpt_rgb": Method("peer", lambda _: NearestReal("rgb"), lambda _: Classifier(YuNetwork), of_real=True),
    "manifpt_frequency": Method(
        "peer", lambda _: NearestReal("frequency"), lambda _: Classifier(YuNetwork), of_real=True
    ),
    "frechet_imagenet": _peer(ImageNetFeatures, Frechet),
    "frechet_residual": _peer(NeighbourhoodCovariance, Frechet),
    "kernel_imagenet": _peer(ImageNetFeatures, MMD),
    "kernel_residual": _peer(NeighbourhoodCovariance, MMD),
    "c2st_imagenet": _peer(ImageNetFeatures, ClassifierTwoSample),
    "c2st_residual": _peer(NeighbourhoodCovariance, ClassifierTwoSample),
    "rbf_imagenet": _peer(ImageNetFeatures, lambda: MMD("rbf")),
    "rbf_residual": _peer(NeighbourhoodCovariance, lambda: MMD("rbf")),
    "colour": _lda("control", ColourQuantiles),
    "thumbnail": _lda("control", Thumbnail),
    "header": _peer(Header, NearestHeader, "control"),
}
