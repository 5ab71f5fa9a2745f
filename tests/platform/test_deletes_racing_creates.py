"""Creates race deletes of what they refer to, through two gateways and two replicas: nothing dangles, and the usual way
leaves what does. The same clients and the same count on either side; `make bench` runs ten times as many."""

import asyncio
import sys
from collections.abc import Iterator

import pytest
from api import Api
from parts import Parts

from bench.races import CREATES_PER_PARENT, Raced, platform_arena, race, usual_platform
from deploy.local.plan import GATEWAY

CREATES = 1_000
# What a create and a delete may be told: by the validation, or by whoever found the parent's closure.
CREATES_TOLD = {"201", "409 reference-closed", "422 reference-not-found"}
DELETES_TOLD = {"202", "204", "409 delete-restricted"}


@pytest.fixture(scope="module")
def parts(store_url: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    planned = Parts(tmp_path_factory.mktemp("parts"), store_url=store_url, replicas={GATEWAY: 2, "bots": 2})
    with planned.up() as platform:
        yield platform


def shown(raced: Raced) -> Raced:
    sys.stdout.write(f"{raced}\n")
    return raced


def test_nothing_dangles_where_the_usual_way_leaves_what_does(parts: Parts, admin: Api) -> None:
    assert admin.token is not None
    arena = platform_arena(parts.gateway_urls, admin.token, parts.store_url, parts.prefix)
    ours = shown(asyncio.run(race(arena, CREATES)))
    with usual_platform(parts.store_url) as control:
        usual = shown(asyncio.run(race(control, CREATES)))

    assert ours.dangling == []
    assert usual.dangling
    assert (ours.lost, ours.unfinished) == ([], [])
    for raced in (ours, usual):
        assert raced.creates.total() == CREATES
        assert raced.deletes.total() == CREATES // CREATES_PER_PARENT
        assert raced.creates["201"]
    assert ours.creates.keys() <= CREATES_TOLD
    assert ours.deletes.keys() <= DELETES_TOLD
    assert ours.creates["409 reference-closed"]  # creates that were validated, and met the closure
    assert ours.deletes["409 delete-restricted"]
