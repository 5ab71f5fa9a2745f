"""The gateway's own pages: health, metrics, the catalogue, the merged document and the page that shows it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import orjson

from gateway.catalogue import Catalogue
from gateway.docs_page import DocsPage
from gateway.health import Readiness
from gateway.identity import Identity
from gateway.merged_openapi import MergedDocument
from gateway.metrics import GatewayMetrics
from gateway.references_page import PATH as REFERENCES_PATH
from gateway.references_page import ROLE, catalogue_body
from gateway.request import Request
from kit.problems import MethodNotAllowed
from kit.telemetry import METRICS_MEDIA_TYPE

JSON: Final = b"application/json"
Page = Callable[[Request], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class Pages:
    def __init__(
        self,
        *,
        readiness: Readiness,
        metrics: GatewayMetrics,
        merged: MergedDocument,
        identity: Identity,
        catalogue: Callable[[], Catalogue],
    ) -> None:
        self._readiness = readiness
        self._identity = identity
        self._catalogue = catalogue
        self._metrics = metrics
        self._merged = merged
        self._docs = DocsPage()
        self._pages: dict[str, Page] = {
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/metrics": self._exposition,
            "/openapi.json": self._openapi,
            REFERENCES_PATH: self._references,
            **dict.fromkeys(self._docs.paths, self._file),
        }

    def find(self, path: str) -> Page | None:
        return self._pages.get(path)

    async def _live(self, request: Request) -> None:
        await _answer(request, b'{"status":"live"}')

    async def _ready(self, request: Request) -> None:
        status, document = self._readiness.state(asyncio.get_running_loop().time())
        await _answer(request, orjson.dumps(document), status=status)

    async def _exposition(self, request: Request) -> None:
        await _answer(request, self._metrics.exposition(), media_type=METRICS_MEDIA_TYPE.encode("ascii"))

    async def _openapi(self, request: Request) -> None:
        etag, body = await self._merged.current()
        await _answer(request, body, etag=etag)

    async def _references(self, request: Request) -> None:
        authorization = request.headers.seen.get(b"authorization")
        request.caller = await self._identity.caller(authorization, required=True)
        request.caller.require_role(ROLE)
        await _answer(request, orjson.dumps(catalogue_body(self._catalogue())))

    async def _file(self, request: Request) -> None:
        file = self._docs.file(request.path)
        await _answer(request, file.body, media_type=file.media_type, etag=file.etag, more=file.headers)


async def _answer(
    request: Request,
    body: bytes,
    *,
    status: int = 200,
    media_type: bytes = JSON,
    etag: bytes | None = None,
    more: Headers | None = None,
) -> None:
    if request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed("This page is only read.", headers={"Allow": "GET, HEAD"})
    headers: Headers = [(b"x-request-id", request.id.encode("ascii")), (b"x-content-type-options", b"nosniff")]
    headers += more or []
    if etag is None:
        headers.append((b"cache-control", b"no-store"))
    else:
        headers += [(b"etag", etag), (b"cache-control", b"no-cache")]
        if request.headers.seen.get(b"if-none-match") == etag:
            await request.start_answer(304, headers)
            await request.send_body(b"")
            return
    headers += [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    await request.start_answer(status, headers)
    await request.send_body(body)
