from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI, Path, Query
from fastapi.openapi.utils import get_openapi
from office import DOCUMENTS, DeskCardRef, DeskLampRef, DeskPersonRef
from pydantic import BaseModel

from kit.ids import Id
from kit.references.declaration import CASCADE, DeclarationError, Reference
from kit.references.publication import DIGEST, REQUIRE, located, publish, published_entities


class Lamp(BaseModel):
    lamp_id: DeskLampRef | None = None


class DeskIn(BaseModel):
    person_id: DeskPersonRef
    cards: list[DeskCardRef]
    lamps: dict[str, Lamp]
    next: "DeskIn | None" = None


async def create(body: DeskIn) -> None: ...
async def put_person(person_id: Annotated[DeskPersonRef, Path()], lamp: Annotated[DeskLampRef, Query()]) -> None: ...
async def rename(name: Annotated[str, Body()]) -> None: ...


def document(*operations: tuple[str, str, Any], **extra: Any) -> dict[str, Any]:
    app = FastAPI()
    for method, path, function in operations:
        app.add_api_route(path, function, methods=[method], operation_id=function.__name__, openapi_extra=extra)
    return get_openapi(title="office", version="1", routes=app.routes)


def test_references_are_located_wherever_they_hide() -> None:
    published = document(("POST", "/desks", create))
    found = {(one.place, one.pointer) for one in located(published, published["paths"]["/desks"]["post"])}
    assert found == {("body", "/person_id"), ("body", "/cards/*"), ("body", "/lamps/*/lamp_id")}


def test_references_in_path_and_query_are_located() -> None:
    published = document(("PUT", "/people/{person_id}", put_person))
    found = {(one.place, one.pointer) for one in located(published, published["paths"]["/people/{person_id}"]["put"])}
    assert found == {("path", "/person_id"), ("query", "/lamp")}


def test_only_writes_with_references_get_a_digest() -> None:
    published = document(
        ("POST", "/desks", create), ("PATCH", "/desks", rename), ("GET", "/people/{person_id}", put_person)
    )
    digests = publish(published, DOCUMENTS)
    assert set(digests) == {"create"}
    assert published["paths"]["/desks"]["post"][DIGEST] == digests["create"]
    assert DIGEST not in published["paths"]["/desks"]["patch"]
    assert DIGEST not in published["paths"]["/people/{person_id}"]["get"]


def test_operation_whose_parents_the_service_names_has_a_digest_of_them() -> None:
    plain = publish(document(("PATCH", "/desks", rename), **{REQUIRE: True}), DOCUMENTS)
    named = publish(document(("PATCH", "/desks", rename), **{REQUIRE: ["desks.personId"]}), DOCUMENTS)
    assert set(plain) == set(named) == {"rename"}
    assert plain != named


def test_relationship_that_nothing_here_declares_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"PATCH /desks: x-reference-require names desks\.nothing"):
        publish(document(("PATCH", "/desks", rename), **{REQUIRE: ["desks.nothing"]}), DOCUMENTS)


def test_alias_of_another_services_document_is_refused() -> None:
    foreign = Reference("people", on_delete=CASCADE)
    foreign.bind("chairs", "personId", nullable=False)
    foreign_ref = Annotated[Id, foreign]

    async def sit(person_id: Annotated[foreign_ref, Body(embed=True)]) -> None: ...

    with pytest.raises(DeclarationError, match=r"takes chairs\.personId, which none of this service's documents"):
        publish(document(("POST", "/chairs", sit)), DOCUMENTS)


def test_entities_are_published_with_what_others_may_know() -> None:
    entities = published_entities(DOCUMENTS)
    assert set(entities) == {"rooms", "desks", "tickets", "cases", "logs"}
    desks = entities["desks"]
    assert desks["key"] == "deskId"
    assert desks["parts"] == [{"collection": "desk_events", "field": "deskId"}]
    assert desks["exposes"] == ["personId"]
    assert desks["conditions"] == ["state"]
    assert desks["referableBy"] == ["owner:personId", "roles:admin"]
    assert {one["relationship"] for one in desks["references"]} == {
        "desks.personId",
        "desks.cardId",
        "desks.door",
        "desks.lampId",
    }
    assert entities["rooms"]["composite"] == ["floor", "door"]
    assert entities["rooms"]["exposes"] == ["door", "floor"]
