"""Finds ids and references in a model's annotations, wherever they hide."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kit.ids import IdMarker
from kit.references.declaration import Reference

DEPTH_MAX = 16


@dataclass(frozen=True, slots=True)
class Found:
    """An id or a reference in an annotation. `path` is empty for the field itself."""

    reference: Reference | None
    nullable: bool
    path: tuple[str, ...]


def scan_field(field: FieldInfo) -> list[Found]:
    return list(_scan(field.annotation, list(field.metadata), nullable=False, path=(), depth=0))


def _scan(
    annotation: Any, metadata: list[Any], *, nullable: bool, path: tuple[str, ...], depth: int
) -> Iterator[Found]:
    if depth > DEPTH_MAX:
        return
    references = [one for one in metadata if isinstance(one, Reference)]
    if references or any(isinstance(one, IdMarker) for one in metadata):
        nullable = nullable or _takes_none(annotation)
        yield Found(references[0] if references else None, nullable, path)
        return
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        yield from _scan(inner, more, nullable=nullable, path=path, depth=depth + 1)
    elif origin in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        optional = nullable or len(members) < len(get_args(annotation))
        for member in members:
            yield from _scan(member, [], nullable=optional, path=path, depth=depth + 1)
    elif origin is not None:
        for argument in get_args(annotation):
            yield from _scan(argument, [], nullable=nullable, path=(*path, "*"), depth=depth + 1)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, inner_field in annotation.model_fields.items():
            yield from _scan(
                inner_field.annotation,
                list(inner_field.metadata),
                nullable=nullable,
                path=(*path, name),
                depth=depth + 1,
            )


def _takes_none(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation)
