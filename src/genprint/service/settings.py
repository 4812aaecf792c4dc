"""Limits of the service, and who may do what."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

READ, ENROLL = "read", "enroll"


@dataclass(frozen=True)
class Limits:
    """What one request, and all at once, may ask for.

    Attributes:
        body: bytes of a request.
        images: in a request.
        unpacked: bytes of all files of a request, archives unpacked.
        pixels: of one image.
        all_pixels: of all images of a request.
        upload_seconds: until a request has to be there whole.
        seconds: of looking at a request's images.
        workers: requests computed at once.
        queue: requests that wait for a worker; more are told to come again.
    """

    body: int = 64 << 20
    images: int = 1000
    unpacked: int = 256 << 20
    pixels: int = 2**24
    all_pixels: int = 2**27
    upload_seconds: float = 60
    seconds: float = 120
    workers: int = 1
    queue: int = 16


class Tokens:
    """Who may do what: tokens with the scope 'read', or 'enroll', which includes it.

    Args:
        path: of a file with a line 'SCOPE TOKEN' each; None lets everybody do everything.

    Raises:
        ValueError: a line is something else, or a token is shorter than 16 characters, or there is none.
    """

    def __init__(self, path: Path | None):
        self._tokens: list[tuple[str, bytes]] | None = None
        if path is None:
            return
        self._tokens = []
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            scope, _, token = line.strip().partition(" ")
            if scope not in (READ, ENROLL) or len(token.strip()) < 16:
                raise ValueError(
                    f"{path}, line {number}: each line is '{READ} TOKEN' or '{ENROLL} TOKEN', of 16 characters or more"
                )
            self._tokens.append((scope, token.strip().encode()))
        if not self._tokens:
            raise ValueError(f"{path}: holds no token")

    @property
    def required(self) -> bool:
        """Whether a token is needed at all."""
        return self._tokens is not None

    def scopes(self, token: str) -> set[str]:
        """What a token is good for; every known token is compared, in constant time."""
        if self._tokens is None:
            return {READ, ENROLL}
        found = [scope for scope, known in self._tokens if hmac.compare_digest(known, token.encode())]
        return {READ, *found} if found else set()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
