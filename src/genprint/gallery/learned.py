"""What was learned of a gallery, kept from one process to the next."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np

from genprint._version import __version__
from genprint.fingerprints.cache import Cache, CacheError
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.storage.files import canonical_digest


@dataclass(frozen=True)
class Learned:
    """What was learned of sources in one condition: cohort scores, thresholds.

    It is found again by the digest of all that it follows from: the model, this version, the condition, and each image.

    Args:
        cache: where it is kept.
        about: that digest.
    """

    cache: Cache
    about: str

    @classmethod
    def of(cls, cache: Cache, model: str, sources: Sequence[Fingerprint], condition: str) -> Learned:
        """What was learned of these sources by the model of that identity."""
        content = [(source.source, source.digests) for source in sources]
        return cls(cache, canonical_digest([__version__, model, condition, content]))

    def keep(self, what: str, make: Callable[[], list[np.ndarray]]) -> list[np.ndarray]:
        """The arrays of that name, made and kept if they are not there."""
        maker = f"learned: {what}"
        (found,) = self.cache.get(maker, [self.about])
        if found is not None:
            with suppress(ValueError, OSError, BadZipFile), np.load(io.BytesIO(found), allow_pickle=False) as file:
                return [file[name] for name in file.files]
        made = make()
        buffer = io.BytesIO()
        np.savez(buffer, *made)
        with suppress(CacheError):  # the disk is full: the next answer is only slower
            self.cache.put(maker, [self.about], [buffer.getvalue()])
        return made
