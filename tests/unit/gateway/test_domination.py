"""What keeps every delete decidable at its root: which catalogues are refused, and what a refusal says to change."""

import copy
import json
from itertools import permutations
from typing import Any

import pytest
from stub_documents import Json, document, entity, reference

from deploy.openapi import openapi_documents
from gateway.assembly import Assembly
from gateway.documents import ServiceDocument, read_document
from kit.references.domination import dominations, edges, unreferable, violations

ACCOUNT_OF_USER = reference("accounts.userId", "users", on_delete="CASCADE")


def bots(*references: Json) -> Json:
    return {
        "users": entity("userId"),
        "accounts": entity("accountId", ACCOUNT_OF_USER),
        "bots": entity("botId", *references),
    }


def bot(parent: str, field: str, on_delete: str = "RESTRICT", **more: Any) -> Json:
    return reference(f"bots.{field}", parent, on_delete=on_delete, **more)


MATCHED = bot("accounts", "accountId", match={"userId": "userId"})
BUSY = {"restrictIf": {"state": "busy"}}


def wrong(entities: Json) -> list[str]:
    return [str(one) for one in violations(entities)]


def test_reference_that_could_block_half_way_is_named_with_the_line_to_add() -> None:
    (said,) = wrong(bots(MATCHED))
    assert said == (
        "bots.accountId: RESTRICT to accounts could block a delete of users half-way (accounts.userId is CASCADE), "
        "since bots.userId is no reference to users. Add to bots: "
        'userId: Annotated[Id, Reference("users", on_delete=RESTRICT)], '
        'and to bots.accountId: match={"userId": "userId"}, which accounts exposes'
    )


@pytest.mark.parametrize(
    "references",
    [
        pytest.param([MATCHED, bot("users", "userId")], id="restrict"),
        pytest.param([MATCHED, bot("users", "userId", "CASCADE")], id="cascade"),
        pytest.param([MATCHED, bot("users", "userId", "CASCADE", **BUSY)], id="cascade with restrict_if"),
        pytest.param([bot("accounts", "accountId", "CASCADE")], id="a leaf"),
        pytest.param([bot("accounts", "accountId", "SET_NULL", nullable=True)], id="set null"),
        pytest.param([bot("users", "userId")], id="to the root alone"),
    ],
)
def test_reference_that_the_root_decides_is_accepted(references: list[Json]) -> None:
    assert wrong(bots(*references)) == []


@pytest.mark.parametrize(
    ("references", "why"),
    [
        pytest.param([bot("accounts", "accountId"), bot("users", "userId")], "does not match", id="another user's"),
        pytest.param([bot("accounts", "accountId", "CASCADE", **BUSY)], "restrict_if to accounts", id="restrict_if"),
        pytest.param(
            [MATCHED, bot("users", "userId", "SET_NULL", nullable=True)], "bots.userId is SET_NULL", id="set null"
        ),
        pytest.param([MATCHED, bot("users", "userId", via="accountId")], "is via accountId", id="via itself"),
        pytest.param([MATCHED, bot("users", "patronId")], "bots.userId is no reference to users", id="another field"),
    ],
)
def test_reference_that_only_seems_dominated_is_refused(references: list[Json], why: str) -> None:
    (said,) = wrong(bots(*references))
    assert why in said


def chain(*references: Json) -> Json:
    """regions <- users <- accounts by CASCADE, and logs that block the removal of accounts."""
    return {
        "regions": entity("regionId"),
        "users": entity("userId", reference("users.regionId", "regions", on_delete="CASCADE")),
        "accounts": entity("accountId", ACCOUNT_OF_USER),
        "logs": entity("logId", *references),
    }


TO_ACCOUNT = reference("logs.accountId", "accounts", match={"userId": "userId"})


