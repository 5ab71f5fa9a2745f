"""The accounts that belong to nobody, in the store."""

from kit.store import Store
from staking.documents.movement import SystemAccount
from staking.domain.system_accounts import SYSTEM_ACCOUNTS


async def ensure_system_accounts(store: Store) -> None:
    """Makes those that are missing, empty. Any number of replicas may do so at once."""
    await store.collection(SystemAccount).insert_many([SystemAccount(id=account.id) for account in SYSTEM_ACCOUNTS])
