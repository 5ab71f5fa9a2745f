"""Index declarations. Names are left to the store, since not every store keeps them, and no index is partial."""

from typing import TypeAlias

from pymongo import ASCENDING, IndexModel

Index: TypeAlias = IndexModel


def index(*fields: str | tuple[str, int], unique: bool = False) -> Index:
    """An index on stored (camelCase) names; a field may come with its direction, 1 or -1."""
    keys = [(field, ASCENDING) if isinstance(field, str) else field for field in fields]
    return IndexModel(keys, unique=True) if unique else IndexModel(keys)


def sparse_index(field: str) -> Index:
    """An index of only those documents that have the field."""
    return IndexModel([(field, ASCENDING)], sparse=True)


def index_fields(declared: Index) -> tuple[str, ...]:
    return tuple(declared.document["key"])


def is_unique(declared: Index) -> bool:
    return bool(declared.document.get("unique", False))


def is_sparse(declared: Index) -> bool:
    return bool(declared.document.get("sparse", False))
