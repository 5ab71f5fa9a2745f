"""Distributions over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from kit.dependencies import CallerDep, RuntimeDep
from kit.problems import Forbidden, NotFound
from kit.responses import documented
from kit.routing import KitRoute
from staking.operations import distributions as operations
from staking.routes.ledger import LedgerDep
from staking.schemas.distributions import DistributionOut, DistributionRequest
from staking.schemas.fields import Period

router = APIRouter(prefix="/v1/staking/distributions", route_class=KitRoute, tags=["distributions"])

STATUS_BY_STATE = {operations.DONE: 200, operations.RUNNING: 202}


def present(progress: operations.Progress) -> DistributionOut:
    """A distribution as it travels."""
    return DistributionOut(
        period=progress.distribution.id,
        state=progress.distribution.state,
        stakes_paid=progress.stakes_paid,
        amount_paid=progress.amount_paid,
        pools_paid=progress.pools_paid,
        pools_spent=progress.pools_spent,
        started_at=progress.distribution.started_at,
        finished_at=progress.distribution.finished_at,
    )


@router.post(
    "",
    operation_id="distribute",
    responses={**documented(Forbidden), 202: {"description": "Under way: a worker goes on. Ask again for progress."}},
)
async def distribute(
    *, runtime: RuntimeDep, ledger: LedgerDep, caller: CallerDep, body: DistributionRequest, response: Response
) -> DistributionOut:
    """Pay every stake what it earned in a day, once; asked again, what is left of it (treasury)."""
    progress = await operations.request_distribution(runtime, ledger, caller, body.period)
    response.status_code = STATUS_BY_STATE[progress.distribution.state]
    response.headers["Location"] = f"/v1/staking/distributions/{body.period}"
    return present(progress)


@router.get("/{period}", operation_id="readDistribution", responses=documented(Forbidden, NotFound))
async def read_distribution(
    *, runtime: RuntimeDep, caller: CallerDep, period: Annotated[Period, Path()]
) -> DistributionOut:
    """How far a day's distribution is (treasury)."""
    return present(await operations.read_distribution(runtime, caller, period))
