"""An upstream that answers a constant: `python -m bench.rivals.constant PORT`."""

import json
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

BODY = b'{"botId":"01890a5d-ac96-774b-bcce-b302099a8057","name":"constant","status":"created"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]

# What the gateway needs to know of it.
OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "constant", "version": "1"},
    "x-service": "bots",
    "x-entities": {},
    "paths": {
        "/v1/constant": {
            "get": {"operationId": "constant", "security": [], "responses": {"200": {"description": "a constant"}}}
        }
    },
}


async def app(
    scope: MutableMapping[str, Any],
    _receive: Callable[[], Awaitable[Any]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer every request with the same few bytes, and the document where it is asked for."""
    if scope["type"] != "http":
        return
    body, headers = BODY, HEADERS
    if scope["path"] == "/openapi.json":
        body = json.dumps(OPENAPI).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False, lifespan="off")