def test_chain_of_cascades_is_dominated_step_by_step() -> None:
    user, region = reference("logs.userId", "users"), reference("logs.regionId", "regions")
    matched = reference("logs.userId", "users", match={"regionId": "regionId"})
    assert any(
        "logs.accountId: RESTRICT to accounts could block a delete of users" in one for one in wrong(chain(TO_ACCOUNT))
    )
    assert all("could block a delete of regions" in one for one in wrong(chain(TO_ACCOUNT, user, region)))
    assert wrong(chain(TO_ACCOUNT, user, region)) != []
    assert wrong(chain(TO_ACCOUNT, matched)) != []
    assert wrong(chain(TO_ACCOUNT, matched, region)) == []


def test_what_dominates_is_told_for_each_step() -> None:
    matched = reference("logs.userId", "users", match={"regionId": "regionId"})
    known = edges(chain(TO_ACCOUNT, matched, reference("logs.regionId", "regions")))
    told = [
        (one.blocking.relationship, one.cascade.relationship, one.dominating and one.dominating.relationship)
        for one in dominations(known)
    ]
    assert told == [
        ("logs.accountId", "accounts.userId", "logs.userId"),
        ("logs.accountId", "users.regionId", "logs.regionId"),
        ("logs.userId", "users.regionId", "logs.regionId"),
    ]


def polymorphic(relationship: str, parents: Json, on_delete: str = "RESTRICT", **more: Any) -> Json:
    said = {"relationship": relationship, "by": "kind", "parents": parents, "onDelete": on_delete, **more}
    return {"type": "string", "x-reference": said}


def test_polymorphic_reference_counts_for_each_of_its_parents() -> None:
    source = {"user": {"parent": "users"}, "account": {"parent": "accounts", "match": {"userId": "userId"}}}
    (said,) = wrong(bots(polymorphic("bots.sourceId", source)))
    assert said.startswith("bots.sourceId: RESTRICT to accounts")
    assert wrong(bots(polymorphic("bots.sourceId", source), bot("users", "userId"))) == []


def test_reference_is_implied_by_via_only_for_the_kinds_that_it_names() -> None:
    """A reference to accounts that stands beside one to orders, which keep the same account."""
    entities = bots(
        polymorphic("bots.sourceId", {"order": {"parent": "orders", "match": {"accountId": "accountId"}}}),
        bot("accounts", "accountId", via={"order": "sourceId"}),
    )
    entities["orders"] = entity(
        "orderId",
        reference("orders.accountId", "accounts", match={"userId": "userId"}),
        reference("orders.userId", "users"),
    )
    assert wrong(entities) == []
    entities["bots"]["references"][0]["parents"]["chat"] = {"parent": "chats"}
    (said,) = wrong(entities)
    assert said.startswith("bots.accountId: RESTRICT to accounts could block a delete of users")


def test_polymorphic_reference_dominates_only_if_it_names_the_same_kind() -> None:
    owner = polymorphic("bots.ownerId", {"user": {"parent": "users"}, "team": {"parent": "teams"}})
    entities = bots(bot("accounts", "accountId", match={"ownerId": "ownerId"}), owner)
    entities["accounts"] = entity("accountId", reference("accounts.ownerId", "users", on_delete="CASCADE"))
    (said,) = wrong(entities)
    assert "may name another parent than users: kind is not matched too" in said
    parents = {"user": {"parent": "users"}, "team": {"parent": "teams"}}
    entities["accounts"] = entity("accountId", polymorphic("accounts.ownerId", parents, "CASCADE"))
    entities["bots"]["references"][0]["match"] = {"ownerId": "ownerId", "kind": "kind"}
    entities["teams"] = entity("teamId")
    assert wrong(entities) == []


