"""The set encoder as a fingerprinter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from torch import Tensor

from genprint._version import __version__
from genprint.encoder.network import SetNetwork
from genprint.encoder.tiles import cut_tiles
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.fingerprints.residuals import to_pixels
from genprint.images.decoding import Image
from genprint.images.sets import ImageSet
from genprint.storage.files import digest
from genprint.storage.hub import folder_of
from genprint.storage.weights import WeightsError, load_model, save_model, serialise

KIND = "set_encoder"
SHIPPED = Path(__file__).parent / "shipped"


class SetEncoder(Fingerprinter):
    """Genprint's own method: a tower for images, moments over the set, a head for the set.

    ``genprint.load`` gives it with its scorer and reference population; by itself it only makes fingerprints.

    Args:
        tiles: native-resolution tiles averaged into the features of an image larger than 32 px.
        seed: of the tiles' positions and of ``fit``.

    Attributes:
        network_: the trained ``SetNetwork``.

    Example:
        >>> encoder = SetEncoder.from_pretrained()
        >>> noise = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
        >>> encoder.transform([ImageSet.from_array(noise, "noise")]).shape
        (1, 96)
    """

    method = "set_encoder"

    network_: SetNetwork

    def __init__(self, tiles: int = 8, seed: int = 0):
        self.tiles = tiles
        self.seed = seed

    @property
    def network(self) -> SetNetwork:
        """The trained network.

        Raises:
            NotFittedError: there is none yet.
        """
        if not hasattr(self, "network_"):
            raise NotFittedError("this SetEncoder has no weights yet: use SetEncoder.from_pretrained(), or fit it")
        return self.network_

    @property
    def parts(self) -> int:
        return len(self.network.towers)

    def _learned_digest(self) -> str:
        network = self.network
        # Tensors count how often they were written to, so that training is seen.
        state = network.state_dict()
        now = (id(network), sum(value._version for value in state.values()))
        if getattr(self, "_digest", (None, ""))[0] != now:
            self._digest = now, digest(serialise(state))
        return self._digest[1]

    @torch.inference_mode()
    def _features(self, images: Sequence[Image]) -> np.ndarray:
        network = self.network.eval().fused()
        by_image = [cut_tiles(image, self.tiles, self.seed) for image in images]
        owner = np.repeat(np.arange(len(images)), [len(tiles) for tiles in by_image])
        flat = [tile for tiles in by_image for tile in tiles]
        features: np.ndarray | None = None
        by_size: dict[tuple[int, ...], list[int]] = {}
        for i, tile in enumerate(flat):
            by_size.setdefault(tile.shape, []).append(i)
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
        return self.network.embed(*moments)[0].cpu().numpy()

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    def fit(self, sets: Sequence[ImageSet], sources: Sequence[str], steps: int = 600) -> Self:
        """Fine-tunes the network (the shipped one if none is loaded) on sets of known sources.

        ``Model.fit`` also renews scorer and population, and keeps the network only where held-back images say that it
        is better.

        Raises:
            ImageSetError: fewer than two sources, or one with fewer than ten images.
        """
        from genprint.encoder.training.finetuning import collect, tune

        if not hasattr(self, "network_"):
            self._load(SHIPPED)
        training, validation = collect(sets, sources, self.seed)
        tune(self.network, self.extractor_id, training, validation, steps, self.seed)
        return self

    def tensors(self) -> dict[str, Tensor]:
        """All that is learned, as it is saved."""
        return {f"network.{name}": value for name, value in self.network.state_dict().items()}

    def config(self) -> dict[str, Any]:
        """What it takes to build it again, beside its tensors."""
        return {"network": self.network.config, "parameters": self.get_params()}

    def save_pretrained(self, directory: str | Path, card: str = "") -> None:
        save_model(Path(directory), KIND, self.config(), self.tensors(), card or CARD)

    @classmethod
    def from_pretrained(
        cls, directory: str | Path | None = None, revision: str | None = None, offline: bool = False
    ) -> Self:
        """Loads a saved encoder; without a directory, the one shipped with the package.

        Args:
            directory: a folder, or ``hf:ORG/MODEL`` on a model hub.
            revision: of the latter: a commit, tag or branch.
            offline: never ask the network.

        Raises:
            WeightsError: no encoder there, or a damaged one.
        """
        return cls()._load(folder_of(directory, revision, offline) if directory else SHIPPED)

    def _load(self, directory: Path) -> Self:
        return self.restore(directory, *load_model(directory, KIND))

    def restore(self, directory: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        """From what ``load_model`` read from a directory.

        Raises:
            WeightsError: something is missing.
        """
        try:
            parameters = dict(config["parameters"])
            if "patches_per_image" in parameters:  # before 0.2
                parameters["tiles"] = parameters.pop("patches_per_image")
            self.set_params(**parameters)
            network = SetNetwork(**config["network"])
            network.load_state_dict(tensors_below(tensors, "network."))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise WeightsError(f"{directory}: not a complete set encoder: {error}") from None
        self.network_ = network
        return self


def tensors_below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names begin with the prefix, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


CARD = f"""---
library_name: genprint
license: apache-2.0
---
# A Genprint set encoder

Maps a set of images to the fingerprint of the model that made them. Written by genprint {__version__}.

Load it with `genprint.load(FOLDER)`. What it was trained on is for whoever trained it to say here.
"""
