"""Models: a fingerprinter with the scorer and the reference population that belong to it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from genprint import shipped
from genprint.encoder.encoder import CARD, KIND, SetEncoder, tensors_below
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.conditions import CONDITIONS
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Fingerprinter, Progress
from genprint.images.processing import Processing
from genprint.images.sets import ImageSet
from genprint.scoring.base import ByScorer, Scorer
from genprint.scoring.lda import LDA
from genprint.scoring.plda import PLDA
from genprint.scoring.population import ReferencePopulation
from genprint.storage.files import digest
from genprint.storage.hub import folder_of
from genprint.storage.weights import WeightsError, load_model, save_model, serialise

if TYPE_CHECKING:
    from genprint.encoder.training import loop

_PLDA = ("mean", "within", "between")


@dataclass(frozen=True, eq=False)
class Model:
    """What answers are made with: any fingerprinter, a scorer, and perhaps a reference population.

    Attributes:
        fingerprinter: maps image sets to fingerprints.
        scorer: compares them; linear discriminants need nothing learned, so that any fingerprinter can attribute.
        population: how alike other models' sets are, for verification; None where there is none.
        cache: where features of single images are kept between runs, if anywhere.
        origin: folder that it was loaded from, or ``shipped:`` and a name; None for one that was put together.

    Example:
        >>> from genprint.baselines.covariance import NeighbourhoodCovariance
        >>> Model(NeighbourhoodCovariance()).identity
        'covariance features=1, LDA'
    """

    fingerprinter: Fingerprinter
    scorer: Scorer = LDA()
    population: ReferencePopulation | None = None
    cache: Cache | None = field(default=None, repr=False, compare=False)
    origin: str | None = field(default=None, compare=False)

    @classmethod
    def load(cls, directory: str | Path | None = None, revision: str | None = None, offline: bool = False) -> Self:
        """Loads a saved model; by default the shipped one for thumbnails (images of up to 64 px).

        Args:
            directory: a shipped model's name (``genprint.shipped`` says how it is told from a folder's: ``"pictures"``
                for larger images, ``"thumbnails"``), a folder, or ``hf:ORG/MODEL`` on a model hub.
            revision: of the latter: a commit, tag or branch; pin a commit to get the same weights again.
            offline: never ask the network.

        Raises:
            WeightsError: no model there, or a damaged one.
        """
        name = shipped.named(directory) if directory else shipped.THUMBNAILS
        folder = shipped.FOLDERS[name] if name else folder_of(directory or "", revision, offline)
        config, tensors = load_model(folder, KIND)
        encoder = SetEncoder().restore(folder, config, tensors)
        try:
            plda = {name: values.double().numpy() for name, values in tensors_below(tensors, "plda.").items()}
            mean, within, between = (plda[name] for name in _PLDA)
            scorer = PLDA(mean, within, between, weights=plda.get("weights"))
            arrays = {name: values.double().numpy() for name, values in tensors_below(tensors, "verification.").items()}
            population = ReferencePopulation.of(config["verification"], arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{folder}: an encoder without its scorer and population: {error} is missing") from None
        origin = f"{shipped.PREFIX}{name}" if name else str(folder.resolve())
        model = cls(encoder, scorer, population, origin=origin)
        model.__dict__["weights_digest"] = config["sha256"]
        return model

    def save(self, directory: str | Path, card: str = "") -> None:
        """Writes config, weights and model card into a directory.

        Raises:
            NotImplementedError: only a set encoder with its PLDA and population can be saved.
        """
        encoder, population = self.fingerprinter, self.population
        if not isinstance(encoder, SetEncoder) or population is None:
            raise NotImplementedError(f"a model of {encoder.method} has nothing learned to save")
        config = {**encoder.config(), "verification": population.to_dict()}
        save_model(Path(directory), KIND, config, self._tensors(), card or CARD)

    def _tensors(self) -> dict[str, torch.Tensor]:
        """All that is learned, as it is saved."""
        tensors = self.fingerprinter.tensors() if isinstance(self.fingerprinter, SetEncoder) else {}
        if isinstance(self.scorer, PLDA):
            names = _PLDA if self.scorer.weights is None else (*_PLDA, "weights")
            tensors |= {f"plda.{name}": torch.from_numpy(getattr(self.scorer, name)).float() for name in names}
        arrays = self.population.arrays() if self.population else {}
        return tensors | {f"verification.{name}": torch.from_numpy(array).float() for name, array in arrays.items()}

    @cached_property
    def weights_digest(self) -> str:
        """SHA-256 of all that is learned, as it is saved; '' where nothing is."""
        tensors = self._tensors()
        return digest(serialise(tensors)) if tensors else ""

    @property
    def identity(self) -> str:
        """What answers follow from beside the images: the extractor, and the digest of all that is learned."""
        learned = f" {self.weights_digest}" if self.weights_digest else ""
        return f"{self.fingerprinter.extractor_id}, {type(self.scorer).__name__}{learned}"

    @property
    def name(self) -> str | None:
        """Of a shipped one: ``pictures`` or ``thumbnails``; None for others."""
        origin = self.origin or ""
        return origin.removeprefix(shipped.PREFIX) if origin.startswith(shipped.PREFIX) else None

    def to(self, device: str) -> Self:
        """Computes on that device from now on, if its fingerprinter is a network; see ``SetEncoder.to``.

        Raises:
            DeviceError: this machine has no such device.
        """
        if isinstance(self.fingerprinter, SetEncoder):
            self.fingerprinter.to(device)
        return self

    @property
    def plda(self) -> PLDA:
        """The scorer, for what only a PLDA can do.

        Raises:
            ValueError: it is another.
        """
        if not isinstance(self.scorer, PLDA):
            raise ValueError(f"this needs a model whose scorer is a PLDA, not {type(self.scorer).__name__}")
        return self.scorer

    def fingerprint(self, images: ImageSet, progress: Progress | None = None, looks: bool = False) -> Fingerprint:
        """The fingerprint of one image set.

        Args:
            images: of one source.
            progress: called with the number of images done since its last call.
            looks: whether it is kept what the images look like, so that copies in other files are found.
        """
        return self.fingerprinter.extract(images, progress, cache=self.cache, looks=looks)

    def fit(
        self,
        sets: Sequence[ImageSet],
        sources: Sequence[str],
        steps: int = 600,
        seed: int = 0,
        checkpoint: Path | None = None,
        progress: loop.Progress | None = None,
    ) -> FittedModel:
        """Fine-tunes the encoder on sets of known sources; scorer and population follow from images held back.

        A fifth of each source's images is held back: it stops training early, sets scoring and thresholds, and says
        whether fine-tuning helped: where it costs attributions of single held-back images, the model stays as it was.

        Args:
            sets: image sets.
            sources: the source of each.
            steps: most training steps.
            seed: of splits and episodes.
            checkpoint: written at every validation; a later call goes on from it.
            progress: called after every step; see ``genprint.encoder.training.loop``.

        Raises:
            ImageSetError: fewer than two sources, or one with fewer than ten images.
            ValueError: it is that for pictures, or no set encoder.
        """
        from genprint.encoder.training.finetuning import collect, tune

        if not isinstance(self.fingerprinter, SetEncoder):
            raise ValueError(f"only a set encoder can be fine-tuned, not {self.fingerprinter.method}")
        training, validation = collect(sets, sources, seed)
        encoder = copy.deepcopy(self.fingerprinter)
        result = tune(encoder.network, encoder.extractor_id, training, validation, steps, seed, checkpoint, progress)
        tuned = replace(self, fingerprinter=encoder, origin=None)
        before, after = (model._attributed(training, validation) for model in (self, tuned))
        if after < before:
            return FittedModel(self, before, after, result)
        held = {name: tuned.fingerprint(ImageSet.from_array(tiles, name)) for name, tiles in validation.items()}
        # Too few sources to learn how sources vary; how images of one vary is adapted.
        return FittedModel(
            tuned.calibrated(self.plda.adapt(held.values()), held, f"{len(held)} sources that it was fitted to"),
            before, after, result,
        )  # fmt: skip

    def calibrated(
        self,
        plda: PLDA,
        population: Mapping[str, Fingerprint],
        name: str,
        conditions: Iterable[Processing] = CONDITIONS.values(),
    ) -> Self:
        """The model with that scorer, and these sources, in these conditions too, as its reference population."""
        made = ReferencePopulation.fit(plda, population, name, conditions=tuple(conditions))
        return replace(self, scorer=plda, population=made, origin=None)

    def _attributed(self, known: Mapping[str, np.ndarray], asked: Mapping[str, np.ndarray]) -> float:
        """Share of images, each alone, whose source scores best."""
        gallery, probes = (
            [self.fingerprint(ImageSet.from_array(images, name)) for name, images in sets.items()]
            for sets in (known, asked)
        )
        singles = [probe[[i]] for probe in probes for i in range(len(probe))]
        owners = np.repeat(np.arange(len(probes)), [len(probe) for probe in probes])
        return float(np.mean(ByScorer(self.scorer).score(singles, gallery).argmax(1) == owners))


@dataclass(frozen=True, eq=False)
class FittedModel:
    """What came of fine-tuning.

    Attributes:
        model: the fine-tuned one, or the one there was where that named fewer held-back images rightly.
        before: share of held-back images, each alone, whose source scored best before.
        after: the same after fine-tuning.
        training: steps and losses.
    """

    model: Model
    before: float
    after: float
    training: loop.TrainingResult
