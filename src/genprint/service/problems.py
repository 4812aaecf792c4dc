"""How the API tells problems: the statuses it answers with, and which error gives which."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from genprint.gallery.store import NotEnough
from genprint.images.sets import ImageSetError
from genprint.service.guard import Busy
from genprint.service.uploads import TooMuch, Unreadable

log = logging.getLogger("genprint.service")


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str | list[dict[str, Any]]


#: Every operation's, by status.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The upload was broken off, or is no form."},
    401: {"description": "A token is needed."},
    403: {"description": "The token is not good for it, or another page asks."},
    408: {"description": "The upload took too long."},
    409: {"description": "Too few sources are enrolled."},
    413: {"description": "Over a limit, and which."},
    422: {"description": "It cannot be read, or does not fit this description."},
    429: {"description": "Busy; come again after the seconds in Retry-After."},
    500: {"description": "An error of the service."},
}
#: For operations that answer with text or a picture: FastAPI would describe their problems as such, too.
PROBLEMS_AS_JSON: dict[int | str, dict[str, Any]] = {
    status: {**about, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for status, about in PROBLEMS.items()
}


def handle_errors(app: FastAPI) -> None:
    """Errors that a client can mend are returned with their message; all others as a plain 'internal error'."""
    statuses = {TooMuch: 413, Unreadable: 422, ImageSetError: 422, NotEnough: 409}

    def told(status: int) -> Any:
        async def handler(_: Request, error: Exception) -> JSONResponse:
            return JSONResponse({"detail": str(error)}, status)

        return handler

    for kind, status in statuses.items():
        app.add_exception_handler(kind, told(status))

    @app.exception_handler(Busy)
    async def busy(_: Request, __: Busy) -> JSONResponse:
        return JSONResponse({"detail": "busy; come again"}, 429, {"Retry-After": "2"})

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s", request.method, request.url.path, exc_info=error)
        return JSONResponse({"detail": "internal error"}, 500)
