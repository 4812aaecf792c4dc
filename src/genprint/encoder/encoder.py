"""The set encoder as a fingerprinter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from torch import Tensor

from genprint._version import __version__
from genprint.encoder.blocks import block_statistics
from genprint.encoder.network import SetNetwork
from genprint.encoder.tiles import cut_tiles
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.fingerprints.residuals import to_pixels
from genprint.images.decoding import Image
from genprint.images.sets import ImageSet
from genprint.storage.device import device
from genprint.storage.files import digest
from genprint.storage.hub import folder_of
from genprint.storage.weights import WeightsError, load_model, save_model, serialise

KIND = "set_encoder"
SHIPPED = Path(__file__).parent / "shipped"
SHIPPED_PICTURES = Path(__file__).parent / "pictures"
# Places of an image that blocks are looked at in: all of 390 px square. Fewer tell sources apart worse.
PLACES = 150_000
# Tiles that go through the network at once: what is between its layers stays in a processor's cache.
_PASS = 32
# By network: its tensors when it was fused, and what came of it. Not an attribute, which would be copied and pickled.
_FUSED: WeakKeyDictionary[SetNetwork, tuple[tuple[tuple[int, int], ...], SetNetwork]] = WeakKeyDictionary()


class SetEncoder(Fingerprinter):
    """Genprint's own method: a tower for images, moments over the set, a head for the set.

    ``genprint.load`` gives it with its scorer and reference population; by itself it only makes fingerprints.

    Args:
        tiles: native-resolution tiles averaged into the features of an image larger than 32 px; None: all that lie side
            by side on a grid of 32 px, which of large images are many (1,024 of 1024 px).
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

    def __init__(self, tiles: int | None = 8, seed: int = 0):
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
        return self.network.parts

    def _learned_digest(self) -> str:
        network = self.network
        state = network.state_dict()
        now = _written(state)
        if getattr(self, "_digest", (None, ""))[0] != now:
            self._digest = now, digest(serialise(state))
        return self._digest[1]

    def _fused(self) -> SetNetwork:
        """The network as it is now, faster; made again only if the network has changed."""
        network = self.network
        now = _written(network.state_dict())
        if network not in _FUSED or _FUSED[network][0] != now:
            _FUSED[network] = now, network.eval().fused()
        return _FUSED[network][1]

    @torch.inference_mode()
    def _features(self, images: Sequence[Image]) -> np.ndarray:
        network, cut = self._fused(), [cut_tiles(image, self.tiles, self.seed) for image in images]
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for i, (tiles, _) in enumerate(cut):
            by_shape.setdefault(tiles.shape[1:], []).append(i)
        means: Tensor | None = None
        for chosen in by_shape.values():
            tiles = np.concatenate([cut[i][0] for i in chosen])
            shares = torch.from_numpy(np.concatenate([cut[i][1] for i in chosen])).to(self._device)
            owners = torch.tensor([i for i in chosen for _ in cut[i][1]], device=self._device)
            for start in range(0, len(tiles), _PASS):
                part = slice(start, start + _PASS)
                statistics = network.statistics(to_pixels(tiles[part], self._device))
                if means is None:
                    means = statistics.new_zeros(len(images), statistics.shape[1])
                means.index_add_(0, owners[part], statistics * shares[part, None])
        assert means is not None
        features = network.project(means)
        if network.blocks is not None:
            counted = np.stack([block_statistics(image.pixels, PLACES) for image in images])
            features = torch.cat([features, network.blocks(torch.from_numpy(counted).to(self._device))], dim=1)
        return features.cpu().numpy()

    @torch.inference_mode()
    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        moments = (torch.from_numpy(x.astype(np.float32)).unsqueeze(0).to(self._device) for x in (mean, variance))
        return self.network.embed(*moments)[0].cpu().numpy()

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    def to(self, name: str | torch.device) -> Self:
        """Computes on that device from now on; features differ by rounding from one device to another.

        Where it computes when loaded, the environment variable ``GENPRINT_DEVICE`` says.

        Raises:
            DeviceError: this machine has no such device.
        """
        self.network.to(device(str(name)))
        return self

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
        self.network_ = network.to(device())
        return self


def _written(state: Mapping[str, Tensor]) -> tuple[tuple[int, int], ...]:
    """Where tensors are, and how often they were written to, so that training is seen."""
    return tuple((value.data_ptr(), value._version) for value in state.values())


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
