"""What a declaration must keep to. Checked when a class is made and once more when an app is built of its classes."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kit.references.declaration import RESTRICT, DeclarationError, Reference, Target
from kit.references.domination import unreferable, violations
from kit.references.rules import EntityRules, PartOf
from kit.references.scan import Found, scan_field
from kit.store.indexes import index_fields, is_unique

if TYPE_CHECKING:
    from kit.documents import Entity, Part, Record, Stored

REFERENCES_MAX = 16


def bind_entity(cls: "type[Entity]") -> dict[str, Reference]:
    """Bind the references of an entity and return them by stored field name. Raises DeclarationError."""
    rules = cls.__dict__.get("rules")
    if not isinstance(rules, EntityRules):
        raise DeclarationError(
            f'{cls.__name__}: an Entity needs `rules: ClassVar[EntityRules] = EntityRules(key="...Id")`'
        )
    references: dict[str, Reference] = {}
    for stored, found in _found(cls):
        where = f"{cls.__name__}.{stored}"
        if found.path:
            raise DeclarationError(
                f"{where} hides an id or a reference at {'.'.join(found.path)}: "
                "a reference is a field of the document itself"
            )
        if found.reference is None:
            if stored != "_id":
                raise DeclarationError(
                    f"{where} is an Id, but neither the key nor a reference: annotate it with a Reference, or, "
                    "if it names nothing that must exist, make it a plain str"
                )
            continue
        if stored == "_id":
            raise DeclarationError(f"{where}: the key can't be a reference; keep the parent's id in a field of its own")
        found.reference.bind(cls.collection_name(), stored, nullable=found.nullable)
        references[stored] = found.reference
    if len(references) > REFERENCES_MAX:
        raise DeclarationError(f"{cls.__name__} has {len(references)} references; at most {REFERENCES_MAX} are taken")
    _check_child_fields(cls, references)
    _check_rules(cls, rules)
    return references


def check_part(cls: "type[Part]") -> None:
    part_of = cls.__dict__.get("part_of")
    if not isinstance(part_of, PartOf):
        raise DeclarationError(
            f'{cls.__name__}: a Part needs `part_of: ClassVar[PartOf] = PartOf(entity="...", field="...Id")`'
        )
    if part_of.field not in stored_fields(cls):
        raise DeclarationError(f"{cls.__name__}: part_of names {part_of.field}, which is no stored field of it")
    for stored, found in _found(cls):
        if found.reference is not None or found.path or stored not in ("_id", part_of.field):
            raise DeclarationError(
                f"{cls.__name__}.{stored}: besides its key a Part holds one id, its aggregate's ({part_of.field})"
            )


def check_record(cls: "type[Record]") -> None:
    for stored, found in _found(cls):
        if found.reference is not None or found.path or stored != "_id":
            raise DeclarationError(
                f"{cls.__name__}.{stored}: a Record refers to nothing; make it an Entity, or the field a str"
            )


def check_service(documents: Iterable["type[Stored]"]) -> None:
    """Whether one service's declarations agree with each other. Raises DeclarationError."""
    from kit.documents import Entity, Part  # noqa: PLC0415 (documents are checked by this module when they are made)

    classes = list(documents)
    by_name: dict[str, type[Stored]] = {}
    for cls in classes:
        other = by_name.setdefault(cls.collection_name(), cls)
        if other is not cls:
            raise DeclarationError(f"{other.__name__} and {cls.__name__} are both called {cls.collection_name()}")
    entities: dict[str, type[Entity]] = {name: cls for name, cls in by_name.items() if issubclass(cls, Entity)}
    for cls in classes:
        if issubclass(cls, Part) and cls.part_of.entity not in entities:
            raise DeclarationError(
                f"{cls.__name__} is a part of {cls.part_of.entity}, which is no entity of this service"
            )
    for entity in entities.values():
        for reference in entity.references.values():
            for target in reference.targets():
                if target.entity in entities:
                    _check_target(reference, target, entities[target.entity])
            if reference.via is not None:
                _check_via(entity, reference, entities)
    _check_deletes(classes)


def _check_deletes(documents: "list[type[Stored]]") -> None:
    """What the gateway refuses of all services' references together, found here where it shows in this one's alone."""
    from kit.references.publication import published_entities  # noqa: PLC0415 (see above)

    published = published_entities(documents)
    for wrong in (*unreferable(published), *violations(published)):
        raise DeclarationError(str(wrong))


