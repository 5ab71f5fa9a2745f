"""The services' OpenAPI documents carry every one of the ten references, as the data plan has them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

SERVICES = ("users", "bots", "staking")

# (service, child, field, parents, on delete)
DATA_PLAN = [
    ("bots", "trading_bots", "userId", {"users"}, "CASCADE"),
    ("users", "exchange_accounts", "userId", {"users"}, "CASCADE"),
    ("bots", "trading_bots", "exchangeAccountId", {"exchange_accounts"}, "RESTRICT"),
    ("bots", "trading_bots", "marketPair", {"market_pairs"}, "RESTRICT"),
    ("bots", "bot_performance", "botId", {"trading_bots"}, "CASCADE"),
    ("staking", "user_token_balances", "userId", {"users"}, "CASCADE"),
    ("staking", "user_stakes", "userId", {"users"}, "RESTRICT"),
    ("staking", "user_stakes", "poolId", {"staking_pools"}, "RESTRICT"),
    ("staking", "reward_transaction_logs", "userId", {"users"}, "RESTRICT"),
    (
        "staking",
        "reward_transaction_logs",
        "sourceId",
        {"user_stakes", "trading_bots", "reward_campaigns"},
        "RESTRICT",
    ),
]

# (service, method, path, pointer into the body or name in the path, relationship)
WRITES = [
    ("users", "post", "/v1/exchange-accounts", "userId", "exchange_accounts.userId"),
    ("bots", "post", "/v1/bots", "userId", "trading_bots.userId"),
    ("bots", "post", "/v1/bots", "exchangeAccountId", "trading_bots.exchangeAccountId"),
    ("bots", "post", "/v1/bots", "marketPair", "trading_bots.marketPair"),
    ("bots", "post", "/v1/bots/{botId}/performance/samples", "botId", "bot_performance.botId"),
    ("staking", "post", "/v1/balances/{userId}/credits", "userId", "user_token_balances.userId"),
    ("staking", "post", "/v1/staking/stakes", "userId", "user_stakes.userId"),
    ("staking", "post", "/v1/staking/stakes", "poolId", "user_stakes.poolId"),
    ("staking", "post", "/v1/rewards", "userId", "reward_transaction_logs.userId"),
    ("staking", "post", "/v1/rewards", "sourceId", "reward_transaction_logs.sourceId"),
]


@cache
def document(service: str) -> dict[str, Any]:
    """The document as `python -m SERVICE --openapi` prints it, without a store."""
    command = [sys.executable, "-m", service, "--openapi"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    loaded: dict[str, Any] = json.loads(printed.stdout)
    return loaded


def operations(service: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document(service)["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict) and "responses" in operation:
                yield path, method, operation


def resolved(service: str, schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document(service)["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def reference(schema: dict[str, Any]) -> dict[str, Any] | None:
    """x-reference of a property, also where it hides in an alternative to null."""
    candidates = [schema, *schema.get("anyOf", []), *schema.get("allOf", [])]
    found: list[dict[str, Any]] = [part["x-reference"] for part in candidates if "x-reference" in part]
    return found[0] if found else None


def in_request(service: str, operation: dict[str, Any], name: str) -> dict[str, Any] | None:
    for parameter in operation.get("parameters", []):
        if parameter["name"] == name:
            return parameter.get("x-reference") or reference(parameter["schema"])
    body = resolved(service, operation["requestBody"]["content"]["application/json"]["schema"])
    return reference(body["properties"][name])


def named_parents(published: dict[str, Any]) -> set[str]:
    if not published.get("by"):
        return {published["parent"]}
    return {parent["parent"] if isinstance(parent, dict) else parent for parent in published["parents"].values()}


@pytest.mark.parametrize(("service", "child", "field", "parents", "on_delete"), DATA_PLAN)
def test_relationship_of_the_data_plan_is_published(
    service: str, child: str, field: str, parents: set[str], on_delete: str
) -> None:
    entity = document(service)["x-entities"][child]
    published = [r for r in entity["references"] if r["relationship"] == f"{child}.{field}"]
    assert len(published) == 1
    assert named_parents(published[0]) == parents
    assert published[0]["onDelete"] == on_delete


@pytest.mark.parametrize(("service", "method", "path", "name", "relationship"), WRITES)
def test_write_names_its_reference_where_the_request_has_it(
    service: str, method: str, path: str, name: str, relationship: str
) -> None:
    operation = document(service)["paths"][path][method]
    found = in_request(service, operation, name)
    assert found is not None, f"{method} {path} has no x-reference at {name}"
    assert found["relationship"] == relationship


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_has_its_own_id_and_documents_its_problems(service: str) -> None:
    identifiers = [operation["operationId"] for _, _, operation in operations(service)]
    assert len(identifiers) == len(set(identifiers))
    for path, method, operation in operations(service):
        if path.startswith("/v1"):
            kinds = {
                kind
                for status, answer in operation["responses"].items()
                if not status.startswith("2")
                for kind in answer.get("content", {})
            }
            assert "application/problem+json" in kinds, f"{method} {path}"


@pytest.mark.parametrize("service", SERVICES)
def test_request_bodies_refuse_unknown_fields(service: str) -> None:
    for path, method, operation in operations(service):
        content = operation.get("requestBody", {}).get("content", {})
        if path.startswith("/v1") and "application/json" in content:
            schema = resolved(service, content["application/json"]["schema"])
            assert schema.get("additionalProperties") is False, f"{method} {path}"
