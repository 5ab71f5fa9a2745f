"""Contexts signed as the gateway signs them, for rivals that speak to a service without it."""

import time

from kit.context import HEADER_NAME, LIFETIME_MAX_S, RequestContext, sign_context
from kit.identity import Caller
from kit.ids import new_id


def signed_header(service: str, method: str, path: str, *, user_id: str, key: bytes) -> dict[str, str]:
    """The header by which a service takes a request for the gateway's; good for one path and half a minute."""
    now = int(time.time())
    context = RequestContext(
        audience=service,
        method=method,
        path=path,
        request_id=new_id(),
        deadline=(now + LIFETIME_MAX_S) * 1000,
        expires_at=now + LIFETIME_MAX_S,
        caller=Caller(id=user_id, roles=frozenset({"user"}), scopes=None),
    )
    return {HEADER_NAME: sign_context(context, key)}
