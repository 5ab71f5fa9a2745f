"""The ledger as a parameter of routes."""

from typing import Annotated, Any

from fastapi import Depends, Request

from staking.operations.ledger.ledger import Ledger


async def _ledger(request: Request) -> Any:
    return request.app.state.ledger


LedgerDep = Annotated[Ledger, Depends(_ledger)]
