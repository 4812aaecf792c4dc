"""Attribution network of Yu, Davis & Fritz, "Attributing Fake Images to GANs" (ICCV 2019)."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from genprint.baselines.classifier import Attributor


class YuNetwork(Attributor):
    """Two 3x3 convolutions a resolution, leaky ReLU, average pooling between, as the discriminator of theirs.

    Theirs goes from 128 px to 4 px; this one halves three times, whatever the size. Weights start as He et al.,
    "Delving Deep into Rectifiers" (2015), have them.
    """

    def __init__(self, sources: int, channels: tuple[int, ...] = (16, 32, 64, 96)):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, channels[0], 1), nn.LeakyReLU(0.2)]
        for before, after in pairwise(channels):
            layers += [
                *(nn.Conv2d(before, before, 3, 1, 1), nn.LeakyReLU(0.2)),
                *(nn.Conv2d(before, after, 3, 1, 1), nn.LeakyReLU(0.2)),
                nn.AvgPool2d(2),
            ]
        self.body = nn.Sequential(*layers)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):  # theirs is scaled so at every step; smaller weights hardly learn
                nn.init.kaiming_normal_(layer.weight, 0.2)
        self.head = nn.Linear(channels[-1], sources)
