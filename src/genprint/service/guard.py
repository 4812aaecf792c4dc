"""What stands before every request: its size, its pace, the queue, its token, headers of answers, counts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Counter, Histogram

from genprint.service.settings import ENROLL, READ, Limits, Tokens, is_loopback

Done = TypeVar("Done")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_HEADERS = [
    # Styles in place are those of the tree's SVG; scripts in place stay forbidden.
    (
        b"content-security-policy",
        b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


class _Refused(Exception):
    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


class RequestGuard:
    """ASGI middleware: a body that is too large or too slow is refused while it comes in, not afterwards.

    Attributes:
        registry: of the metrics.
    """

    def __init__(self, app: App, limits: Limits, tokens: Tokens, registry: CollectorRegistry):
        self._app, self._limits, self._tokens = app, limits, tokens
        self._uploading = 0
        self._requests = Counter("genprint_requests", "Requests", ["path", "status"], registry=registry)
        self._seconds = Histogram("genprint_request_seconds", "Seconds of a request", ["path"], registry=registry)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, started = time.monotonic(), 500, False

        async def answer(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        try:
            self._admit(scope)
            body = await self._body(scope, receive) if scope["path"].startswith("/v1/") else b""
            await self._app(scope, _replay(body, receive), answer)
        except _Refused as refused:
            if not started:
                await _refuse(answer, refused)
        finally:
            route = getattr(scope.get("route"), "path", "other")  # never a path of the client's making
            self._requests.labels(route, status).inc()
            self._seconds.labels(route).observe(time.monotonic() - start)

    def _admit(self, scope: MutableMapping[str, Any]) -> None:
        """Asks for a token before anything of the body is read."""
        path = scope["path"]
        if not self._tokens.required:
            self._own_page(scope)
        if not self._tokens.required or not path.startswith(("/v1/", "/metrics")):
            return
        wanted = ENROLL if scope["method"] != "GET" and path.startswith("/v1/sources") else READ
        scheme, _, token = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1").partition(" ")
        scopes = self._tokens.scopes(token.strip()) if scheme.lower() == "bearer" else set()
        if not scopes:
            raise _Refused(401, "a valid token is needed: Authorization: Bearer TOKEN")
        if wanted not in scopes:
            raise _Refused(403, f"this token is not good for it; one with scope '{wanted}' is")

    def _own_page(self, scope: MutableMapping[str, Any]) -> None:
        """Without tokens, any page in this machine's browser could ask; only the service's own page may."""
        sent = dict(scope["headers"])
        host = sent.get(b"host", b"").decode("latin-1")
        origin = sent.get(b"origin", b"").decode("latin-1")
        name = urlsplit(f"//{host}").hostname or ""
        if not is_loopback(name) or (origin and urlsplit(origin).netloc != host):
            raise _Refused(403, "without tokens, only this machine's own page is answered")

    async def _body(self, scope: MutableMapping[str, Any], receive: Receive) -> bytes:
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._limits.body:
            raise _Refused(413, f"more than {self._limits.body >> 20} MiB")
        if self._uploading >= self._limits.workers + self._limits.queue:
            raise _Refused(429, "too many uploads at once; come again")
        self._uploading += 1
        try:
            return await self._received(receive)
        finally:
            self._uploading -= 1

    async def _received(self, receive: Receive) -> bytes:
        parts, total = [], 0
        try:
            async with asyncio.timeout(self._limits.upload_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Refused(400, "the upload was broken off")
                    parts.append(message.get("body", b""))
                    total += len(parts[-1])
                    if total > self._limits.body:
                        raise _Refused(413, f"more than {self._limits.body >> 20} MiB")
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise _Refused(408, f"the upload took longer than {self._limits.upload_seconds:.0f} s") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _refuse(send: Send, refused: _Refused) -> None:
    body = json.dumps({"detail": refused.reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Busy(Exception):
    """All workers are busy and the queue is full."""


class WorkQueue:
    """Runs work in threads, a few at once, with a bounded queue before them."""

    def __init__(self, limits: Limits):
        self._workers = asyncio.Semaphore(limits.workers)
        self._room = limits.workers + limits.queue
        self._inside = 0

    async def run(self, work: Callable[[], Done]) -> Done:
        """The result of the work, when its turn has come.

        Raises:
            Busy: the queue is full.
        """
        if self._inside >= self._room:
            raise Busy
        self._inside += 1
        try:
            async with self._workers:
                return await asyncio.to_thread(work)
        finally:
            self._inside -= 1
