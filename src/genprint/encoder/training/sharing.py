"""One training step shared by several processes, with the gradient that one process alone would have.

Every process sees a part of an episode's images; features are gathered, and the head and the loss, which need all sets,
are computed by each. Processes are those of ``torch.distributed``; where it is not initialised there is one, and
nothing to share.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from genprint.encoder.network import SetNetwork


@contextmanager
def joined() -> Iterator[bool]:
    """Joins the processes that torchrun has started, if it did; gives whether this one writes and tells of progress."""
    if not dist.is_torchelastic_launched():
        yield True
        return
    dist.init_process_group("gloo")  # encoders are trained on processors
    try:
        yield is_first()
    finally:
        dist.destroy_process_group()


def processes() -> int:
    """How many share a step."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes files and tells of progress."""
    return not dist.is_initialized() or dist.get_rank() == 0


class _Sum(torch.autograd.Function):
    """Sum over processes; so is its gradient, for each has a part of the loss's."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:  # noqa: ARG004
        whole = part.clone()
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradient)


class SharedNorm(nn.BatchNorm2d):
    """Batch normalisation over the images of all processes. (PyTorch's works on GPUs alone.)"""

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> SharedNorm:
        """One with the same parameters and running statistics, not copies of them."""
        shared = cls(norm.num_features, norm.eps, norm.momentum)
        shared._parameters, shared._buffers, shared.training = norm._parameters, norm._buffers, norm.training
        return shared

    def forward(self, maps: Tensor) -> Tensor:
        if not self.training:
            return super().forward(maps)
        wide = maps.float()
        count = maps.new_tensor([wide[:, 0].numel()], dtype=torch.float32)
        sums = _Sum.apply(torch.cat([wide.sum((0, 2, 3)), wide.square().sum((0, 2, 3)), count]))
        size = self.num_features
        mean, square, total = sums[:size] / sums[-1], sums[size : 2 * size] / sums[-1], sums[-1].detach()
        variance = square - mean.square()
        with torch.no_grad():
            for running, seen in ((self.running_mean, mean), (self.running_var, variance * total / (total - 1))):
                running.lerp_(seen, self.momentum)  # type: ignore[union-attr,arg-type]
            self.num_batches_tracked += 1  # type: ignore[operator,assignment]
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        normal: Tensor = wide * scale[:, None, None] + shift[:, None, None]
        return normal.to(maps.dtype)


def share_norms(network: SetNetwork) -> None:
    """Makes the network's batch normalisation that of all processes; parameters stay the same tensors."""
    for tower in network.towers:
        for layer in tower.layers:
            layer[1] = SharedNorm.of(layer[1])  # type: ignore[index,operator]


def shared_features(network: SetNetwork, pixels: Tensor) -> Float[Tensor, "n d"]:
    """Features of all images, of which each process has computed a part; only through that part do gradients flow."""
    if processes() == 1:
        return network.features(pixels)
    rank, parts = dist.get_rank(), torch.arange(len(pixels)).tensor_split(processes())
    computed = network.features(pixels[parts[rank]]).float()
    # Gathering needs parts of one size; a sum of parts that are zero elsewhere works for any.
    whole = computed.new_zeros(len(pixels), computed.shape[1])
    whole[parts[rank]] = computed.detach()
    dist.all_reduce(whole)
    whole[parts[rank]] = 0
    return whole.index_add(0, parts[rank].to(computed.device), computed)


def add_gradients(network: SetNetwork) -> None:
    """Sums the towers' gradients, each of its own images, over processes; the head's are the same in all."""
    if processes() > 1:
        for parameter in (weight for tower in network.towers for weight in tower.parameters()):
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
