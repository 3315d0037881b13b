"""The JSON Schema agrees with the classes: it takes what validates, and refuses what an editor should underline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from cggm_pipeline.cli.schema_ import command
from cggm_pipeline.errors import CggmError
from cggm_pipeline.spec.schema import schema, text

if TYPE_CHECKING:
    from conftest import Desk

OVERLAY = {"version": 1, "kind": "experiment", "extends": "a.yaml"}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


def test_it_is_the_committed_one(root: Path) -> None:
    assert (root / "specs/schema.json").read_text() == text(), "run: cggm schema --write"


def test_every_spec_of_the_project_names_it_and_obeys_it(root: Path, validator: Draft202012Validator) -> None:
    from cggm_pipeline.spec.examine import documents
    from cggm_pipeline.spec.load import read
    from cggm_pipeline.spec.project import Project

    paths = documents(Project(root))
    assert len(paths) >= 3
    for path in paths:
        first = path.read_text().split("\n", 1)[0]
        assert first.startswith("# yaml-language-server: $schema="), path
        named = (path.parent / first.partition("=")[2]).resolve()
        assert named == root / "specs/schema.json", path
        assert not list(validator.iter_errors(read(path).data)), path


def test_good_documents(desk: Desk, validator: Draft202012Validator) -> None:
    for name in ("experiments/cggm", "datasets/mosi", "tables/mosi"):
        data = json.loads(json.dumps(_read(desk, name)))
        assert not list(validator.iter_errors(data)), name


def _read(desk: Desk, name: str) -> Any:
    return yaml.safe_load((desk.root / f"specs/{name}.yaml").read_text().replace("1e-3", "0.001"))


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"clip": 0.8}},
        {"modulation": {"rho": None}},
        {"modalities": {"x": {"encoder": {"hidden": [3]}}}},
        {},
    ],
)
def test_an_overlay_may_leave_anything_out(validator: Draft202012Validator, changes: dict[str, Any]) -> None:
    assert validator.is_valid({**OVERLAY, **changes})
    assert not validator.is_valid({"version": 1, "kind": "experiment", **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"trainin": {}},
        {"training": {"clp": 1}},
        {"modulation": {"roh": 1}},
        {"training": {"epochs": -3}},
        {"seeds": [-1]},
        {"training": {"optimizer": {"kind": "adm"}}},
        {"data": "a/b"},
        {"version": 2},
        {"extends": 3},
    ],
)
def test_an_overlay_may_not_say_anything_else(validator: Draft202012Validator, changes: dict[str, Any]) -> None:
    assert not validator.is_valid({**OVERLAY, **changes})


def test_rows_of_tables(validator: Draft202012Validator) -> None:
    table = {"version": 1, "kind": "table", "base": "a.yaml"}
    good = {"A": {}, "B": {"modulation": {"rho": 1}, "published": {"table": "x", "row": "y"}}}
    assert validator.is_valid({**table, "rows": good})
    for bad in (
        {"modulatio": {}},
        {"seeds": [1]},
        {"data": "x"},
        {"published": {"table": "x"}},
        {"training": {"epochs": -1}},
    ):
        assert not validator.is_valid({**table, "rows": {"A": bad}}), bad


def test_the_command_writes_and_checks(desk: Desk) -> None:
    runner = CliRunner()
    stale = runner.invoke(command, ["--check"])
    assert isinstance(stale.exception, CggmError)
    assert "cggm schema --write" in str(stale.exception)
    assert runner.invoke(command, ["--write"]).output == "specs/schema.json written\n"
    assert (desk.root / "specs/schema.json").read_text() == runner.invoke(command).output == text()
    assert runner.invoke(command, ["--check"]).exit_code == 0
    assert runner.invoke(command, ["--write"]).output == "specs/schema.json is up to date\n"
    assert runner.invoke(command, ["--write", "--check"]).exit_code == 2
    assert [path.name for path in (desk.root / "specs").iterdir() if path.is_file()] == ["schema.json"]


def mappings(data: Any) -> list[dict[str, Any]]:
    """Every mapping of a tree."""
    below = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return [data] * isinstance(data, dict) + [found for item in below for found in mappings(item)]


@pytest.mark.parametrize("name", ["experiments/cggm", "datasets/mosi", "tables/mosi"])
def test_an_unknown_key_or_kind_is_refused_wherever_it_stands(
    desk: Desk, validator: Draft202012Validator, name: str
) -> None:
    data = _read(desk, name)
    assert len(mappings(data)) >= 5
    for mapping in mappings(data):
        mapping["roh"] = 1
        assert not validator.is_valid(data), mapping
        del mapping["roh"]
        if "kind" in mapping:
            kind, mapping["kind"] = mapping["kind"], "nonsense"
            assert not validator.is_valid(data), mapping
            mapping["kind"] = kind
    assert validator.is_valid(data)


def test_an_editor_has_words_for_every_parameter() -> None:
    bare = [
        f"{name}.{key}"
        for name, entry in schema()["$defs"].items()
        for key, value in entry.get("properties", {}).items()
        if key not in ("kind", "version", "published") and "description" not in value
    ]
    assert bare == []
