"""What the files of a set say of how they were made, counted: a channel beside the fingerprint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.claims import UNREADABLE, Claims, Statement
from genprint.images.manifest import ABSENT, STATES, VALID, Manifest, TrustList

Said = TypeVar("Said", bound=Hashable)

#: Said wherever claims are shown.
CAUTION = "Anybody can forge or strip what a file says, and no decision rests on it."
_VALUES, _MANIFESTS = 3, 5  # that are said of a field, and of a set; all are in the JSON


@dataclass(frozen=True)
class Counted:
    """A statement, and how many files make it."""

    statement: Statement
    files: int


@dataclass(frozen=True)
class FileClaims:
    """What the file of one image says: the image's name, SHA-256 of the file, its claims."""

    image: str
    sha256: str
    claims: Claims


@dataclass(frozen=True)
class SetClaims:
    """What the files of a set say, counted. It is beside the fingerprint: no decision rests on it.

    Attributes:
        files: looked at; images that came from no file are not among them.
        statements: made by any of them, the most frequent first.
        manifests: number of files by the state of their C2PA manifest.
        images: what each file says, of those that say anything.
        said: all of it, in sentences.
    """

    files: int
    statements: tuple[Counted, ...]
    manifests: Mapping[str, int]
    images: tuple[FileClaims, ...]
    said: tuple[str, ...]

    @classmethod
    def of(cls, probe: Fingerprint, trust: TrustList = TrustList()) -> SetClaims:
        """Of the files of a set.

        Args:
            probe: fingerprint of a set that was read with its claims.
            trust: by which manifests were checked.
        """
        images = zip(probe.names or probe.digests, probe.digests, probe.facts, strict=False)  # facts may not be known
        files = [FileClaims(name, digest, own.claims) for name, digest, own in images if own and own.claims]
        counts = _counted(statement for one in files for statement in one.claims.statements)
        manifests = _counted(one.claims.manifest for one in files)
        states = {state: sum(n for one, n in manifests.items() if one.state == state) for state in STATES}
        said = [*_statements_in_words(counts, len(files)), *_manifests_in_words(manifests, len(files), trust)]
        if all(statement.field == UNREADABLE for statement in counts) and states[ABSENT] == len(files):
            said.insert(0, "no file says who made it" if files else "the images did not come from files")
        return cls(
            len(files),
            tuple(Counted(*one) for one in counts.items()),
            states,
            tuple(one for one in files if one.claims != Claims()),
            tuple(said),
        )


def _counted(said: Iterable[Said]) -> dict[Said, int]:
    """How often each is said, the most frequent first; in an order that does not depend on that of files."""
    return dict(sorted(Counter(said).items(), key=lambda one: (-one[1], str(one[0]))))


def _of(count: int, files: int, one: str, several: str) -> str:
    return f"{count} of {files} files {one if count == 1 else several}"


def _statements_in_words(counts: Mapping[Statement, int], files: int) -> Iterator[str]:
    by_field: dict[tuple[str, str], list[Statement]] = {}
    for statement in counts:
        by_field.setdefault((statement.field, statement.where), []).append(statement)
    for (field, where), statements in by_field.items():
        for statement in statements[:_VALUES]:
            count = counts[statement]
            if field == UNREADABLE:
                yield f"{_of(count, files, 'has', 'have')} {where} that cannot be read: {statement.value}"
            else:
                yield f"{_of(count, files, 'says', 'say')} {statement}"
        if len(statements) > _VALUES:
            yield f"{len(statements) - _VALUES} more values of {field} ({where})"


def _manifests_in_words(manifests: Mapping[Manifest, int], files: int, trust: TrustList) -> Iterator[str]:
    present = [one for one in manifests if one.state != ABSENT]
    for manifest in present[:_MANIFESTS]:
        yield f"{_of(manifests[manifest], files, 'has', 'have')} a C2PA manifest: {manifest}"
    if len(present) > _MANIFESTS:
        yield f"{len(present) - _MANIFESTS} more kinds of C2PA manifests"
    if not trust and any(one.state == VALID for one in present):
        yield "no trust list was given (--trust), so that no signer is trusted"
