"""A request's query: only names that the operation takes, each once. A filter with a slip in its name would otherwise
give a longer list than was asked for."""

from collections.abc import Iterable
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant

from kit.problems import FieldError, InvalidRequest
from kit.strict_json import pointer_step

QUERY_FIELDS_MAX = 100


def query_names(dependant: Dependant) -> frozenset[str]:
    """The names of an operation's query parameters, those of what it depends on too."""
    own = {field.alias for field in dependant.query_params}
    return frozenset(own.union(*map(query_names, dependant.dependencies)))


def check_query(query: bytes, names: frozenset[str]) -> None:
    """Raises InvalidRequest for a name that isn't one of `names` or stands twice, and for what is not UTF-8."""
    if not query:
        return
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX
        )
    except ValueError:
        detail = f"Write at most {QUERY_FIELDS_MAX} name=value pairs with & between, percent-encoded UTF-8."
        raise InvalidRequest("The query cannot be read.", errors=[FieldError("", "not-a-query", detail)]) from None
    errors = list(_errors((name for name, _ in pairs), names))
    if errors:
        raise InvalidRequest("The parameters named in 'errors' are not taken.", errors=errors)


def _errors(given: Iterable[str], names: frozenset[str]) -> Iterable[FieldError]:
    seen: set[str] = set()
    for name in given:
        if name not in names:
            taken = f"The query takes: {', '.join(sorted(names))}." if names else "There is no query here."
            yield FieldError(pointer_step(name), "unknown-field", taken)
        elif name in seen:
            yield FieldError(pointer_step(name), "duplicate-key", "The same parameter stands twice in the query.")
        seen.add(name)
