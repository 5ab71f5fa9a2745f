"""What residents keep at another team's service, the cabinet, and races that only its kinds of reference give: SET NULL
beside RESTRICT, and documents that refer to their own kind."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from simulation.clients import Reply
from simulation.races import Acts, by_name
from simulation.residents import TRIES_MAX, Resident

if TYPE_CHECKING:
    from simulation.workload import Workload


class Cabinet:
    """Of one resident."""

    def __init__(self, resident: Resident) -> None:
        self._resident = resident
        self._client = resident.client

    async def label(self, *, bot: str | None = None, next_to: str | None = None) -> Reply:
        return await self._keep("label", botId=bot, nextId=next_to)

    async def hold(self, bot: str) -> Reply:
        return await self._keep("hold", botId=bot)

    async def folder(self, parent: str | None = None) -> Reply:
        return await self._keep("folder", parentId=parent)

    async def put_next_to(self, label: str, other: str) -> Reply:
        return await self._client.patch(f"/v1/labels/{label}", {"nextId": other})

    async def put_into(self, folder: str, parent: str) -> Reply:
        return await self._client.patch(f"/v1/folders/{folder}", {"parentId": parent})

    async def remove(self, kind: str, document_id: str) -> Reply:
        return await self._client.delete(f"/v1/{kind}s/{document_id}")

    async def _keep(self, kind: str, **given: str | None) -> Reply:
        named = {name: value for name, value in given.items() if value is not None}
        return await self._client.post(f"/v1/{kind}s", {**named, "words": self._resident.next_name(kind)})


async def made(create: Callable[[], Awaitable[Reply]], key: str) -> str:
    """The id of what is made in whatever weather it is: it is tried until it is there."""
    for _ in range(TRIES_MAX):
        reply = await create()
        if reply.status == 201:
            break
    assert reply.status == 201, reply
    id_: str = reply.body[key]
    return id_


async def bot_against_labels_and_holds(work: "Workload", resident: Resident) -> tuple[Acts, Acts]:
    cabinet, bot = Cabinet(resident), work.some(resident.bots)
    await made(lambda: cabinet.label(bot=bot), "labelId")
    return [lambda: resident.client.delete(f"/v1/bots/{bot}")], [
        lambda: cabinet.label(bot=bot),
        lambda: cabinet.hold(bot),
    ]


async def user_against_holds(work: "Workload", resident: Resident) -> tuple[Acts, Acts]:
    """What keeps a bot goes with the user of both."""
    cabinet, bot = Cabinet(resident), work.some(resident.bots)
    await made(lambda: cabinet.hold(bot), "holdId")
    await made(lambda: cabinet.label(bot=bot), "labelId")
    return [
        lambda: resident.client.delete(f"/v1/bots/{bot}"),
        lambda: resident.client.delete(f"/v1/users/{resident.id}"),
    ], [
        lambda: cabinet.hold(work.some(resident.bots)),
        lambda: cabinet.label(bot=work.some(resident.bots)),
    ]


async def labels_next_to_each_other(work: "Workload", resident: Resident) -> tuple[Acts, Acts]:
    del work
    cabinet = Cabinet(resident)
    one = await made(cabinet.label, "labelId")
    other = await made(lambda: cabinet.label(next_to=one), "labelId")
    third = await made(cabinet.label, "labelId")
    await cabinet.put_next_to(one, other)
    return [lambda: cabinet.remove("label", one), lambda: cabinet.remove("label", other)], [
        lambda: cabinet.label(next_to=one),
        lambda: cabinet.put_next_to(third, other),
        lambda: cabinet.put_next_to(one, one),
    ]


async def folders_in_each_other(work: "Workload", resident: Resident) -> tuple[Acts, Acts]:
    """One of them is in itself, which does not keep it."""
    del work
    cabinet = Cabinet(resident)
    one = await made(cabinet.folder, "folderId")
    other = await made(cabinet.folder, "folderId")
    await cabinet.put_into(one, one)
    return [lambda: cabinet.remove("folder", one), lambda: cabinet.remove("folder", other)], [
        lambda: cabinet.folder(one),
        lambda: cabinet.put_into(other, one),
        lambda: cabinet.folder(other),
    ]


GUEST_RACES = by_name(
    bot_against_labels_and_holds,
    user_against_holds,
    labels_next_to_each_other,
    folders_in_each_other,
)