def stored_fields(cls: "type[Stored]") -> set[str]:
    return {field.alias or name for name, field in cls.model_fields.items()}


def _found(cls: "type[Stored]") -> Iterable[tuple[str, Found]]:
    for name, field in cls.model_fields.items():
        if name == "revision_id":
            continue
        for found in scan_field(field):
            yield field.alias or name, found


def _check_child_fields(cls: "type[Entity]", references: Mapping[str, Reference]) -> None:
    known = stored_fields(cls)
    for stored, reference in references.items():
        named: list[tuple[str, Iterable[str]]] = [("key", reference.key)]
        for target in reference.targets():
            named += [("match", target.match), ("copy", target.copy)]
        if reference.by is not None:
            named.append(("by", [reference.by]))
        if reference.via is not None:
            named.append(("via", [reference.via] if isinstance(reference.via, str) else list(reference.via.values())))
        for option, fields in named:
            for one in fields:
                if one not in known:
                    raise DeclarationError(
                        f"{reference.relationship}: `{option}` names {one}, which is no stored field of {cls.__name__}"
                    )
        if reference.key and stored not in reference.key:
            raise DeclarationError(f"{reference.relationship}: `key` must hold the field itself, {stored}")


def _check_rules(cls: "type[Entity]", rules: EntityRules) -> None:
    known = stored_fields(cls)
    owners = [rule.field for rule in rules.referable_by if hasattr(rule, "field")]
    for option, fields in (
        ("exposes", rules.exposes),
        ("conditions", rules.conditions),
        ("composite", rules.composite or ()),
        ("referable_by", owners),
    ):
        for one in fields:
            if one not in known:
                raise DeclarationError(f"{cls.__name__}.rules: `{option}` names {one}, which is no stored field of it")
    if rules.composite is not None:
        unique = {index_fields(one) for one in cls.declared_indexes() if is_unique(one)}
        if rules.composite not in unique:
            raise DeclarationError(
                f"{cls.__name__}.rules: the natural key {rules.composite} needs a unique index on exactly these fields"
            )


def _check_target(reference: Reference, target: Target, parent: "type[Entity]") -> None:
    readable = parent.rules.readable()
    for option, fields in (("match", target.match), ("copy", target.copy)):
        for one in fields.values():
            if one not in readable:
                raise DeclarationError(
                    f"{reference.relationship}: `{option}` names {target.entity}.{one}, which {parent.__name__} "
                    "does not expose: its rules may expose immutable fields that are not personal"
                )
    if target.key and tuple(target.key.values()) != parent.rules.composite:
        raise DeclarationError(
            f"{reference.relationship}: `key` names {tuple(target.key.values())} of {target.entity}, "
            f"whose natural key is {parent.rules.composite}"
        )


def _check_via(cls: "type[Entity]", reference: Reference, entities: Mapping[str, "type[Entity]"]) -> None:
    """`via` holds only if the other reference leads to a document that itself must keep the same parent alive."""
    steps: Iterable[tuple[str | None, str]] = (
        [(None, reference.via)] if isinstance(reference.via, str) else list((reference.via or {}).items())
    )
    for value, stored in steps:
        through = cls.references.get(stored)
        if through is None or through.on_delete is not RESTRICT:
            raise DeclarationError(
                f"{reference.relationship}: `via` names {stored}, which is no reference with RESTRICT"
            )
        targets = [target for target in through.targets() if value is None or target.value == value]
        if not targets:
            raise DeclarationError(f"{reference.relationship}: `via` names {value!r}, which {stored} has no parent for")
        for target in targets:
            _check_via_target(reference, target, entities)


def _check_via_target(reference: Reference, target: Target, entities: Mapping[str, "type[Entity]"]) -> None:
    middle = entities.get(target.entity)
    if middle is None:
        raise DeclarationError(
            f"{reference.relationship}: `via` leads to {target.entity}, which is of another database"
        )
    matched: Any = target.match.get(reference.field or "")
    onward = middle.references.get(matched)
    if onward is None or onward.on_delete is not RESTRICT or onward.parent != reference.parent:
        raise DeclarationError(
            f"{reference.relationship}: `via` needs {target.entity} to hold the same parent by `match`, "
            "in a reference with RESTRICT"
        )
