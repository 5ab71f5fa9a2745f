"""Two real services behind a gateway, on one store in memory, for tests of audits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from mock_store import mock_client
from stub_platform import ADMIN
from two_services import TwoServices, two_services

QUICK = {
    "audit_recheck_s": 0.1,
    "audit_idle_s": 0.5,
    "audit_sweep_interval_s": 0.1,
    "delete_sweep_interval_s": 0.2,
}


class AuditedPlatform(TwoServices):
    @asynccontextmanager
    async def gateway(self, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A gateway of its own, and a client of it, signed in as an admin."""
        async with self.served(**{**QUICK, **settings}), self.client(ADMIN, "admin") as client:
            yield client


@asynccontextmanager
async def audited_platform(folder: Path) -> AsyncIterator[AuditedPlatform]:
    async with two_services(folder, mock_client()) as (people, office, issuer):
        yield AuditedPlatform(people, office, issuer, folder)
