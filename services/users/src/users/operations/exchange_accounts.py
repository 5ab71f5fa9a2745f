"""Exchange accounts: link, read, rename, verify, rotate. Credentials are at hand for one request and kept nowhere."""

import hmac
from dataclasses import dataclass
from typing import Any

from kit.identity import Caller, not_found
from kit.paging import PageRequest, SortFields, fetch_page
from kit.preconditions import check_if_match
from kit.problems import AlreadyExists, FieldError, IllegalTransition, ReferenceConditionFailed, ReferenceNotFound
from kit.references.attached import Attached
from kit.runtime import Runtime
from kit.store import DuplicateKey
from users.adapters.tools import Tools
from users.documents.exchange_accounts import ExchangeAccount, StoredValidity
from users.domain.exchange_accounts import Validity, key_digest, key_hint
from users.domain.roles import Role
from users.operations.erasure import is_erased, wipe
from users.operations.updates import decide_and_save, save
from users.problems import CredentialsMismatch
from users.schemas.exchange_accounts import Credentials, ExchangeAccountLink, ExchangeAccountPatch

NOUN = "exchange account"
ACCOUNT_SORT = SortFields(allowed={"createdAt": "createdAt", "exchangeName": "exchangeName"}, default="-createdAt")


@dataclass(frozen=True)
class AccountFilters:
    """What a list of accounts is narrowed to; None is everything the caller may see."""

    user_id: str | None
    exchange_name: str | None
    is_valid: bool | None

    def stored(self, caller: Caller) -> dict[str, Any]:
        wanted = {"userId": self.user_id, "exchangeName": self.exchange_name, "isValid": self.is_valid}
        narrowed: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
        if caller.has(Role.TREASURY):
            return narrowed
        return {"$and": [{"userId": caller.require_signed_in()}, narrowed]} if narrowed else {"userId": caller.id}


async def link_account(
    runtime: Runtime,
    tools: Tools,
    caller: Caller,
    body: ExchangeAccountLink,
    *,
    account_id: str,
    attached: Attached,
) -> ExchangeAccount:
    """Link an account to its owner.

    Raises ReferenceNotFound at /userId, ReferenceConditionFailed there if the owner is erased, AlreadyExists at
    /apiKey.
    """
    owner_id = body.user_id or caller.require_signed_in()
    if not caller.may_act_for(owner_id):
        raise _owner_not_found()
    accounts = runtime.store.collection(ExchangeAccount)
    made_before = await accounts.get(account_id)
    if made_before is not None:
        return made_before
    await _check_owner_not_erased(runtime, owner_id)
    api_key, api_secret = body.api_key.get_secret_value(), body.api_secret.get_secret_value()
    secret_hash = await tools.hasher.hash(api_secret)
    validity = await tools.verifier.verify(exchange_name=body.exchange_name, api_key=api_key, api_secret=api_secret)
    now = runtime.clock.now()
    account = ExchangeAccount(
        id=account_id,
        user_id=owner_id,
        exchange_name=body.exchange_name,
        account_nickname=body.account_nickname,
        api_key_hash=key_digest(api_key, tools.key_pepper),
        api_secret_hash=secret_hash,
        key_hint=key_hint(api_key),
        is_valid=validity.is_valid,
        validity=_stored(validity),
        created_at=now,
        updated_at=now,
    )
    try:
        linked = await runtime.references.create(account, attached)
    except DuplicateKey as taken:
        made_meanwhile = await accounts.get(account_id)
        if made_meanwhile is not None:
            return made_meanwhile
        raise _key_taken() from taken
    # Once more: an erase that came in between may have looked for accounts before this one was there.
    await _check_owner_not_erased(runtime, owner_id)
    return linked


async def get_account(runtime: Runtime, caller: Caller, account_id: str) -> ExchangeAccount:
    """One account, for its owner, treasury and admins. Raises NotFound for everybody else as for an unknown id."""
    account = await runtime.store.collection(ExchangeAccount).get(account_id)
    caller.require_owner(account.user_id if account else None, NOUN)
    if account is None:
        raise not_found(NOUN)
    return account


async def list_accounts(
    runtime: Runtime, caller: Caller, filters: AccountFilters, page: PageRequest
) -> tuple[list[ExchangeAccount], str | None]:
    """A page of the caller's own accounts; treasury and admins see everybody's."""
    caller.require_signed_in()
    accounts = runtime.store.collection(ExchangeAccount)
    return await fetch_page(accounts, filters.stored(caller), page, ACCOUNT_SORT, runtime.cursor_key)


async def rename_account(
    runtime: Runtime, caller: Caller, account_id: str, patch: ExchangeAccountPatch, if_match: int | None
) -> ExchangeAccount:
    """Change the nickname, or remove it with null. Raises NotFound, VersionMismatch, IllegalTransition."""

    async def attempt() -> ExchangeAccount | None:
        account = await get_account(runtime, caller, account_id)
        check_if_match(if_match, account.version)
        _check_not_erased(account, "change")
        given = "account_nickname" in patch.model_fields_set
        if not given or patch.account_nickname == account.account_nickname:
            return account
        if patch.account_nickname is None:
            return await save(runtime, account, {}, unset=["accountNickname"])
        return await save(runtime, account, {"accountNickname": patch.account_nickname})

    return await decide_and_save(attempt, if_match=if_match)


