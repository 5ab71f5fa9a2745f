"""Reads a request's body within its limit, and turns it into the value that schemas are checked against."""

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from kit import strict_json
from kit.problems import FieldError, InvalidRequest, PayloadTooLarge, UnsupportedMediaType

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
FORM_FIELDS_MAX = 50


class Form(dict[str, str]):
    """The fields of a form."""


class ReadRequest(Request):
    """A request whose body was read and parsed already. FastAPI's handler asks for `json()` where the media type is
    JSON, and takes what `body()` gives for any other."""

    def __init__(self, request: Request, body: bytes, value: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._body = body
        self._value = value

    async def body(self) -> Any:
        return self._value if isinstance(self._value, Form) else self._body

    async def json(self) -> Any:
        return self._value


async def read_body(request: Request, bytes_max: int) -> bytes:
    """Raises PayloadTooLarge as soon as the body is known to be longer than `bytes_max`."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > bytes_max:
        raise too_large(bytes_max)
    receive = request.receive
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        if len(body) > bytes_max:
            raise too_large(bytes_max)
        return body
    chunks, size = [body], len(body)
    while True:
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if size > bytes_max:
            raise too_large(bytes_max)
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()
        body = message.get("body", b"")
        chunks.append(body)
        size += len(body)


def too_large(bytes_max: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body may have at most {bytes_max} bytes.")


def parse_body(request: Request, body: bytes, *, form: bool) -> Any:
    """The value of a body; None for an empty one. A form gives an object of strings, where the operation takes one."""
    return parse_content(request.headers.get("content-type", ""), body, form=form)


def parse_content(content_type: str, body: bytes, *, form: bool = False) -> Any:
    """As `parse_body`, by what the header Content-Type says. Raises UnsupportedMediaType, InvalidRequest."""
    if not body:
        return None
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    if media_type == JSON and _is_utf_8(parameters):
        return strict_json.loads(body)
    if form and media_type == FORM:
        return _parse_form(body)
    taken = f"{JSON} or {FORM}" if form else JSON
    raise UnsupportedMediaType(f"Send the body as {taken}, and say so in Content-Type.")


def refuse_fields(value: Any) -> None:
    """For an operation that takes no body: an empty object is as good as none."""
    if value is None or value == {}:
        return
    if not isinstance(value, dict):
        raise InvalidRequest("This operation takes no body.", errors=[FieldError("", "wrong-type", "Send no body.")])
    pointers = [strict_json.pointer_step(name) for name in value]
    errors = [FieldError(pointer, "unknown-field", "There is no such field here.") for pointer in pointers]
    raise InvalidRequest("This operation takes no body.", errors=errors)


def _is_utf_8(parameters: str) -> bool:
    name, _, value = parameters.strip().partition("=")
    return name.strip().lower() != "charset" or value.strip().strip('"').lower() in {"utf-8", "utf8"}


def _parse_form(body: bytes) -> Form:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FORM_FIELDS_MAX,
        )
    except ValueError:
        refused = FieldError("", "not-a-form", "Write name=value pairs with & between, percent-encoded UTF-8.")
        raise InvalidRequest("The body cannot be read.", errors=[refused]) from None
    form = Form(pairs)
    if len(form) != len(pairs):
        refused = FieldError("", "duplicate-key", "The same field stands twice in the form.")
        raise InvalidRequest("The body cannot be read.", errors=[refused])
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            refused = FieldError(strict_json.pointer_step(name), "bad-character", "A NUL is not taken in a string.")
            raise InvalidRequest("The body cannot be read.", errors=[refused])
    return form
