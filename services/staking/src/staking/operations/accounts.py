"""Every kind of document that has accounts."""

from staking.documents.balance import TokenBalance
from staking.documents.campaign import RewardCampaign
from staking.documents.distribution import PoolDistribution
from staking.documents.movement import SystemAccount
from staking.documents.pool import PoolAllowance, StakingPool
from staking.documents.stake import UserStake
from staking.domain.balances import BALANCE_RULES
from staking.domain.pool_accounts import ALLOWANCE_RULES, POOL_RULES
from staking.domain.stake_accounts import CAMPAIGN_RULES, DISTRIBUTION_RULES, STAKE_RULES
from staking.domain.system_accounts import DUST, PENALTIES, SYSTEM_RULES, TREASURY, TREASURY_RULES
from staking.operations.ledger.kinds import AccountKind

KINDS = (
    AccountKind(ALLOWANCE_RULES, PoolAllowance),
    AccountKind(BALANCE_RULES, TokenBalance),
    AccountKind(CAMPAIGN_RULES, RewardCampaign),
    AccountKind(DISTRIBUTION_RULES, PoolDistribution),
    AccountKind(STAKE_RULES, UserStake),
    AccountKind(POOL_RULES, StakingPool, is_deletable=True),
    AccountKind(SYSTEM_RULES, SystemAccount, ids=frozenset({PENALTIES.id, DUST.id})),
    AccountKind(TREASURY_RULES, SystemAccount, ids=frozenset({TREASURY.id})),
)