async def verify_account(
    runtime: Runtime,
    tools: Tools,
    caller: Caller,
    account_id: str,
    body: Credentials,
    *,
    action_id: str,
    if_match: int | None,
) -> ExchangeAccount:
    """Ask the exchange about the account's own credentials.

    Raises NotFound, CredentialsMismatch, VersionMismatch, IllegalTransition.
    """

    async def attempt() -> ExchangeAccount | None:
        account = await get_account(runtime, caller, account_id)
        if account.last_action_id == action_id:
            return account
        check_if_match(if_match, account.version)
        _check_not_erased(account, "verify")
        await _check_same_credentials(tools, account, body)
        validity = await _asked(tools, account, body)
        return await save(runtime, account, {**_validity_fields(validity), "lastActionId": action_id})

    return await decide_and_save(attempt, if_match=if_match)


async def rotate_account(
    runtime: Runtime,
    tools: Tools,
    caller: Caller,
    account_id: str,
    body: Credentials,
    *,
    action_id: str,
    if_match: int | None,
) -> ExchangeAccount:
    """Put new credentials in the place of the old ones, under the same id.

    Raises NotFound, AlreadyExists at /apiKey, VersionMismatch, IllegalTransition.
    """

    async def attempt() -> ExchangeAccount | None:
        account = await get_account(runtime, caller, account_id)
        if account.last_action_id == action_id:
            return account
        check_if_match(if_match, account.version)
        _check_not_erased(account, "rotate")
        api_key = body.api_key.get_secret_value()
        secret_hash = await tools.hasher.hash(body.api_secret.get_secret_value())
        changes = {
            "apiKeyHash": key_digest(api_key, tools.key_pepper),
            "apiSecretHash": secret_hash,
            "keyHint": key_hint(api_key),
            **_validity_fields(await _asked(tools, account, body)),
            "lastActionId": action_id,
        }
        return await save(runtime, account, changes)

    try:
        return await decide_and_save(attempt, if_match=if_match)
    except DuplicateKey as taken:
        raise _key_taken() from taken


async def _check_owner_not_erased(runtime: Runtime, owner_id: str) -> None:
    """Raises ReferenceConditionFailed, having wiped what was linked to an erased user all the same."""
    if await is_erased(runtime, owner_id):
        await wipe(runtime, owner_id)
        errors = [FieldError("/userId", ReferenceConditionFailed.code, "The user was erased.")]
        raise ReferenceConditionFailed("Nothing is linked to an erased user.", errors=errors)


def _check_not_erased(account: ExchangeAccount, action: str) -> None:
    """Raises IllegalTransition: nothing new goes into an account whose user was erased."""
    if account.is_erased:
        raise IllegalTransition("An erased account stays as it is.", from_="erased", action=action, allowed=[])


async def _check_same_credentials(tools: Tools, account: ExchangeAccount, body: Credentials) -> None:
    digest = key_digest(body.api_key.get_secret_value(), tools.key_pepper)
    if not hmac.compare_digest(digest, account.api_key_hash):
        raise _mismatch("/apiKey", "The account was linked with another key.")
    if not await tools.hasher.verify(account.api_secret_hash, body.api_secret.get_secret_value()):
        raise _mismatch("/apiSecret", "The account was linked with another secret.")


async def _asked(tools: Tools, account: ExchangeAccount, body: Credentials) -> Validity:
    return await tools.verifier.verify(
        exchange_name=account.exchange_name,
        api_key=body.api_key.get_secret_value(),
        api_secret=body.api_secret.get_secret_value(),
    )


def _stored(validity: Validity) -> StoredValidity:
    return StoredValidity(
        status=validity.status,
        reason=validity.reason,
        permissions=list(validity.permissions),
        checked_at=validity.checked_at,
    )


def _validity_fields(validity: Validity) -> dict[str, Any]:
    stored = _stored(validity).model_dump(mode="python", by_alias=True, exclude_none=True)
    return {"isValid": validity.is_valid, "validity": {**stored, "status": validity.status.value}}


def _owner_not_found() -> ReferenceNotFound:
    return ReferenceNotFound(errors=[FieldError("/userId", "reference-not-found", "There is no such user.")])


def _key_taken() -> AlreadyExists:
    errors = [FieldError("/apiKey", "already-exists", "This key of the exchange is linked already.")]
    return AlreadyExists("A key is linked once; rotate the account that has it.", errors=errors)


def _mismatch(pointer: str, detail: str) -> CredentialsMismatch:
    errors = [FieldError(pointer, "credentials-mismatch", detail)]
    return CredentialsMismatch("Verify takes the linked credentials; rotate takes new ones.", errors=errors)
