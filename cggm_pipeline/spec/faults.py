"""What pydantic found, in this program's words: place, what was found, what is allowed, what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from cggm_pipeline.errors import Problem
from cggm_pipeline.spec.advice import advice, count_of, foreign_letter, quoted, slug_hint
from cggm_pipeline.spec.base import SLUG_RULE, Kind
from cggm_pipeline.spec.describe import annotations_of, describe, kinds, members, strip
from cggm_pipeline.spec.layers import Finding, Stack
from cggm_pipeline.spec.load import Keys
from cggm_pipeline.spec.nearest import did_you_mean, listed
from cggm_pipeline.spec.text import MAX_TOLD, capped


@dataclass(frozen=True)
class _Spot:
    """Where a pydantic location leads: keys of the document, what may stand there, the class around it."""

    path: Keys
    annotation: Any
    owner: type[BaseModel]
    is_key: bool = False
    around: Any = None

    @property
    def optional(self) -> bool:
        """Whether the field has a default."""
        fields = self.owner.model_fields
        return str(self.path[-1]) in fields and not fields[str(self.path[-1])].is_required()


def findings(error: ValidationError, root: type[BaseModel], stack: Stack) -> list[Finding]:
    """Every fault of a document that `root` refused, at most one for each place and reason."""
    found: dict[tuple[Keys, str], Finding] = {}
    for detail in error.errors(include_url=False, include_context=False):
        if len(found) >= MAX_TOLD:
            break
        spot = _walk(root, detail["loc"])
        kind = detail["type"]
        reason = kind if kind in ("extra_forbidden", "missing") else "value"
        found.setdefault((spot.path, reason), _finding(kind, spot, detail["input"], stack))
    deeper = {path[:length] for path, _ in found for length in range(len(path))}
    meant = {(path[:-1], f"'{key}' is missing") for path, _ in found for key in _meant(found, path)}
    # A union that is not told apart by kind reports every branch: the branch that got furthest is meant. A key that is
    # missing because it is misspelt is one fault, not two.
    return [
        finding
        for (path, reason), finding in found.items()
        if (reason != "value" or path not in deeper) and (finding.path, finding.message) not in meant
    ]


def problems_of(
    error: ValidationError, root: type[BaseModel], stack: Stack, known: Sequence[Problem] = ()
) -> list[Problem]:
    """The same as problems in files, without those that stand at the place of a `known` one, and without `version`."""
    places = {(problem.file, problem.line, problem.column) for problem in known if problem.key}
    found = capped(stack.problem(finding) for finding in findings(error, root, stack) if "version" not in finding.path)
    return [
        problem
        for problem in found
        if (problem.file, problem.line, problem.column) not in places and problem.message != "'version' is missing"
    ]


def _meant(found: dict[tuple[Keys, str], Finding], path: Keys) -> list[str]:
    """The key that an unknown key at `path` was meant to be."""
    unknown = found.get((path, "extra_forbidden"))
    return re.findall(r"did you mean '(.*)'\?", unknown.hint) if unknown else []


def _walk(root: type[BaseModel], location: Sequence[int | str]) -> _Spot:
    path: Keys = ()
    here: Any = root
    owner = root
    rest = list(location)
    around: Any = root
    while rest:
        named = kinds(here)
        if len(named) > 1:
            here = named[str(rest.pop(0))]
            continue
        if _labelled(here):
            rest.pop(0)  # the label of a branch ("float", "dict[...]"): no key of the document
            if not rest:
                break
        model = next((bare for bare, _ in map(strip, members(here)) if _is_model(bare)), None)
        container = next((bare for bare, _ in map(strip, members(here)) if get_origin(bare) in (dict, tuple)), None)
        if model is not None:
            owner, name = model, str(rest.pop(0))
            path, here = (*path, name), annotations_of(model).get(name, Any)
        elif container is not None and (get_origin(container) is dict) == isinstance(rest[0], str):
            key, around = rest.pop(0), container
            path, here = (*path, key), _item(container, key)
            if rest == ["[key]"]:
                return _Spot(path, get_args(container)[0], owner, is_key=True)
        else:
            rest.pop(0)
    return _Spot(path, here, owner, around=around)


def _labelled(annotation: Any) -> bool:
    """Whether pydantic's locations name the branch of this union: it is plain, and has more branches than null."""
    return sum(strip(member)[0] is not type(None) for member in members(annotation)) > 1


