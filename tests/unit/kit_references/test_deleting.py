"""What a service may say of its operations that delete."""

from typing import Any

import pytest

from kit.references.declaration import DeclarationError
from kit.references.deletes.deleting import check_deleters, deleted_entities, deletes

ENTITIES = {"desks": {"key": "deskId"}, "rooms": {"key": "roomId", "composite": ["floor", "door"]}}


def document(entity: str) -> dict[str, Any]:
    operation = {"operationId": "removeIt", **deletes(entity)}
    return {"paths": {"/it/{id}": {"delete": operation}, "/other": {"get": {}}}, "x-entities": ENTITIES}


def test_operation_that_deletes_is_known_by_its_entity() -> None:
    assert deleted_entities(document("desks")) == {"removeIt": "desks"}


@pytest.mark.parametrize(
    ("entity", "message"),
    [
        ("lamps", r"DELETE /it/\{id\}: .* names lamps, which is no entity here"),
        ("rooms", r"DELETE /it/\{id\}: .* names rooms, which has a natural key \(floor, door\).*retire it"),
    ],
)
def test_what_no_delete_may_be_of_is_refused(entity: str, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        deleted_entities(document(entity))


@pytest.mark.parametrize("deleters", [(), ("removeIt", "removeThat"), ("removeThat",)])
def test_operations_and_deleters_belong_together(deleters: tuple[str, ...]) -> None:
    check_deleters({"removeIt": "desks"}, ["removeIt"])
    with pytest.raises(DeclarationError, match="remove"):
        check_deleters({"removeIt": "desks"}, deleters)
