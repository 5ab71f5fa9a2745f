"""The gateway's own pages: health, metrics, the catalogue, the merged document and the page that shows it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import orjson

from gateway.answers import JSON, Headers, own_headers
from gateway.docs_page import DocsPage
from gateway.health import Readiness
from gateway.merged_openapi import MergedDocument
from gateway.metrics import GatewayMetrics
from gateway.own_api import OwnApi
from gateway.request import Request
from kit.problems import MethodNotAllowed
from kit.telemetry import METRICS_MEDIA_TYPE

Page = Callable[[Request], Awaitable[None]]


class Found(NamedTuple):
    """A page, and the name that it has in metrics: its path, with the names of variables in place of their values."""

    page: Page
    label: str


class Pages:
    def __init__(
        self,
        *,
        readiness: Readiness,
        metrics: GatewayMetrics,
        merged: MergedDocument,
        api: OwnApi,
    ) -> None:
        self._readiness = readiness
        self._api = api
        self._metrics = metrics
        self._merged = merged
        self._docs = DocsPage()
        self._pages: dict[str, Page] = {
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/metrics": self._exposition,
            "/openapi.json": self._openapi,
            **dict.fromkeys(self._docs.paths, self._file),
        }

    def find(self, path: str) -> Found | None:
        page = self._pages.get(path)
        if page is not None:
            return Found(page, path)
        own = self._api.find(path)
        if own is None:
            return None
        template, values = own
        return Found(lambda request: self._api.answer(request, template, values), template)

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
    headers = [*own_headers(request), *(more or [])]
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
