"""The owner's half of a delete, as a gateway asks one service for it."""

from typing import Any

import httpx
from api import done
from gateway_stand_in import Client

PREFIX = "/internal/references/deletions"
CHILDREN = "/internal/references/children"
JSON = dict[str, Any]


async def plan(client: Client, operation: str, *, if_match: int | None = None, **path: str) -> httpx.Response:
    """Whether the caller may delete it, before anything is marked."""
    return await _asked(client, "plan", operation, path, if_match)


async def begin(client: Client, operation: str, *, if_match: int | None = None, **path: str) -> httpx.Response:
    """Marks it, if what its service wants of it holds."""
    return await _asked(client, "begin", operation, path, if_match)


async def begun(client: Client, operation: str, **path: str) -> JSON:
    """A deletion that has begun."""
    standing = done(await _asked(client, "begin", operation, path, None))
    assert standing["state"] == "deleting", standing
    return standing


async def refused(client: Client, deletion: JSON) -> None:
    """The deletion is blocked: the document is active again."""
    standing = await _moved(client, "refuse", deletion, blockedBy=[])
    assert standing["state"] == "refused", standing


async def purged(client: Client, deletion: JSON) -> None:
    """The point of no return."""
    standing = await _moved(client, "purge", deletion, plan=deletion["relationships"])
    assert standing["state"] == "purging", standing


async def finished(client: Client, deletion: JSON) -> None:
    """The document goes, from purging."""
    standing = await _moved(client, "finish", deletion, progress={})
    assert standing["state"] == "done", standing


async def closed(client: Client, deletion: JSON) -> list[JSON]:
    """Closes what this service has of the relationships; what blocks the delete."""
    body = {**_parents(deletion), "items": [{"id": deletion["id"], "epoch": deletion["epoch"]}], "count": True}
    answer: JSON = done(await _of_gateway(client).post(f"{CHILDREN}/close", json=body))
    assert answer["stale"] == []
    blocked: list[JSON] = answer["blockedBy"]
    return blocked


async def applied(client: Client, deletion: JSON) -> None:
    """Removes this service's children of the parent. They are few, and leaves."""
    for one in deletion["relationships"]:
        body = {"parent": deletion["entity"], "relationship": one["relationship"], "onDelete": one["onDelete"]}
        body |= {"ids": [deletion["id"]], "deletionId": deletion["deletionId"]}
        answer = done(await _of_gateway(client).post(f"{CHILDREN}/apply", json=body))
        assert (answer["forced"], answer["more"]) == ([], False)
    looked = done(
        await _of_gateway(client).post(f"{CHILDREN}/look", json={**_parents(deletion), "ids": [deletion["id"]]})
    )
    assert looked["left"] == []


async def removed(client: Client, operation: str, **path: str) -> None:
    """All of it, for a document that only leaves of its own service refer to."""
    deletion = await begun(client, operation, **path)
    if deletion["relationships"]:
        assert await closed(client, deletion) == []
    await purged(client, deletion)
    await applied(client, deletion)
    await finished(client, deletion)


async def _asked(client: Client, step: str, operation: str, path: JSON, if_match: int | None) -> httpx.Response:
    body = {"operationId": operation, "pathParameters": path, "ifMatch": if_match}
    return await client.post(f"{PREFIX}/{step}", json=body)


async def _moved(client: Client, step: str, deletion: JSON, **more: Any) -> JSON:
    body = {"deletionId": deletion["deletionId"], "epoch": deletion["epoch"], **more}
    return done(await _of_gateway(client).post(f"{PREFIX}/{step}", json=body))


def _parents(deletion: JSON) -> JSON:
    return {"parent": deletion["entity"], "relationships": [one["relationship"] for one in deletion["relationships"]]}


def _of_gateway(client: Client) -> Client:
    """Its own calls, which are nobody's in particular."""
    return client.gateway.anonymous()
