"""Weights on disk: safetensors with a SHA-256 that is checked, and checkpoints of a training under way.

No pickle: a file from a stranger can be wrong, but it cannot run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genprint._version import __version__
from genprint.errors import GenprintError
from genprint.storage.files import canonical_digest, digest, write_atomically

SCHEMA = 1
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
_SEAL = "config_sha256"


class WeightsError(GenprintError, RuntimeError):
    """Saved weights are missing, damaged, or of a kind this version cannot read."""


def _sealed(config: Mapping[str, Any]) -> str:
    """SHA-256 of what a config says: a threshold may be damaged as well as a weight."""
    read = json.loads(json.dumps(config))  # keys are strings once read, and sort as such
    return canonical_digest(read)


def serialise(tensors: Mapping[str, Tensor]) -> bytes:
    """The bytes of a safetensors file; their digest names the weights."""
    from safetensors.torch import save

    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def save_model(directory: Path, kind: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor], card: str) -> None:
    """Writes ``config.json``, ``model.safetensors`` and ``README.md`` (the model card) into a directory."""
    data = serialise(tensors)
    about = {"schema": SCHEMA, "genprint": __version__, "kind": kind, "sha256": digest(data), **config}
    write_atomically(directory / WEIGHTS, data)
    write_atomically(directory / "README.md", card.encode())
    save_config(directory, about)


def save_config(directory: Path, config: Mapping[str, Any]) -> None:
    """Writes ``config.json`` with a digest of what it says, in place of any that it came with."""
    said = {key: value for key, value in config.items() if key != _SEAL}
    write_atomically(directory / CONFIG, (json.dumps({**said, _SEAL: _sealed(said)}, indent=2) + "\n").encode())


def load_model(directory: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Reads what ``save_model`` wrote, and refuses what is not that.

    Raises:
        WeightsError: a file is missing, a digest does not match, the schema is newer, or the kind differs.
    """
    from safetensors.torch import load

    try:
        config = json.loads((directory / CONFIG).read_text())
        data = (directory / WEIGHTS).read_bytes()
    except FileNotFoundError as error:
        raise WeightsError(f"{error.filename}: no such file; {directory} is not a saved {kind}") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{directory}: cannot be read as a saved {kind}: {error}") from None
    if config.get("schema", 0) > SCHEMA:
        raise WeightsError(f"{directory / CONFIG}: written by a newer genprint ({config.get('genprint')}); upgrade")
    if config.get("kind") != kind:
        raise WeightsError(f"{directory / CONFIG}: holds a {config.get('kind')!r}, not a {kind!r}")
    stated = config.pop(_SEAL, None)  # none in files of before there was one
    if stated is not None and stated != _sealed(config):
        raise WeightsError(f"{directory / CONFIG}: damaged: it is not what was saved; get the file again")
    if digest(data) != config.get("sha256"):
        raise WeightsError(
            f"{directory / WEIGHTS}: damaged: its SHA-256 is {digest(data)[:12]}..., "
            f"{CONFIG} says {str(config.get('sha256'))[:12]}...; get the file again"
        )
    return config, load(data)


def save_checkpoint(
    path: Path, step: int, models: Mapping[str, nn.Module], optimizers: Mapping[str, torch.optim.Optimizer], notes: Any
) -> None:
    """Writes all that a training needs to go on after ``step`` steps; ``notes`` is anything JSON can hold."""
    from safetensors.torch import save

    tensors = {f"{name}/{key}": value for name, model in models.items() for key, value in model.state_dict().items()}
    for name, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{key}": torch.as_tensor(value) for key, value in state.items()}
    metadata = {"step": str(step), "notes": json.dumps(notes)}
    write_atomically(path, save({key: value.contiguous() for key, value in tensors.items()}, metadata))


def load_checkpoint(
    path: Path, models: Mapping[str, nn.Module], optimizers: Mapping[str, torch.optim.Optimizer]
) -> tuple[int, Any]:
    """Restores models and optimizers in place; returns the step and the notes. No file: step 0, notes None.

    Raises:
        WeightsError: the file is damaged or belongs to another model.
    """
    from safetensors import safe_open

    if not path.exists():
        return 0, None
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        for name, model in models.items():
            prefix = f"{name}/"
            model.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        for name, optimizer in optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"{name}/"):
                    _, index, field = key.split("/")
                    state.setdefault(int(index), {})[field] = value
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    except Exception as error:
        raise WeightsError(f"{path}: not a checkpoint of this training ({error}); remove it to start anew") from error
    return int(metadata["step"]), json.loads(metadata["notes"])
