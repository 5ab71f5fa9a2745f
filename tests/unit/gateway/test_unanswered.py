"""What a client is told to do when its service gave no answer."""

import pytest

from gateway.forwarding import problem_of
from gateway.upstream_errors import AnswerLostError


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_what_changes_nothing_by_being_repeated_may_simply_be(method: str) -> None:
    detail = problem_of(AnswerLostError("the connection ended"), "users", method).detail or ""
    assert "may simply be repeated" in detail
    assert "Idempotency-Key" not in detail


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_write_is_repeated_with_its_key(method: str) -> None:
    assert "Idempotency-Key" in (problem_of(AnswerLostError("the connection ended"), "users", method).detail or "")
