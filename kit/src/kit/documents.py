"""The roots of what is stored: entities, their parts, and records that are neither.

Fields are snake_case in Python and camelCase in the store; `id` is `_id`. A document is a value: it may be made without
a database, and the app's store handle, never the class, says which database it goes to.
"""

import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from beanie import Document
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from kit.references.checks import bind_entity, check_part, check_record
from kit.references.declaration import Reference
from kit.references.rules import EntityRules, PartOf
from kit.store.hidden import INTENT_REFS
from kit.store.indexes import Index, index, index_fields, sparse_index


def stored_name(python_name: str) -> str:
    return "_id" if python_name == "id" else to_camel(python_name)


class Stored(Document):
    """Beanie gives the model and its index declarations; reading and writing is `kit.store`'s."""

    model_config = ConfigDict(alias_generator=stored_name, populate_by_name=True, validate_default=False)

    id: str = Field(alias="_id")  # type: ignore[assignment]  # Beanie's is an optional ObjectId

    if not TYPE_CHECKING:
        # Beanie's own refuse a document before a database is bound to its class, and look for lazily parsed values.
        __init__ = BaseModel.__init__
        __getattribute__ = object.__getattribute__

    @classmethod
    def collection_name(cls) -> str:
        settings = getattr(cls, "Settings", None)
        return str(getattr(settings, "name", "") or cls.__name__)

    @classmethod
    def declared_indexes(cls) -> tuple[Index, ...]:
        return tuple(getattr(getattr(cls, "Settings", None), "indexes", ()))


class Entity(Stored):
    """An aggregate with an id of its own, that others may refer to. `_intent`, `_token` and `_parent` are kit's."""

    rules: ClassVar[EntityRules]
    references: ClassVar[dict[str, Reference]] = {}  # by stored field name
    is_guarded: ClassVar[bool] = True
    """Whether it is created by `References.create` only: all but those that have a natural key and refer to nothing."""

    version: int = 1
    created_at: datetime
    updated_at: datetime

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not _is_collection(cls):
            return
        cls.references = bind_entity(cls)
        cls.is_guarded = bool(cls.references) or cls.rules.composite is None
        _index_references(cls)


class Part(Stored):
    """Belongs to one aggregate of the same database; is written only after a conditional write to it succeeded, never
    read without it, and removed after it."""

    part_of: ClassVar[PartOf]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if _is_collection(cls):
            check_part(cls)


class Record(Stored):
    """What a service keeps for itself (idempotency records, registries): refers to nothing and nothing refers to it."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if _is_collection(cls):
            check_record(cls)


def _is_collection(cls: type[Stored]) -> bool:
    return "Settings" in cls.__dict__


def _index_references(cls: type[Entity]) -> None:
    """A delete of a parent looks for children and for intents by what they refer to: both need an index."""
    if not cls.is_guarded:
        return
    settings = copy.copy(cls.__dict__["Settings"])
    declared = list(cls.declared_indexes())
    begun = {index_fields(one)[0] for one in declared}
    wanted = [tuple(reference.key) or (stored_field,) for stored_field, reference in cls.references.items()]
    declared += [index(*fields) for fields in wanted if fields[0] not in begun]
    declared.append(sparse_index(INTENT_REFS))
    settings.indexes = declared
    cls.Settings = settings
