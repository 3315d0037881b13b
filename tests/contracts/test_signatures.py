"""Law 5: what comes from the spec is keyword-only, what comes from the program positional, and both sides agree."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

import cggm_pipeline
from cggm_pipeline.build.rooms import specs
from cggm_pipeline.build.tables import CLASSIFIERS, TABLES, implementation
from cggm_pipeline.data.transforms.base import FrontEnd
from cggm_pipeline.spec.base import Kind
from cggm_pipeline.spec.modulations import Classifiers

FOLDERS = {
    "losses": "tasks/losses",
    "sources": "data/sources",
    "transforms": "data/transforms",
    "augmentations": "data/augmentations",
    "patterns": "data/patterns",
    "predictors": "evaluation/predictors",
}
RUNTIME: Mapping[str, set[str]] = {
    "encoders": {"shape"},
    "fills": {"widths", "lengths"},
    "fusions": {"widths"},
    "tasks": {"out_features"},
    "losses": set(),
    "modulations": {"parts", "modules", "encoders", "classifiers", "head", "fusion", "loss", "score"},
    "schedules": {"modalities"},
    "patterns": {"modalities"},
    "adapters": set(),
    "predictors": {"task"},
}
MEMBERS = [(room, kind) for room, table in TABLES.items() for kind in table]


@pytest.mark.parametrize("room", TABLES)
def test_every_kind_of_the_specs_is_in_the_table_and_no_other(room: str) -> None:
    assert set(TABLES[room]) == set(specs(room))


@pytest.mark.parametrize(("room", "kind"), MEMBERS)
def test_the_kind_is_the_files_name_and_the_class_is_the_specs(room: str, kind: str) -> None:
    place = TABLES[room][kind]
    folder = FOLDERS.get(room, room)
    assert place == f"cggm_pipeline.{folder.replace('/', '.')}.{kind}:{specs(room)[kind].__name__}"
    assert (Path(cggm_pipeline.__file__).parent / folder / f"{kind}.py").is_file()
    assert inspect.getdoc(implementation(place))


@pytest.mark.parametrize(("room", "kind"), MEMBERS)
def test_keyword_parameters_are_the_specs_fields(room: str, kind: str) -> None:
    spec, parameters = specs(room)[kind], inspect.signature(implementation(TABLES[room][kind])).parameters.values()
    keyword = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    fields = {name: field for name, field in spec.model_fields.items() if name != "kind"}
    assert set(keyword) == set(fields)
    for name, field in fields.items():
        default = field.get_default(call_default_factory=True)
        if default is PydanticUndefined:
            assert keyword[name] is inspect.Parameter.empty, f"{name} has a default, but the spec requires it"
        else:
            assert plain(keyword[name]) == plain(default), name


@pytest.mark.parametrize(("room", "kind"), [(room, kind) for room, kind in MEMBERS if room in RUNTIME])
def test_positional_parameters_are_runtime_values(room: str, kind: str) -> None:
    parameters = inspect.signature(implementation(TABLES[room][kind])).parameters.values()
    positional = {p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert positional <= RUNTIME[room]
    assert all(p.default is p.empty for p in parameters if p.name in positional)


@pytest.mark.parametrize("layout", CLASSIFIERS)
def test_classifiers_take_what_their_spec_says(layout: str) -> None:
    parameters = inspect.signature(implementation(CLASSIFIERS[layout])).parameters.values()
    runtime = ["decoder", "out_features"] if layout == "map" else ["width", "head_width", "out_features"]
    assert [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] == runtime
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY:
            assert parameter.default == Classifiers.model_fields[parameter.name].default


def plain(value: Any) -> Any:
    """Defaults of both sides in one form: a nested spec is its class's name, as is what it becomes."""
    if isinstance(value, Kind):
        return type(value).__name__
    if isinstance(value, Mapping):
        return dict(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return tuple(plain(item) for item in value)
    return type(value).__name__


@pytest.mark.parametrize("kind", TABLES["transforms"])
def test_spec_and_implementation_agree_which_transforms_are_random_and_which_stand_first(kind: str) -> None:
    spec, made = specs("transforms")[kind], implementation(TABLES["transforms"][kind])
    assert spec.augments == made.augments
    assert spec.front_end == issubclass(made, FrontEnd)


@pytest.mark.parametrize(("kind", "spec"), [(kind, spec) for kind, spec in specs("sources").items() if spec.names])
def test_the_modalities_that_a_source_is_known_to_have_are_those_it_reads(kind: str, spec: Any) -> None:
    source = implementation(TABLES["sources"][kind])()
    assert sorted(spec.names) == sorted(source.modalities)
