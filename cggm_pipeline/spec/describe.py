"""What a field may hold, in words: `a positive integer`, `paper | released`, `a mapping with kind: adam | sgd`."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cggm_pipeline.spec.base import HUB_PATTERN, PATH_PATTERN, SLUG_PATTERN, Kind

_HUGE = 10**9
_TEXTS = {SLUG_PATTERN: "a name", PATH_PATTERN: "a path inside the project", HUB_PATTERN: "a hub id or a folder"}


@cache
def annotations_of(model: type[BaseModel]) -> dict[str, Any]:
    """The fields' annotations as they are written in the class, constraints included."""
    hints = get_type_hints(model, include_extras=True)
    return {name: hints[name] for name in model.model_fields}


def strip(annotation: Any) -> tuple[Any, dict[str, Any]]:
    """The bare type, and its constraints (`ge`, `gt`, `le`, `lt`, `pattern`, `min_length`, `max_length`)."""
    limits: dict[str, Any] = {}
    while get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
        for item in metadata:
            for part in item.metadata if isinstance(item, FieldInfo) else [item]:
                limits.update({key: value for key, value in _attributes(part) if value is not None})
    return annotation, limits


def _attributes(part: object) -> Iterator[tuple[str, Any]]:
    for name in ("ge", "gt", "le", "lt", "pattern", "min_length", "max_length"):
        yield name, getattr(part, name, None)


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, flattened; of anything else: itself."""
    bare, _ = strip(annotation)
    if get_origin(bare) in (Union, types.UnionType):
        return tuple(inner for member in get_args(bare) for inner in members(member))
    return (annotation,)


def kinds(annotation: Any) -> dict[str, type[Kind]]:
    """The kinds of a union of kinds (or of a single one), by name; empty for anything else."""
    found: dict[str, type[Kind]] = {}
    for member in members(annotation):
        bare, _ = strip(member)
        if isinstance(bare, type) and issubclass(bare, Kind):
            found[get_args(strip(annotations_of(bare)["kind"])[0])[0]] = bare
    return found


def describe(annotation: Any) -> str:
    """What may stand in a field of this annotation, as a noun phrase."""
    if named := kinds(annotation):
        mapping = f"a mapping with kind: {' | '.join(named)}"
        return mapping + (" or null" if type(None) in members(annotation) else "")
    return " or ".join(dict.fromkeys(_describe_one(*strip(member)) for member in members(annotation)))


def _describe_one(bare: Any, limits: dict[str, Any]) -> str:
    origin = get_origin(bare)
    if origin is Literal:
        return " | ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in get_args(bare))
    if origin is tuple:
        return _describe_list(get_args(bare))
    if bare in (int, float):
        return _describe_number("integer" if bare is int else "number", limits)
    if bare is str:
        return _TEXTS.get(limits.get("pattern", ""), "text")
    simple = {bool: "true | false", type(None): "null", Any: "anything"}
    return simple.get(bare, "a mapping")


def _describe_list(items: tuple[Any, ...]) -> str:
    if len(items) == 2 and items[1] is Ellipsis:
        return f"a list, each item {describe(items[0])}"
    return f"a list of {len(items)}, each {describe(items[0])}"


def _describe_number(noun: str, limits: dict[str, Any]) -> str:
    article = "an" if noun == "integer" else "a"
    upper = {key: limits[key] for key in ("le", "lt") if key in limits and limits[key] < _HUGE}
    if not upper and (limits.get("gt") == 0 or (limits.get("ge") == 1 and noun == "integer")):
        return f"a positive {noun}"
    low = f"[{limits['ge']}" if "ge" in limits else f"({limits['gt']}" if "gt" in limits else ""
    if low and upper:
        return (
            f"{article} {noun} in {low}, {upper['le']}]"
            if "le" in upper
            else f"{article} {noun} in {low}, {upper['lt']})"
        )
    if low:
        return (
            f"{article} {noun} of at least {limits['ge']}"
            if "ge" in limits
            else f"{article} {noun} above {limits['gt']}"
        )
    return f"{article} {noun}"
