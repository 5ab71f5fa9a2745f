"""What a stub of a service answers about whole relationships: as owner of parents, and as the children's service."""

from collections.abc import Awaitable, Callable

from stub_services import Handler, Json, Seen, Stub, problem

PREFIX = "/internal/references/relationships/"
Reply = Callable[..., Awaitable[None]]


class StubRegistry:
    """`rows` by (relationship, parent). `steps` are the calls in their order, over all registries that share it."""

    def __init__(self, stub: Stub, steps: list[tuple[str, str]]) -> None:
        self.stub = stub
        self.steps = steps
        self.rows: dict[tuple[str, str], Json] = {}
        self.closings: dict[str, int] = {}
        self.closed: set[str] = set()
        handlers: dict[str, Handler] = {
            "list": self._list,
            "remove": self._marked("remove", "removed"),
            "restore": self._marked("restore", "registered"),
            "close": self._close,
            "look": self._look,
            "open": self._open,
        }
        for step, handler in handlers.items():
            stub.answers["POST", PREFIX + step] = handler
        stub.answers["POST", "/internal/references/register"] = self._register
        self._register_own()

    def _register_own(self) -> None:
        entities = self.stub.document["x-entities"]
        for entity in entities.values():
            for said in entity["references"]:
                parents = [one["parent"] for one in said.get("parents", {"": said}).values()]
                for parent in set(parents) & entities.keys():
                    self._add(said["relationship"], parent, self.stub.name, said["onDelete"])

    def _add(self, relationship: str, parent: str, service: str, on_delete: str) -> Json:
        row = {"relationship": relationship, "parent": parent, "service": service, "onDelete": on_delete}
        return self.rows.setdefault((relationship, parent), {**row, "state": "registered", "isValidated": True})

    async def _register(self, seen: Seen, reply: Reply) -> None:
        refused: list[Json] = []
        for one in seen.json["relationships"]:
            place = (one["relationship"], one["parent"])
            if not self.stub.consents:
                refused.append({"relationship": place[0], "parent": place[1], "code": "no-consent", "detail": "No!"})
            elif self._add(*place, seen.json["service"], one["onDelete"])["state"] == "registered":
                self.stub.registered.add(place)
            else:
                refused.append({"relationship": place[0], "parent": place[1], "code": "removed", "detail": "removed"})
        await reply(200, {"registered": [], "refused": refused})

    async def _list(self, _: Seen, reply: Reply) -> None:
        await reply(200, {"relationships": list(self.rows.values())})

    def _marked(self, step: str, state: str) -> Handler:
        async def handler(seen: Seen, reply: Reply) -> None:
            relationship = self._called(step, seen)
            mine = {place: row for place, row in self.rows.items() if place[0] == relationship}
            for place, row in mine.items():
                row["state"] = state
                (self.stub.registered.discard if state == "removed" else self.stub.registered.add)(place)
            await reply(200, {"relationships": list(mine.values())})

        return handler

    async def _close(self, seen: Seen, reply: Reply) -> None:
        relationship = self._called("close", seen)
        self.closings[relationship] = self.closings.get(relationship, 0) + 1
        self.closed.add(relationship)
        await reply(200, {"number": self.closings[relationship], "voided": 0})

    async def _look(self, seen: Seen, reply: Reply) -> None:
        relationship = self._called("look", seen)
        await reply(200, {"closed": relationship in self.closed, "number": self.closings.get(relationship, 0)})

    async def _open(self, seen: Seen, reply: Reply) -> None:
        relationship = self._called("open", seen)
        if self.closings.get(relationship) == seen.json["number"]:
            self.closed.discard(relationship)
        await reply(200, {"open": relationship not in self.closed})

    def _called(self, step: str, seen: Seen) -> str:
        assert seen.context is not None
        self.steps.append((self.stub.name, step))
        relationship: str = seen.json["relationship"]
        return relationship


def refuses(status: int) -> Handler:
    async def handler(_: Seen, reply: Reply) -> None:
        await reply(status, problem(status, "not-now"))

    return handler


class StubRegistries:
    """Of both stubs of a platform, with the `steps` of both in their order."""

    def __init__(self, users: Stub, bots: Stub) -> None:
        self.steps: list[tuple[str, str]] = []
        self.users = StubRegistry(users, self.steps)
        self.bots = StubRegistry(bots, self.steps)
