"""Who calls, and what a service may ask about them. Services check roles and the owner of every object themselves."""

from dataclasses import dataclass

from kit.problems import Forbidden, NotFound, Unauthenticated

USER = "user"
ENGINE = "engine"
TREASURY = "treasury"
ADMIN = "admin"
_INCLUDED = {TREASURY: frozenset({TREASURY, ADMIN})}


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller as the gateway knows it. `id` is None for an anonymous caller, and for the gateway's own calls.
    `scopes` is None where nothing narrows the roles (a token), else what an API key may do."""

    id: str | None
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None

    def has(self, role: str) -> bool:
        """Whether the caller has the role; an admin has the treasury's too."""
        return not self.roles.isdisjoint(_INCLUDED.get(role) or {role})

    def require_role(self, *roles: str) -> None:
        """Raises Unauthenticated for an anonymous caller, Forbidden unless the caller has one of the roles."""
        self.require_signed_in()
        if not any(self.has(role) for role in roles):
            raise Forbidden(f"This needs the role {' or '.join(roles)}.")

    def require_signed_in(self) -> str:
        """The caller's id; raises Unauthenticated for an anonymous caller."""
        if self.id is None:
            raise Unauthenticated("Sign in and send the access token as 'Authorization: Bearer'.")
        return self.id

    def may_act_for(self, owner_id: str) -> bool:
        return self.id is not None and (self.id == owner_id or self.has(TREASURY))

    def require_owner(self, owner_id: str | None, what: str) -> None:
        """Raises NotFound, as for an unknown id, unless the caller may act for the owner.
        `what` is the noun of the answer, such as "bot"; `owner_id` None means that the document was not found."""
        if owner_id is None or not self.may_act_for(owner_id):
            raise not_found(what)


ANONYMOUS = Caller(id=None)


def not_found(what: str) -> NotFound:
    """The one answer for an unknown id and for somebody else's, so that neither tells the other."""
    return NotFound(f"There is no such {what}.")
