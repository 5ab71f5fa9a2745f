"""A gateway that is stopped while clients wait for their deletes: each is told where to follow its own, and the next
gateway goes on with it."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from api import Api, problem
from followed import ended
from parts import Parts
from processes import until
from scenes import bot

from deploy.local.plan import GATEWAY

SETTINGS = {
    "DELETE_WAIT_S": "20",
    "SHUTDOWN_TIMEOUT_S": "5",  # whoever waits for longer has his connection broken
    "DELETE_SWEEP_INTERVAL_S": "0.5",
    "DELETE_IDLE_S": "1",
}
IN_FLIGHT = re.compile(r"^http_requests_in_flight (\d+)", re.MULTILINE)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with Parts(tmp_path_factory.mktemp("parts"), settings=SETTINGS).up() as platform:
        yield platform


def stopped_meanwhile(parts: Parts, path: str, *callers: Api) -> list[httpx.Response]:
    """The answers to a DELETE of each, which wait for bots when the gateway is told to stop."""
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(caller.delete, path) for caller in callers]
        until(lambda: in_flight(parts) == len(callers), "they do not wait")
        parts.stop(GATEWAY)
        return [one.result() for one in waiting]


def in_flight(parts: Parts) -> int:
    """Requests at the gateway, beside the one that asks."""
    found = IN_FLIGHT.search(httpx.get(f"{parts.gateway_url}/metrics").text)
    assert found is not None
    return int(found[1]) - 1


def test_delete_that_waits_for_a_count_is_begun_and_followed(parts: Parts, admin: Api, trader: Api) -> None:
    bot(trader)
    path = f"/v1/users/{trader.user_id}"
    with parts.frozen("bots"):
        (answer,) = stopped_meanwhile(parts, path, trader)
        assert answer.status_code == 202, answer.text
    parts.start(GATEWAY)
    assert ended(admin, answer)["state"] == "done"
    problem(admin.get(path), 404, "not-found")


def test_deletes_that_wait_for_the_end_are_followed(parts: Parts, admin: Api, trader: Api) -> None:
    bot(trader)
    path = f"/v1/users/{trader.user_id}"
    with parts.frozen("bots"):
        begun = trader.delete(path, headers={"Prefer": "respond-async"})
        answers = stopped_meanwhile(parts, path, trader, admin)
        for answer in answers:
            assert (answer.status_code, answer.headers["Location"]) == (202, begun.headers["Location"])
    parts.start(GATEWAY)
    assert ended(admin, begun)["state"] == "done"
    problem(admin.get(path), 404, "not-found")
