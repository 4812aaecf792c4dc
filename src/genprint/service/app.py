"""The API: attribute, verify, sort, enroll, families, sources, health, metrics; and the page."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, File, Query, Response, UploadFile
from fastapi import Path as InPath
from fastapi.responses import FileResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry, Counter, generate_latest

from genprint import api
from genprint._version import __version__
from genprint.answers.families import MOST_DRAWN, MOST_LISTED, FamilyTree
from genprint.answers.results import Attribution, plain_values
from genprint.model import Model
from genprint.report import figures
from genprint.report.page import explained, page_of, tree_with_probe
from genprint.report.record import FileSummary, to_json
from genprint.report.templates import FILTER, LOOK
from genprint.service.guard import RequestGuard, WorkQueue
from genprint.service.problems import PROBLEMS, PROBLEMS_AS_JSON, Problem, handle_errors
from genprint.service.settings import Limits, Tokens
from genprint.service.sorting import sort_upload
from genprint.service.uploads import TooMuch, image_set
from genprint.words import all_printable

_STATIC = Path(__file__).parent / "static"

Images = Annotated[list[UploadFile], File(description="Images, or zips of images.")]
Linkage = Literal["average", "complete", "single", "ward"]
Name = Annotated[str, InPath(pattern=r"^[\w][\w .+-]{0,99}$", description="Of the source.")]

# The guard asks for tokens, before a body is read; this describes them to whoever generates a client.
_TOKEN = HTTPBearer(scheme_name="token", description="A line of the token file, less its scope.", auto_error=False)
_WANTS_TOKEN: dict[str, Any] = {"dependencies": [Depends(_TOKEN)]}


def create_app(
    model: Model,
    gallery: Path,
    tokens: Tokens,
    limits: Limits = Limits(),
    rate: float = 0.05,
    originals: bool = False,
) -> FastAPI:
    """The service over one gallery.

    Args:
        model: that fingerprints and compares.
        gallery: file; made if it is not there.
        tokens: who may do what.
        limits: of requests.
        rate: of false attributions wanted.
        originals: whether images that are enrolled through the service are kept; see ``Gallery.enroll``.
    """
    registry = CollectorRegistry()
    seen = Counter("genprint_images", "Images fingerprinted", registry=registry)
    service = _Service(model, gallery, limits, rate, originals, registry, seen, WorkQueue(limits))
    service.opened()  # a gallery that cannot be used is found now, not at the first request
    problems = {status: {**about, "model": Problem} for status, about in PROBLEMS.items()}
    app = FastAPI(title="Genprint", version=__version__, redoc_url=None, docs_url=None, responses=problems)
    app.add_middleware(RequestGuard, limits=limits, tokens=tokens, registry=registry)
    _serve_operation(app, service)
    _serve_sources(app, service)
    _serve_questions(app, service)
    _serve_sorting(app, service)
    _serve_families(app, service)

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html")

    @app.get("/static/look.css", include_in_schema=False)
    async def look() -> FileResponse:
        return FileResponse(LOOK)

    @app.get("/static/filter.js", include_in_schema=False)
    async def searching() -> FileResponse:
        return FileResponse(FILTER)

    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    handle_errors(app)
    return app


@dataclass(frozen=True)
class _Service:
    """What all requests share."""

    model: Model
    gallery: Path
    limits: Limits
    rate: float
    originals: bool
    registry: CollectorRegistry
    seen: Counter
    queue: WorkQueue
    derived: api.Derived = field(default_factory=api.Derived)

    def opened(self) -> api.Gallery:
        """The gallery, opened in the thread that uses it; what was worked out from it is shared."""
        return api.Gallery(self.gallery, self.model, self.derived)

    def in_time(self) -> Callable[[int], None]:
        """Progress that stops a request whose images take too long."""
        end = time.monotonic() + self.limits.seconds

        def check(images: int) -> None:
            self.seen.inc(images)
            if time.monotonic() > end:
                raise TooMuch(f"the images take longer than {self.limits.seconds:g} s; send fewer or smaller ones")

        return check

    def tree(self, linkage: str) -> FamilyTree:
        """Of the enrolled sources; of many, of groups of them."""
        store = self.opened()
        return store.families(linkage, groups=MOST_DRAWN if len(store) > MOST_LISTED else None)


async def _contents(files: list[UploadFile]) -> list[tuple[str, bytes]]:
    return [(Path(file.filename or "upload").name, await file.read()) for file in files]


def _serve_operation(app: FastAPI, service: _Service) -> None:
    """Health and metrics."""

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether the service is up."""
        return {"status": "ok", "version": __version__, "model": service.model.identity}

    @app.get("/metrics", response_class=PlainTextResponse, responses=PROBLEMS_AS_JSON, **_WANTS_TOKEN)
    async def metrics() -> Response:
        """Counts, for Prometheus."""
        return Response(generate_latest(service.registry), media_type="text/plain; version=0.0.4")


