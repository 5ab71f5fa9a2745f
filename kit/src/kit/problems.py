"""The one root of every refusal. What a client sees is a problem document of RFC 9457 with a stable `code`.

Services subclass `Problem` for their own rules: one class per rule, with `status`, `code` and `title`.
A `detail` says what was wrong and what to do; it never holds the value that was sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

ERRORS_MAX = 100
MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:omnitrade:problem:"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field. `pointer` is a JSON pointer into the body, or "/<name>" of a query, path or header parameter."""

    pointer: str
    code: str
    detail: str

    def body(self) -> dict[str, str]:
        return {"pointer": self.pointer, "code": self.code, "detail": self.detail}


def _camel_case(name: str) -> str:
    head, *tail = name.strip("_").split("_")
    return head + "".join(word.capitalize() for word in tail)


class Problem(Exception):  # noqa: N818 (a refusal is an answer, not an error)
    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    retry_after_s: ClassVar[int | None] = None

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        if self.retry_after_s is not None:
            self.headers.setdefault("Retry-After", str(self.retry_after_s))
        self.extensions = {_camel_case(name): value for name, value in extensions.items()}

    def body(self, *, instance: str, request_id: str) -> dict[str, Any]:
        """The problem document. At most ERRORS_MAX field errors are listed; `errorsOmitted` counts the others."""
        document: dict[str, Any] = {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail or self.title,
            "instance": instance,
            "requestId": request_id,
        }
        if self.errors:
            document["errors"] = [error.body() for error in self.errors[:ERRORS_MAX]]
            if len(self.errors) > ERRORS_MAX:
                document["errorsOmitted"] = len(self.errors) - ERRORS_MAX
        return document | {name: value for name, value in self.extensions.items() if name not in document}


class InvalidRequest(Problem):
    status = 422
    code = "invalid-request"
    title = "The request is not valid"


class Unauthenticated(Problem):
    status = 401
    code = "unauthenticated"
    title = "Credentials are missing or not valid"

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail, errors=errors, headers={"WWW-Authenticate": "Bearer", **(headers or {})}, **extensions)


class Forbidden(Problem):
    status = 403
    code = "forbidden"
    title = "The caller may not do this"


class NotFound(Problem):
    status = 404
    code = "not-found"
    title = "There is no such thing"


class MethodNotAllowed(Problem):
    status = 405
    code = "method-not-allowed"
    title = "The path does not take this method"


class AlreadyExists(Problem):
    """`errors` names the field whose value is taken."""

    status = 409
    code = "already-exists"
    title = "It exists already"

    @property
    def is_settled(self) -> bool:
        """False if the rival is a write that has not ended: that may come to nothing yet."""
        return "Retry-After" not in self.headers


class IllegalTransition(Problem):
    """`from` is the state, `action` what was asked for, `allowed` the actions that the state allows."""

    status = 409
    code = "illegal-transition"
    title = "The state does not allow this action"


class VersionMismatch(Problem):
    status = 412
    code = "version-mismatch"
    title = "The document was changed since it was read"


class PayloadTooLarge(Problem):
    status = 413
    code = "payload-too-large"
    title = "The body is too large"


class UnsupportedMediaType(Problem):
    status = 415
    code = "unsupported-media-type"
    title = "The body's media type is not taken here"


class IdempotencyMismatch(Problem):
    status = 422
    code = "idempotency-mismatch"
    title = "The idempotency key was used for another request"


class IdempotencyRunning(Problem):
    status = 409
    code = "idempotency-running"
    title = "The first request with this idempotency key is still running"
    retry_after_s = 1


class ResourceDeleted(Problem):
    """An earlier try has made it. Its id must not come back: what has referred to it knows that it is gone."""

    status = 409
    code = "resource-deleted"
    title = "What this request has made was deleted since"


class RateLimited(Problem):
    status = 429
    code = "rate-limited"
    title = "Too many requests"
    retry_after_s = 1


class InternalError(Problem):
    status = 500
    code = "internal-error"
    title = "Internal error"


class Unavailable(Problem):
    status = 503
    code = "unavailable"
    title = "Not available now"
    retry_after_s = 1


class DeadlineExceeded(Problem):
    status = 504
    code = "deadline-exceeded"
    title = "The request took longer than its deadline"


class ReferenceNotFound(Problem):
    """`errors` has one entry per bad field, code `reference-not-found`."""

    status = 422
    code = "reference-not-found"
    title = "A field refers to something that does not exist"


class ReferenceUnverifiable(Problem):
    status = 503
    code = "reference-unverifiable"
    title = "The owner of a reference cannot be asked now; nothing was written"
    retry_after_s = 1


class ReferenceClosed(Problem):
    """`closed` has the relationship, parent and id of each."""

    status = 409
    code = "reference-closed"
    title = "A document that is referred to is being deleted"


class ForeignRows(Problem):
    """Their `_id` is no text; the detail names one. Remove them, or store them again under a text id."""

    status = 409
    code = "foreign-rows"
    title = "A collection has rows that no service wrote"

    @classmethod
    def of(cls, collection: str, row_id: object) -> "ForeignRows":
        return cls(
            f"{collection} has a row whose _id is no text: {row_id!r}. No service wrote it; remove it, or store it "
            "again under a text id."
        )


class DeleteRestricted(Problem):
    """`blockedBy` has per relationship the count, and up to ten ids that the caller may see."""

    status = 409
    code = "delete-restricted"
    title = "Other documents refer to this one"


class ReferenceConditionFailed(Problem):
    """`errors` names the fields whose parent does not meet a condition of this operation."""

    status = 409
    code = "reference-condition-failed"
    title = "A document that is referred to does not meet a condition"


class ReferencesNotValidated(Problem):
    status = 428
    code = "references-not-validated"
    title = "The request's references were not validated by the gateway"