def _is_model(bare: Any) -> bool:
    return isinstance(bare, type) and issubclass(bare, BaseModel)


def _item(container: Any, key: int | str) -> Any:
    arguments = get_args(container)
    if isinstance(key, str):
        return arguments[1]
    return arguments[0] if arguments[-1] is Ellipsis else arguments[min(key, len(arguments) - 1)]


def _finding(kind: str, spot: _Spot, value: Any, stack: Stack) -> Finding:
    if kind == "extra_forbidden":
        return _unknown_key(spot, stack)
    if kind == "missing" and isinstance(spot.path[-1], int):
        kind, spot = "too_short", _Spot(spot.path[:-1], spot.around, spot.owner)
    if kind == "missing":
        name = str(spot.path[-1])
        return Finding(spot.path[:-1], f"'{name}' is missing", describe(spot.annotation), f"add {name}:", on="key")
    if spot.is_key:
        name = str(spot.path[-1])
        return Finding(spot.path, f"{quoted(name)} is not a name", SLUG_RULE, slug_hint(name), on="key")
    if kind == "union_tag_invalid":
        return _unknown_kind(spot, value)
    if kind == "union_tag_not_found":
        return Finding(spot.path, "'kind' is missing", listed(kinds(spot.annotation)), "add kind:", on="key")
    if kind in ("too_short", "too_long"):
        few = {"too_short": "has too few items", "too_long": "has too many items"}[kind]
        return Finding(spot.path, f"{stack.written(spot.path)} {few}", count_of(spot.annotation))
    return _wrong_value(kind, spot, value, stack)


def _unknown_key(spot: _Spot, stack: Stack) -> Finding:
    name, owner = str(spot.path[-1]), spot.owner
    beside = stack.beside(spot.path)
    hint, _ = did_you_mean(name, [field for field in owner.model_fields if field not in beside])
    hint = hint or foreign_letter(name)
    of = next(iter(kinds(owner))) if issubclass(owner, Kind) else owner.__name__.lower()
    allowed = listed(field for field in owner.model_fields if field != "kind" or not issubclass(owner, Kind))
    return Finding(spot.path, f"not a parameter of {of}", allowed or "none", hint, on="key")


def _unknown_kind(spot: _Spot, value: Any) -> Finding:
    path = (*spot.path, "kind")
    tag = value.get("kind") if isinstance(value, dict) else value
    what = next((key for key in reversed(spot.path) if isinstance(key, str)), "document")
    hint, allowed = did_you_mean(str(tag), kinds(spot.annotation))
    return Finding(
        path,
        f"{quoted(tag)} is not a kind of {what.removesuffix('s') if what == 'transforms' else what}",
        allowed,
        hint,
    )


def _wrong_value(kind: str, spot: _Spot, value: Any, stack: Stack) -> Finding:
    written = stack.written(spot.path)
    if kind in ("less_than_equal", "string_too_long"):
        limits = next((limits for _, limits in map(strip, members(spot.annotation)) if limits), {})
        if kind == "string_too_long":
            return Finding(spot.path, f"{written} is too long", f"at most {limits.get('max_length')} characters")
        return Finding(spot.path, f"{written} is more than {limits.get('le')}", describe(spot.annotation))
    if value is None and spot.optional:
        return Finding(spot.path, f"{written} is not {describe(spot.annotation)}", hint="remove it to get the default")
    hint, allowed = advice(spot.annotation, value)
    return Finding(spot.path, f"{written} is not {describe(spot.annotation)}", allowed, hint)
