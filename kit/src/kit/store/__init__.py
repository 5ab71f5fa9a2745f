"""The store, and the only folder that names its driver (motor, pymongo, bson)."""

from kit.store.client import Store, StoreClient
from kit.store.collection import Collection
from kit.store.errors import DuplicateKey, StoreContended, StoreUnavailable, UnguardedWrite, UnsuitableStore
from kit.store.indexes import Index, index

__all__ = [
    "Collection",
    "DuplicateKey",
    "Index",
    "Store",
    "StoreClient",
    "StoreContended",
    "StoreUnavailable",
    "UnguardedWrite",
    "UnsuitableStore",
    "index",
]
