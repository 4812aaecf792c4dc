"""The set encoder as a fingerprinter."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

import genprint
from genprint.encoder.network import SetNetwork
from genprint.fingerprints.fingerprint import Features, Fingerprinter
from genprint.fingerprints.residuals import to_pixels
from genprint.images.sets import Image, ImageSet, ImageSetError
from genprint.scoring.base import ByFingerprint
from genprint.scoring.conditions import HISTORIES
from genprint.scoring.plda import PLDA
from genprint.scoring.population import Verification
from genprint.storage.files import digest
from genprint.storage.weights import WeightsError, load_model, save_model, serialise

KIND = "set_encoder"
PATCH, _GRID = 32, 8
_PLDA = ("mean", "within", "between")
SHIPPED = Path(__file__).parent / "shipped"


def patches(image: Image, count: int, seed: int) -> list[np.ndarray]:
    """The image itself if no side is over 32 px, else ``count`` 32 px patches at native resolution.

    Where they lie follows from the image's content and the seed, in steps of 8 px, so that the pixel phases of
    up-sampling and the blocks of JPEG lie alike in all.
    """
    height, width = image.pixels.shape[:2]
    if height <= PATCH and width <= PATCH:
        return [image.pixels]
    rng = np.random.default_rng([seed, int(image.sha256[:16], 16)])
    tops, lefts = (_GRID * rng.integers(max(0, side - PATCH) // _GRID + 1, size=count) for side in (height, width))
    return [image.pixels[top : top + PATCH, left : left + PATCH] for top, left in zip(tops, lefts, strict=True)]


class SetEncoder(Fingerprinter):
    """Genprint's own method: a tower for images, moments over the set, a head for the set.

    Args:
        patches_per_image: native-resolution patches averaged into the features of an image larger than 32 px.
        steps: longest fine-tuning ``fit`` does.
        learning_rate: of ``fit``.
        seed: of patch positions and of ``fit``.

    Attributes:
        network_: the trained ``SetNetwork``.
        plda_: the scorer learned with it.
        verification_: how alike sets of one source and of two are, in the population that ``verify`` goes by.
        held_back_: after ``fit``: shares of images it has not seen that went to their source, before and after.

    Example:
        >>> encoder = SetEncoder.from_pretrained()
        >>> noise = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
        >>> encoder.transform([ImageSet.from_array(noise, "noise")]).shape
        (1, 96)
    """

    method = "set_encoder"

    network_: SetNetwork
    plda_: PLDA
    verification_: Verification
    held_back_: tuple[float, float]
    #: SHA-256 of all that is learned, as saved: a gallery keeps to one
    weights_digest_: str

    def __init__(self, patches_per_image: int = 8, steps: int = 600, learning_rate: float = 3e-4, seed: int = 0):
        self.patches_per_image = patches_per_image
        self.steps = steps
        self.learning_rate = learning_rate
        self.seed = seed

    @property
    def parts(self) -> int:
        return len(self.network_.towers)

    @torch.inference_mode()
    def _features(self, images: Sequence[Image]) -> np.ndarray:
        network = self.network_.eval().fused()
        pieces = [patches(image, self.patches_per_image, self.seed) for image in images]
        owner = np.repeat(np.arange(len(images)), [len(own) for own in pieces])
        flat = [piece for own in pieces for piece in own]
        features: np.ndarray | None = None
        by_size: dict[tuple[int, ...], list[int]] = {}
        for i, piece in enumerate(flat):
            by_size.setdefault(piece.shape, []).append(i)
        for chosen in by_size.values():
            for start in range(0, len(chosen), 64):
                part = chosen[start : start + 64]
                pixels = to_pixels(np.stack([flat[i] for i in part])).to(self._device)
                rows = network.features(pixels).cpu().numpy()
                if features is None:
                    features = np.empty((len(flat), rows.shape[1]), np.float32)
                features[part] = rows
        assert features is not None
        sums = np.zeros((len(images), features.shape[1]), np.float32)
        np.add.at(sums, owner, features)
        return sums / np.bincount(owner)[:, None].astype(np.float32)

    @torch.inference_mode()
    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        moments = (torch.from_numpy(x.astype(np.float32)).unsqueeze(0).to(self._device) for x in (mean, variance))
        return self.network_.embed(*moments)[0].cpu().numpy()

    @property
    def _device(self) -> torch.device:
        return next(self.network_.parameters()).device

    def fit(
        self,
        sets: Sequence[ImageSet],
        sources: Sequence[str],
        checkpoint: Path | None = None,
        progress: Any = None,
    ) -> Self:
        """Fine-tunes the shipped encoder (or the one already loaded) on sets of known sources.

        A fifth of each source's images is held back: it stops training early, sets scoring and thresholds, and says
        whether fine-tuning helped: where it costs attributions of single held-back images, the encoder stays as it
        was. ``held_back_`` has the share attributed to its source before and after.

        Raises:
            ImageSetError: fewer than two sources, or one with fewer than ten images.
        """
        from genprint.encoder.training.episodes import LabelledEpisodes
        from genprint.encoder.training.loop import TrainingConfig, train

        if not hasattr(self, "network_"):
            self._load(SHIPPED)
        images = _collect(sets, sources, self.seed)
        held = {name: len(own) // 5 for name, own in images.items()}
        validation = {name: own[: held[name]] for name, own in images.items()}
        training = {name: own[held[name] :] for name, own in images.items()}
        before, start = self._attributed(training, validation), copy.deepcopy(self.network_)
        every = max(10, self.steps // 20)
        whose = [self.seed, self.weights_digest_, {name: digest(own.tobytes()) for name, own in images.items()}]
        self.training_ = train(
            self.network_,
            LabelledEpisodes(training, seed=self.seed),
            [LabelledEpisodes(validation, seed=self.seed + 1)(i) for i in range(8)],
            TrainingConfig(self.steps, self.learning_rate, validate_every=every, patience=5),
            checkpoint,
            progress,
            of=json.dumps(whose),
        )
        self.held_back_ = before, self._attributed(training, validation)
        if self.held_back_[1] < before:
            self.network_ = start
            return self
        features = {
            name: self.features(ImageSet.from_array(own, name), histories=HISTORIES) for name, own in validation.items()
        }
        # Too few sources to learn how sources vary; how images of one vary is adapted.
        self._calibrate(
            self.plda_.adapt([self.summarise(own, name, vector=False) for name, own in features.items()]),
            features,
            f"{len(features)} sources that it was fitted to",
        )
        return self

    def _attributed(self, known: Mapping[str, np.ndarray], asked: Mapping[str, np.ndarray]) -> float:
        """Share of images, each alone, whose source scores best."""
        gallery, probes = ([self._array_features(own) for own in images.values()] for images in (known, asked))
        singles = [own[[i]] for own in probes for i in range(len(own))]
        owners = np.repeat(np.arange(len(probes)), [len(own) for own in probes])
        return float(np.mean(ByFingerprint(self, self.plda_).score(singles, gallery).argmax(1) == owners))

    def _array_features(self, images: np.ndarray) -> Features:
        return self.features(ImageSet.from_array(images, "array"))

    def _calibrate(self, plda: PLDA, population: Mapping[str, Features], name: str) -> None:
        """Takes the scorer, and from the population what ``verify`` goes by."""
        self.plda_ = plda
        self.verification_ = Verification.fit(self, population, name)
        self.weights_digest_ = digest(serialise(self._tensors()))

    def _tensors(self) -> dict[str, Tensor]:
        """All that is learned, as it is saved."""
        tensors: dict[str, Tensor] = {f"network.{k}": v for k, v in self.network_.state_dict().items()}
        for name in _PLDA:
            tensors[f"plda.{name}"] = torch.from_numpy(getattr(self.plda_, name)).float()
        for name, values in self.verification_.arrays().items():
            tensors[f"verification.{name}"] = torch.from_numpy(values).float()
        return tensors

    def save_pretrained(self, directory: str | Path, card: str = "") -> None:
        config = {
            "network": self.network_.config,
            "parameters": {"patches_per_image": self.patches_per_image, "seed": self.seed},
            "verification": self.verification_.to_dict(),
        }
        save_model(Path(directory), KIND, config, self._tensors(), card or _CARD.format(version=genprint.__version__))

    @classmethod
    def from_pretrained(cls, directory: str | Path | None = None) -> Self:
        """Loads a saved encoder; without a directory, the one shipped with the package.

        Raises:
            WeightsError: no encoder there, or a damaged one.
        """
        return cls()._load(Path(directory) if directory else SHIPPED)

    def _load(self, directory: Path) -> Self:
        config, tensors = load_model(directory, KIND)
        try:
            self.set_params(**config["parameters"])
            self.network_ = SetNetwork(**config["network"])
            self.network_.load_state_dict(_below(tensors, "network."))
            mean, within, between = (tensors[f"plda.{name}"].double().numpy() for name in _PLDA)
            self.plda_ = PLDA(mean, within, between)
            arrays = {name: values.double().numpy() for name, values in _below(tensors, "verification.").items()}
            self.verification_ = Verification.of(config["verification"], arrays)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise WeightsError(f"{directory}: not a complete set encoder: {error}") from None
        self.weights_digest_ = config["sha256"]
        return self


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _collect(sets: Sequence[ImageSet], sources: Sequence[str], seed: int) -> dict[str, np.ndarray]:
    """One patch of each image, all of one size, by source and in seeded order (of the training split)."""
    by_source: dict[str, list[np.ndarray]] = {}
    for images, source in zip(sets, sources, strict=True):
        by_source.setdefault(source, []).extend(patches(image, 1, seed)[0] for image in images)
    if len(by_source) < 2:
        raise ImageSetError(f"training needs at least two sources; there is {', '.join(by_source) or 'none'}")
    for source, own in by_source.items():
        if len(own) < 10:
            raise ImageSetError(f"{source}: {len(own)} usable images; training needs at least ten of each source")
    side = min(min(piece.shape[:2]) for own in by_source.values() for piece in own)
    rng = np.random.default_rng(seed)
    return {
        source: np.stack([piece[:side, :side] for piece in own])[rng.permutation(len(own))]
        for source, own in by_source.items()
    }


_CARD = """---
library_name: genprint
license: apache-2.0
---
# A Genprint set encoder

Maps a set of images to the fingerprint of the model that made them. Written by genprint {version}.

Load it with `genprint.SetEncoder.from_pretrained(FOLDER)`. What it was trained on is for whoever trained it to
say here.
"""
