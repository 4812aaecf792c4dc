"""Folders of a model hub, through the hub library's cache (extra ``generators``).

Only safe formats are fetched (JSON, safetensors, tokeniser text): no pickle, no code of the repository.
"""

from __future__ import annotations

from pathlib import Path

from genprint.storage.weights import WeightsError

PREFIX = "hf:"
_SAFE = ["*.json", "*.safetensors", "*.txt", "*.model"]


def fetch(reference: str, revision: str | None = None, offline: bool = False) -> Path:
    """Folder of ``hf:ORG/MODEL`` in the hub library's cache, downloaded where it is not there.

    Args:
        reference: ``hf:ORG/MODEL``.
        revision: a commit, tag or branch; pin a commit to get the same weights again.
        offline: never ask the network.

    Raises:
        WeightsError: no such repository or revision, or it is not in the cache and the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name = reference.removeprefix(PREFIX)
    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=offline, allow_patterns=_SAFE))
    except HFValidationError as error:
        raise WeightsError(f"{reference}: not a name on the hub ({error}); it should read hf:ORG/MODEL") from None
    except LocalEntryNotFoundError:
        why = "the network was not asked (--offline)" if offline else "the hub cannot be reached"
        raise WeightsError(
            f"{reference}: not in the cache, and {why}; fetch it once with a network, or name a folder that has it"
        ) from None
    except (HfHubHTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{reference}: the hub does not give it: {reason}") from None


def folder_of(place: str | Path, revision: str | None = None, offline: bool = False) -> Path:
    """A folder as it is, or that of ``hf:ORG/MODEL`` or ``hf:ORG/MODEL@REVISION`` in the hub library's cache.

    Raises:
        WeightsError: the hub does not give it.
    """
    if not str(place).startswith(PREFIX):
        return Path(place)
    name, _, at = str(place).partition("@")
    return fetch(name, revision or at or None, offline)
