"""The ledger on a store of its own, without the service around it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from mock_store import Faults, FaultyMotor, mock_motor

from kit.clock import Clock, SystemClock
from kit.documents import Record
from kit.ids import new_id
from kit.store import Store, StoreClient
from staking.documents.balance import BalanceEntry, TokenBalance
from staking.documents.movement import LedgerSweep, MovementRecord, SystemAccount
from staking.domain.balances import BALANCE_RULES, available, staked
from staking.domain.ledger import Account, Effect, Guard, Leg, Movement
from staking.domain.ledger_kinds import AmountField, KindRules
from staking.domain.system_accounts import DUST, PENALTIES, SYSTEM_RULES, TREASURY, TREASURY_RULES
from staking.operations.audit.accounts import audit_accounts
from staking.operations.audit.books import audit_movements
from staking.operations.audit.report import AuditReport
from staking.operations.audit.statements import audit_statements
from staking.operations.ledger.kinds import AccountKind, EffectHandler
from staking.operations.ledger.ledger import Ledger
from staking.operations.system_accounts import ensure_system_accounts

AT_ONCE = timedelta(0)
OMNI = 100_000_000


class Vault(Record):
    """An account of the tests': it may be filled up to a limit, and remembers how far it was paid."""

    amount: int = 0
    room: int = 0
    paid_through: int = 0
    ticks: int = 0
    version: int = 1
    marks: dict[str, Any] = {}  # noqa: RUF012 (pydantic copies it)

    class Settings:
        name = "vaults"


VAULT_RULES = KindRules(
    name="vault",
    amounts=(AmountField("amount"), AmountField("room")),
    reads=("paidThrough", "ticks"),
    on_change=lambda fields, _: {"ticks": fields.get("ticks", 0) + 1},
)
DOCUMENTS = (TokenBalance, BalanceEntry, MovementRecord, LedgerSweep, SystemAccount, Vault)
KINDS = (
    AccountKind(BALANCE_RULES, TokenBalance),
    AccountKind(SYSTEM_RULES, SystemAccount, ids=frozenset({PENALTIES.id, DUST.id})),
    AccountKind(TREASURY_RULES, SystemAccount, ids=frozenset({TREASURY.id})),
    AccountKind(VAULT_RULES, Vault),
)


def vault(vault_id: str, name: str = "amount") -> Account:
    return Account("vault", vault_id, name)


def movement(
    *legs: tuple[Account, int],
    id_: str | None = None,
    guards: Iterable[Guard] = (),
    effects: Iterable[Effect] = (),
    clock: Clock | None = None,
) -> Movement:
    at = (clock or SystemClock()).now()
    id_ = id_ or new_id()
    legs_ = tuple(Leg(*leg) for leg in legs)
    return Movement(id_, "test", "test", legs_, at, guards=tuple(guards), effects=tuple(effects))


def credit(user_id: str, amount: int, *, id_: str | None = None) -> Movement:
    return movement((available(user_id), amount), (TREASURY, -amount), id_=id_)


def debit(user_id: str, amount: int) -> Movement:
    return movement((available(user_id), -amount), (TREASURY, amount))


def lock(user_id: str, amount: int) -> Movement:
    return movement((available(user_id), -amount), (staked(user_id), amount))


def unlock(user_id: str, amount: int) -> Movement:
    return movement((staked(user_id), -amount), (available(user_id), amount))


@dataclass
class Bank:
    """One store and any number of processes on it: each `process()` is a ledger with a connection of its own."""

    client: StoreClient
    name: str = "omnitrade_staking"
    clock: Clock = field(default_factory=SystemClock)
    effects: Mapping[str, EffectHandler] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return self.client.database(self.name)

    async def prepare(self, *user_ids: str, vaults: Iterable[Vault] = ()) -> None:
        await self.store.prepare(DOCUMENTS)
        await self.open(*user_ids, vaults=vaults)

    async def open(self, *user_ids: str, vaults: Iterable[Vault] = ()) -> None:
        await ensure_system_accounts(self.store)
        now = self.clock.now()
        empty = {
            "available": 0,
            "staked": 0,
            "hasEntries": True,
            "entryCount": 0,
            "marks": {},
            "version": 1,
            "edition": 1,
        }
        rows = [{**empty, "_id": id_, "userId": id_, "createdAt": now, "updatedAt": now} for id_ in user_ids]
        if rows:
            await self.store.rows("user_token_balances").insert_many(rows)
        if vaults:
            await self.store.collection(Vault).insert_many(list(vaults))

    def process(self, client: StoreClient | None = None) -> Ledger:
        store = (client or self.client).database(self.name)
        return Ledger(store, self.clock, kinds=KINDS, effects=self.effects)

    async def heal(self) -> None:
        """What a sweeper of a process that lives does after a while."""
        ledger = self.process()
        await ledger.sweep(older_than=AT_ONCE - timedelta(seconds=60))
        await ledger.close()

    async def audit(self) -> AuditReport:
        report = AuditReport()
        books = await audit_movements(self.store, report, entry_kinds=[BALANCE_RULES.name])
        await audit_accounts(self.store, KINDS, books, report)
        await audit_statements(self.store, report)
        return report

    async def healed(self) -> AuditReport:
        """The audit after a sweep: nothing is under way any more, and everything could be compared."""
        await self.heal()
        report = await self.audit()
        assert "movements under way" not in report.counted
        assert report.unsettled == 0
        return report

    async def balance(self, user_id: str) -> TokenBalance:
        found = await self.store.collection(TokenBalance).get(user_id)
        assert found is not None
        return found

    async def vault(self, vault_id: str) -> Vault:
        found = await self.store.collection(Vault).get(vault_id)
        assert found is not None
        return found

    async def system(self, account: Account) -> int:
        found = await self.store.collection(SystemAccount).get(account.id)
        assert found is not None
        return found.amount

    async def entries(self, user_id: str) -> list[BalanceEntry]:
        return await self.store.collection(BalanceEntry).find({"userId": user_id}, sort=[("sequence", 1)], limit=10_000)


def mortal(inner: Any, seed: int = 0) -> tuple[StoreClient, Faults]:
    """A connection of one process to the store `inner`, that yields at every operation and can be cut."""
    faults = Faults(seed)
    return StoreClient.from_motor(FaultyMotor(faults, inner)), faults


def die_at(faults: Faults, operation: int, *, answered: bool) -> None:
    """The process dies at its operation number `operation`: before it, or (not `answered`) after it took effect."""
    if not answered:
        faults.add("lose", skip=operation)
    faults.add("refuse", skip=operation, times=1_000_000)


@dataclass(frozen=True)
class Scene:
    """A user with something available, and two empty vaults."""

    bank: Bank
    inner: Any
    user: str
    v: str
    w: str


async def first_scene(amount: int = 100) -> Scene:
    inner = mock_motor()
    bank = Bank(StoreClient.from_motor(inner))
    await bank.prepare()
    return await next_scene(Scene(bank, inner, "", "", ""), amount)


async def next_scene(before: Scene, amount: int = 100) -> Scene:
    """On the same store, which is what takes time to make."""
    scene = replace(before, user=new_id(), v=f"v-{new_id()}", w=f"w-{new_id()}")
    await scene.bank.open(scene.user, vaults=[Vault(id=scene.v), Vault(id=scene.w)])
    ledger = scene.bank.process()
    await ledger.post(credit(scene.user, amount))
    await ledger.close()
    return scene