class TestCircles:
    @pytest.mark.parametrize("rule", ["RESTRICT", "SET_NULL"])
    def test_circle_that_no_cascade_leads_into_is_accepted(self, rule: str) -> None:
        circle = {
            "a": entity("aId", reference("a.bId", "b")),
            "b": entity("bId", reference("b.aId", "a", on_delete=rule)),
        }
        assert wrong(circle) == []
        assert wrong({"a": entity("aId", reference("a.nextId", "a", on_delete=rule))}) == []

    def test_circle_of_cascades_is_refused(self) -> None:
        (said,) = wrong({"a": entity("aId", reference("a.nextId", "a", on_delete="CASCADE"))})
        assert said == (
            "a.nextId: CASCADE leads into a circle of references without SET_NULL: a.nextId -> a (CASCADE). "
            "Make one of these SET_NULL on a nullable field, or a.nextId RESTRICT"
        )

    def test_circle_under_a_cascade_is_refused(self) -> None:
        circle = {
            "a": entity("aId", reference("a.bId", "b"), reference("a.rootId", "root", on_delete="CASCADE")),
            "b": entity("bId", reference("b.cId", "c")),
            "c": entity("cId", reference("c.aId", "a")),
            "root": entity("rootId"),
        }
        (said,) = wrong(circle)
        assert said.startswith("a.rootId: CASCADE leads into a circle")
        for step in ("a.bId -> b", "b.cId -> c", "c.aId -> a"):
            assert step in said
        circle["b"] = entity("bId", reference("b.cId", "c", on_delete="SET_NULL", nullable=True))
        circle["c"] = entity("cId", reference("c.aId", "a", match={"rootId": "rootId"}), reference("c.rootId", "root"))
        assert wrong(circle) == []


@pytest.mark.parametrize("rule", ["CASCADE", "SET_NULL"])
def test_what_has_a_natural_key_is_neither_cascaded_from_nor_cascaded_to(rule: str) -> None:
    pairs = entity("pairId", composite=["exchange", "symbol"])
    (said,) = wrong({"pairs": pairs, "bots": entity("botId", reference("bots.pair", "pairs", on_delete=rule))})
    assert said.startswith(f"bots.pair: {rule} to pairs, whose documents are never deleted")
    venue = entity("pairId", reference("pairs.venueId", "venues", on_delete=rule), composite=["exchange", "symbol"])
    assert len(wrong({"pairs": venue, "venues": entity("venueId")})) == (rule == "CASCADE")


def test_reference_to_what_nobody_may_refer_to_is_found() -> None:
    leaf = entity("tokenId", referableBy=[])
    (said,) = unreferable({"tokens": leaf, "bots": entity("botId", reference("bots.tokenId", "tokens"))})
    assert str(said) == "bots.tokenId: tokens may be referred to by nobody: its rules say so"


def test_platforms_own_references_keep_to_the_rules() -> None:
    documents = copy.deepcopy(dict(openapi_documents()))
    published = {name: one for document in documents.values() for name, one in document["x-entities"].items()}
    assert wrong(published) == []
    assert list(unreferable(published)) == []
    del published["trading_bots"]["references"][0]  # its user's
    assert any(one.startswith("trading_bots.exchangeAccountId: RESTRICT") for one in wrong(published))


def made(service: str, entities: Json) -> ServiceDocument:
    written = document(service, entities, {f"/v1/{service}": {"get": {}}})
    return read_document(service, json.dumps(written).encode())


@pytest.mark.parametrize("order", list(permutations(["users", "accounts", "bots"])))
def test_newest_document_that_completes_a_bad_picture_is_the_one_refused(order: tuple[str, ...]) -> None:
    entities = bots(MATCHED)
    assembly = Assembly(["users", "accounts", "bots"])
    for name in order:
        assembly.offer(made(name, {name: entities[name]}))
    late = [name for name in order if name != "users"][-1]
    assert list(assembly.refused) == [late]
    assert "could block a delete of users" in assembly.refused[late][1]
    assert late not in assembly.catalogue.documents
    assembly.offer(made("bots", {"bots": entity("botId", MATCHED, bot("users", "userId"))}))
    assert assembly.refused == {}
    assert not assembly.catalogue.missing
