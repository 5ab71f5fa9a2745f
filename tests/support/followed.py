"""What is answered 202 and read until it has ended: deletions and audits."""

from functools import partial
from typing import Any

import httpx
from api import Api
from processes import until

ENDED_S = 60.0
FINAL = {"done", "refused", "overtaken", "abandoned", "failed"}


def ended(api: Api, answer: httpx.Response) -> dict[str, Any]:
    """How it ended."""
    assert answer.status_code == 202, answer.text
    fetch = partial(api.fetched, answer.headers["Location"])
    until(lambda: fetch()["state"] in FINAL, "it did not end", ENDED_S)
    return fetch()


def deleted(api: Api, path: str) -> None:
    """A DELETE that must succeed, at once or after a while."""
    answer = api.delete(path)
    if answer.status_code != 204:
        assert ended(api, answer)["state"] == "done"
