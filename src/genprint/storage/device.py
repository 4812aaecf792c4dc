"""Where networks compute: on the processor, or on the device that ``GENPRINT_DEVICE`` names."""

from __future__ import annotations

import os

import torch

from genprint.errors import GenprintError

VARIABLE = "GENPRINT_DEVICE"


class DeviceError(GenprintError, ValueError):
    """This machine has no such device."""


def device(name: str | None = None) -> torch.device:
    """The device of that name; by default the one that ``GENPRINT_DEVICE`` names, else the processor.

    Raises:
        DeviceError: this machine has none of that name.

    Example:
        >>> device("cpu")
        device(type='cpu')
    """
    name = name or os.environ.get(VARIABLE) or "cpu"
    kind = name.partition(":")[0]
    try:
        found = torch.device(name)
        torch.empty(1, device=found).cpu()
    except (RuntimeError, AssertionError, NotImplementedError):
        raise DeviceError(
            f"device {name}: this machine has no {kind.upper()} device; leave it (--device, {VARIABLE}) out"
        ) from None
    return found
