"""The API: attribute, verify, enroll, families, sources, health, metrics; and the page."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from fastapi import FastAPI, File, Query, Request, Response, UploadFile
from fastapi import Path as InPath
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry, Counter, generate_latest
from pydantic import BaseModel

import genprint
from genprint.answers.attribution import CLOSELY, GalleryIdentifier, Identifier, verify
from genprint.answers.families import MOST_DRAWN, MOST_LISTED, FamilyTree, grouped
from genprint.answers.results import Attribution, VerificationResult
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.fingerprint import Features
from genprint.gallery.store import Gallery
from genprint.images.processing import Change
from genprint.images.sets import ImageSet, ImageSetError
from genprint.report import figures as plots
from genprint.report import page as case_page
from genprint.report import record as case
from genprint.report.record import Look
from genprint.scoring.base import ByFingerprint
from genprint.scoring.conditions import HISTORIES
from genprint.scoring.population import Verification
from genprint.service.guard import Busy, Desk, Guard
from genprint.service.settings import Limits, Tokens
from genprint.service.uploads import TooMuch, Unreadable, image_set

log = logging.getLogger("genprint.service")
Made = TypeVar("Made")
_STATIC = Path(__file__).parent / "static"

Images = Annotated[list[UploadFile], File(description="Images, or zips of images.")]
Linkage = Literal["average", "complete", "single", "ward"]
Name = Annotated[str, InPath(pattern=r"^[\w][\w .+-]{0,99}$", description="Of the source.")]


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str | list[dict[str, Any]]


_PROBLEMS: dict[int | str, dict[str, Any]] = {
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


class NothingEnrolled(Exception):
    """Too few sources are enrolled for what was asked."""


class Room:
    """The gallery and what answers from it, which is made anew when sources were enrolled."""

    def __init__(self, encoder: SetEncoder, gallery: Path, rate: float):
        self.encoder, self._path, self._rate = encoder, gallery, rate
        self._lock = threading.Lock()
        self._state, self._made = "", dict[str, Any]()
        self.gallery()  # a gallery that cannot be used is found now, not at the first request

    def gallery(self) -> Gallery:
        """Opened in the thread that uses it."""
        return Gallery(self._path, self.encoder)

    def identifier(self, features: Features) -> Identifier:
        """For a probe, of the sources that are enrolled now.

        Raises:
            NothingEnrolled: there is none.
        """
        gallery = self.gallery()
        with self._lock:
            if not len(gallery):
                raise NothingEnrolled("no source is enrolled; enroll some first")
            made = self._kept("identifier", gallery, lambda: GalleryIdentifier(self.encoder, gallery, self._rate))
        return made.near(gallery, features)

    def population(self) -> Verification:
        """What the enrolled sources say of pairs of sets; of many, as many as are compared closely.

        Raises:
            NothingEnrolled: fewer than two, or one of a single image.
        """
        gallery = self.gallery()

        def make() -> Verification:
            features = gallery.features(list(gallery.counts())[:CLOSELY])
            try:
                return Verification.fit(self.encoder, features, f"{len(features)} enrolled sources", self._rate)
            except ValueError as error:
                raise NothingEnrolled(str(error)) from None

        with self._lock:
            return self._kept("population", gallery, make)

    def tree(self, linkage: str) -> FamilyTree:
        """Of the enrolled sources; of many, of groups of them.

        Raises:
            NothingEnrolled: fewer than two.
        """
        gallery = self.gallery()

        def make() -> FamilyTree:
            if len(gallery) > MOST_LISTED:
                return grouped(*gallery.vectors(), MOST_DRAWN, linkage)[0]
            known = gallery.features(histories=False)
            apart = ByFingerprint(self.encoder, self.encoder.plda_).distances(list(known.values()))
            return FamilyTree.build(list(known), apart, linkage)

        with self._lock:
            if len(gallery) < 2:
                raise NothingEnrolled("a tree needs two enrolled sources or more")
            return self._kept(f"tree {linkage}", gallery, make)

    def _kept(self, what: str, gallery: Gallery, make: Callable[[], Made]) -> Made:
        """What was made of the gallery as it is now; made anew when that has changed. Asked with the lock held."""
        state = gallery.state()
        if self._state != state:
            self._state, self._made = state, {}
        if what not in self._made:
            self._made[what] = make()
        made: Made = self._made[what]
        return made


def create_app(
    encoder: SetEncoder, gallery: Path, tokens: Tokens, limits: Limits = Limits(), rate: float = 0.05
) -> FastAPI:
    """The service over one gallery.

    Args:
        encoder: of the gallery's features.
        gallery: file; made if it is not there.
        tokens: who may do what.
        limits: of requests.
        rate: of false attributions wanted.
    """
    room, desk, registry = Room(encoder, gallery, rate), Desk(limits), CollectorRegistry()
    images_seen = Counter("genprint_images", "Images fingerprinted", registry=registry)
    problems = {status: {**about, "model": Problem} for status, about in _PROBLEMS.items()}
    app = FastAPI(title="Genprint", version=genprint.__version__, redoc_url=None, docs_url=None, responses=problems)
    app.add_middleware(Guard, limits=limits, tokens=tokens, registry=registry)

    async def contents(files: list[UploadFile]) -> list[tuple[str, bytes]]:
        return [(Path(file.filename or "upload").name, await file.read()) for file in files]

    def read(images: ImageSet, histories: Mapping[str, Change] = {}) -> Features:
        end = time.monotonic() + limits.seconds

        def in_time(_: int) -> None:
            if time.monotonic() > end:
                raise TooMuch(f"the images take longer than {limits.seconds:g} s; send fewer or smaller ones")

        features = encoder.features(images, in_time, histories=histories)
        images_seen.inc(len(features))
        return features

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether the service is up."""
        return {"status": "ok", "version": genprint.__version__, "encoder": encoder.weights_digest_}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counts, for Prometheus."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    @app.get("/v1/sources")
    async def sources() -> dict[str, int]:
        """Number of enrolled images of each source."""
        return await desk.run(lambda: room.gallery().counts())

    @app.post("/v1/sources/{name}")
    async def enroll(name: Name, images: Images) -> dict[str, int]:
        """Enrolls images of a source; again, to add more. What it answers is on disk."""
        files = await contents(images)

        def work() -> dict[str, int]:
            gallery = room.gallery()
            added = gallery.enroll(name, read(image_set(name, files, limits), HISTORIES))
            return {"added": added, "enrolled": gallery.counts()[name]}

        return await desk.run(work)

    @app.post("/v1/attribute")
    async def attribute(
        images: Images,
        pictures: Annotated[bool, Query(description="With average residual, spectrum, and place in the tree.")] = False,
        report: Annotated[bool, Query(description="With the report: a page, and its JSON for report verify.")] = False,
    ) -> dict[str, Any]:
        """Which enrolled source made the images, if any, with the evidence."""
        files = await contents(images)

        def work() -> dict[str, Any]:
            uploaded = image_set("probe", files, limits)
            features = read(uploaded)
            identifier = room.identifier(features)
            result: Attribution = identifier.identify("probe", features)
            answer = result.to_dict()
            if not (pictures or report):
                return answer
            look, enrolled = Look.at(uploaded), identifier.features
            tree = case_page.tree_with_probe(encoder, enrolled, "probe", features, result.history)
            if pictures:
                stack = look.stack()
                figures = {
                    "trace": None if stack is None else plots.trace_figure({"probe": stack}),
                    "tree": None if tree is None else plots.tree_figure(tree),
                }
                answer["pictures"] = {name: plots.data_uri(own) for name, own in figures.items() if own}
            if report:
                inputs = {"probe": None, "known": None, "gallery": None, "model": None, "rate": rate, "histories": True}
                made = case.record(result, features, enrolled, encoder.weights_digest_, inputs, look, None)
                # As text: JavaScript would write 1.0 as 1, and the seal would break.
                answer["report"] = {"page": case_page.page(made, {"probe": look}, tree), "case": case.to_json(made)}
            return answer

        return await desk.run(work)

    @app.post("/v1/verify")
    async def compare(
        left: Images,
        right: Images,
        enrolled: Annotated[
            bool, Query(description="Judged by the enrolled sources, not by shipped generators.")
        ] = False,
    ) -> dict[str, Any]:
        """Whether two sets of images have one source."""
        files = await contents(left), await contents(right)

        def work() -> VerificationResult:
            a, b = (image_set(name, own, limits) for name, own in zip(("left", "right"), files, strict=True))
            population = room.population() if enrolled else None
            return verify(encoder, "left", read(a), "right", read(b), population)

        return asdict(await desk.run(work))

    @app.get("/v1/families")
    async def families(linkage: Linkage = "average") -> dict[str, Any]:
        """The family tree of the enrolled sources; of more than a thousand, of groups of them."""
        return (await desk.run(lambda: room.tree(linkage))).to_dict()

    @app.get("/v1/families.svg", response_class=Response, responses={200: {"content": {"image/svg+xml": {}}}})
    async def families_picture(linkage: Linkage = "average") -> Response:
        """The same as a picture."""

        def work() -> bytes:
            return plots.to_bytes(plots.tree_figure(room.tree(linkage)), "svg")

        return Response(await desk.run(work), media_type="image/svg+xml")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    _handle_errors(app)
    return app


def _handle_errors(app: FastAPI) -> None:
    """What a client can mend is told it; of anything else it learns nothing."""
    statuses = {TooMuch: 413, Unreadable: 422, ImageSetError: 422, NothingEnrolled: 409}

    def told(status: int) -> Any:
        async def handler(request: Request, error: Exception) -> JSONResponse:
            return JSONResponse({"detail": str(error)}, status)

        return handler

    for kind, status in statuses.items():
        app.add_exception_handler(kind, told(status))

    @app.exception_handler(Busy)
    async def busy(request: Request, error: Busy) -> JSONResponse:
        return JSONResponse({"detail": "busy; come again"}, 429, {"Retry-After": "2"})

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s", request.method, request.url.path, exc_info=error)
        return JSONResponse({"detail": "internal error"}, 500)
