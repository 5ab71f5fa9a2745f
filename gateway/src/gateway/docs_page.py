"""The page that shows the merged document. It comes from the gateway alone and asks nobody else: no script, style,
font or image from elsewhere, and a content security policy that would refuse one."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES: Final = {
    "/docs": ("docs.html", b"text/html; charset=utf-8"),
    "/docs/docs.css": ("docs.css", b"text/css; charset=utf-8"),
    "/docs/docs.js": ("docs.js", b"text/javascript; charset=utf-8"),
}


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    media_type: bytes
    etag: bytes
    headers: list[tuple[bytes, bytes]]


class DocsPage:
    """The files are read once."""

    def __init__(self) -> None:
        folder = files("gateway") / "static"
        self._files = {
            path: _file((folder / name).read_bytes(), media_type) for path, (name, media_type) in _FILES.items()
        }

    @property
    def paths(self) -> list[str]:
        return list(self._files)

    def file(self, path: str) -> File:
        return self._files[path]


def _file(body: bytes, media_type: bytes) -> File:
    etag = b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode("ascii")
    headers = [(b"content-security-policy", POLICY), (b"referrer-policy", b"no-referrer")]
    return File(body, media_type, etag, headers)