def _serve_sources(app: FastAPI, service: _Service) -> None:
    """What is enrolled, and enrolling."""

    @app.get("/v1/sources", **_WANTS_TOKEN)
    async def sources() -> dict[str, int]:
        """Number of enrolled images of each source."""
        return await service.queue.run(lambda: service.opened().counts())

    @app.post("/v1/sources/{name}", **_WANTS_TOKEN)
    async def enroll(name: Name, images: Images) -> dict[str, Any]:
        """Enrolls images of a source; again, to add more. What it answers is on disk; with what is not well with it."""
        files = await _contents(images)

        def work() -> dict[str, Any]:
            store = service.opened()
            (added,) = store.enroll(
                image_set(name, files, service.limits), name, service.originals, progress=service.in_time()
            )
            concerns = plain_values(all_printable(store.concerns))
            return {"added": added.images, "enrolled": store.counts()[name], "concerns": concerns}

        return await service.queue.run(work)


def _serve_questions(app: FastAPI, service: _Service) -> None:
    """Questions about image sets: attribute, verify."""

    @app.post("/v1/attribute", **_WANTS_TOKEN)
    async def attribute(
        images: Images,
        pictures: Annotated[bool, Query(description="With average residual, spectrum, and place in the tree.")] = False,
        report: Annotated[
            bool, Query(description="With the report: a page, its sections, and its JSON for report reproduce.")
        ] = False,
    ) -> dict[str, Any]:
        """Which enrolled source made the images, if any, with the evidence."""
        files = await _contents(images)

        def work() -> dict[str, Any]:
            probe = image_set("probe", files, service.limits)
            result = service.opened().attribute(probe, rate=service.rate, progress=service.in_time(), thorough=report)
            answer = result.to_dict()
            if pictures:
                answer["pictures"] = _pictures(result)
            if report:
                answer["report"] = _report(result)
            return answer

        return await service.queue.run(work)

    @app.post("/v1/verify", **_WANTS_TOKEN)
    async def verify(
        left: Images,
        right: Images,
        enrolled: Annotated[
            bool, Query(description="Judged by the enrolled sources, not by shipped generators.")
        ] = False,
    ) -> dict[str, Any]:
        """Whether two sets of images have one source."""
        files = await _contents(left), await _contents(right)

        def work() -> dict[str, Any]:
            one, other = (image_set(*named, service.limits) for named in zip(("left", "right"), files, strict=True))
            result = api.verify(
                one, other, population=service.opened() if enrolled else None, model=service.model, rate=service.rate,
                progress=service.in_time(),
            )  # fmt: skip
            return result.to_dict()

        return await service.queue.run(work)


def _serve_sorting(app: FastAPI, service: _Service) -> None:
    """What a pile without labels holds."""

    @app.post("/v1/sort", **_WANTS_TOKEN)
    async def sort(
        images: Images,
        report: Annotated[bool, Query(description="With the report: a page, and what it says as values.")] = False,
    ) -> dict[str, Any]:
        """The images by source: groups of one each, named if they are of enrolled ones; strays are left alone."""
        files = [(file.filename or "upload", await file.read()) for file in images]  # with folders: names, no paths
        return await service.queue.run(
            lambda: sort_upload(files, service.opened(), service.limits, service.rate, service.in_time(), report)
        )


def _serve_families(app: FastAPI, service: _Service) -> None:
    """The family tree, as data and as a picture."""

    @app.get("/v1/families", **_WANTS_TOKEN)
    async def families(linkage: Linkage = "average") -> dict[str, Any]:
        """The family tree of the enrolled sources; of more than a thousand, of groups of them."""
        return (await service.queue.run(lambda: service.tree(linkage))).to_dict()

    @app.get(
        "/v1/families.svg", response_class=Response,
        responses={**PROBLEMS_AS_JSON, 200: {"content": {"image/svg+xml": {}}}}, **_WANTS_TOKEN,
    )  # fmt: skip
    async def families_picture(linkage: Linkage = "average") -> Response:
        """The same as a picture."""

        def work() -> bytes:
            return figures.themed_svg(figures.tree_figure(service.tree(linkage), narrow=True), text=True).encode()

        return Response(await service.queue.run(work), media_type="image/svg+xml")


def _pictures(result: Attribution) -> dict[str, str]:
    """The probe's average residual and spectrum, and the family tree with it, as far as there are such."""
    assert result.asked is not None
    stack = FileSummary.of(result.asked.images).stack()
    tree = tree_with_probe(result.asked)
    drawn = {
        "trace": None if stack is None else figures.trace_figure({"probe": stack}),
        "tree": None if tree is None else figures.tree_figure(tree),
    }
    return {name: figures.data_uri(figure) for name, figure in drawn.items() if figure}


def _report(result: Attribution) -> dict[str, Any]:
    """The report: page, JSON, and what both say, as values. Nothing says where the service keeps its files."""
    assert result.asked is not None
    paths = ("probe", "known", "gallery", "trust", *(() if result.asked.model.name else ("model",)))
    asked = replace(result.asked, inputs={**result.asked.inputs, **dict.fromkeys(paths)})
    record, verdict, sections = explained(replace(result, asked=asked), asked)
    shown = plain_values(all_printable({"verdict": verdict, "sections": sections}))
    # As text: JavaScript would write 1.0 as 1, and the seal would break.
    return {"page": page_of(record, verdict, sections), "case": to_json(record), **shown}
