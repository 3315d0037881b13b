"""Resolved specs: whole documents with every default written out, canonical, and the same in YAML 1.1 and 1.2."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from cggm_pipeline.errors import SpecError
from cggm_pipeline.spec.base import Spec
from cggm_pipeline.spec.faults import findings
from cggm_pipeline.spec.layers import Layer, Stack
from cggm_pipeline.spec.load import read
from cggm_pipeline.spec.scalars import value_of

S = TypeVar("S", bound=Spec)


class _Dumper(yaml.CSafeDumper):
    """Block mappings, flow lists of scalars; text that either YAML would read as something else is quoted."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    plain = isinstance(value_of(text), str) and text.isprintable() and "_" not in text[:1]
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


def _list(dumper: yaml.CSafeDumper, items: list[Any]) -> yaml.SequenceNode:
    flat = not any(isinstance(item, dict | list) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flat)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def dump(model: Spec) -> str:
    """The canonical YAML text of a spec: all fields in their order, floats as `1.0e-05`, a trailing newline."""
    return dump_data(model.model_dump(mode="json"))


def dump_data(data: dict[str, Any]) -> str:
    """The canonical YAML text of plain data."""
    text: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=4096
    )
    return text


def load_resolved(path: Path | str, cls: type[S]) -> S:
    """Read a resolved document as `cls`. Raises SpecError with the place of every fault."""
    document = read(Path(path))
    if document.problems:
        raise SpecError(document.problems)
    stack = Stack([Layer(document)])
    try:
        return cls.model_validate(stack.data)
    except ValidationError as error:
        raise SpecError([stack.problem(finding) for finding in findings(error, cls, stack)]) from None
