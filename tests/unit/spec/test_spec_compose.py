"""Composition: `extends`, merging, origins; cycles, paths out of the project, names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cggm_pipeline.errors import SpecError
from cggm_pipeline.spec import Project, load_dataset, load_experiment
from cggm_pipeline.spec.layers import merge

if TYPE_CHECKING:
    from conftest import Desk

HEAD = "version: 1\nkind: experiment\n"


@pytest.mark.parametrize(
    ("under", "over", "merged"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"m": {"kind": "cggm", "rho": 2}}, {"m": {"kind": "none"}}, {"m": {"kind": "none"}}),
        (
            {"m": {"kind": "cggm", "rho": 2}},
            {"m": {"kind": "cggm", "lam": 0}},
            {"m": {"kind": "cggm", "rho": 2, "lam": 0}},
        ),
        ({"m": {"kind": "cggm", "rho": 2}}, {"m": {"rho": None}}, {"m": {"kind": "cggm", "rho": None}}),
        ({"m": {"rho": 2}}, {"m": {"kind": "cggm"}}, {"m": {"kind": "cggm", "rho": 2}}),
    ],
)
def test_merge(under: object, over: object, merged: object) -> None:
    assert merge(under, over) == merged


def test_extends_chain(desk: Desk) -> None:
    desk.write("experiments/more.yaml", HEAD + "extends: cggm.yaml\ntraining: {epochs: 5}\nmodulation: {rho: null}\n")
    path = desk.write(
        "experiments/deep/most.yaml",
        HEAD + "extends: ../more.yaml\ntraining: {optimizer: {kind: sgd}}\nuse: [text, audio]\n",
    )
    composed = load_experiment(path, Project(desk.root))
    assert composed.name == "deep/most"
    assert composed.spec.modulation.rho is None
    assert composed.spec.training.epochs == 5
    assert composed.spec.training.optimizer.model_dump() == {
        "kind": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.0, "nesterov": False,
    }  # fmt: skip
    origins = {key: str(place) for key, place in composed.origin.items()}
    assert origins["training.epochs"] == "specs/experiments/more.yaml:4:20"
    assert origins["training.optimizer.kind"] == "specs/experiments/deep/most.yaml:4:30"
    assert origins["modulation.preset"] == "specs/experiments/cggm.yaml:9:34"
    assert origins["use"] == "specs/experiments/deep/most.yaml:5:6"
    assert "training.optimizer.lr" not in origins  # the base's rate went with its optimiser
    assert composed.data["classifiers"]["layers"] == 2


def test_extends_below_specs_when_not_beside(desk: Desk) -> None:
    path = desk.write("experiments/a/b.yaml", HEAD + "extends: experiments/cggm.yaml\n")
    assert load_experiment(path).spec == load_experiment("cggm", Project(desk.root)).spec


def test_an_error_is_shown_in_the_file_that_set_the_value(desk: Desk) -> None:
    desk.write("experiments/base.yaml", desk.good.replace("epochs: 30", "epochs: -3"))
    found = desk.problems("experiments/x.yaml", HEAD + "extends: base.yaml\nmodulation: {roh: 1}\n")
    assert [(one.file, one.line, one.key) for one in found] == [
        ("specs/experiments/base.yaml", 10, "training.epochs"),
        ("specs/experiments/x.yaml", 4, "modulation.roh"),
    ]


def test_a_cross_fault_is_shown_where_the_last_of_its_keys_was_set(desk: Desk) -> None:
    (problem,) = desk.problems("experiments/x.yaml", HEAD + "extends: cggm.yaml\nuse: [text]\n")
    assert (problem.file, problem.line, problem.key) == ("specs/experiments/x.yaml", 4, "use")
    assert problem.message == "cggm balances 2 modalities or more, one is in use"


def test_cycles_are_refused_with_the_chain(desk: Desk) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        desk.write(f"experiments/{name}.yaml", HEAD + f"extends: {other}.yaml\n")
    (problem,) = desk.problems("experiments/a.yaml")
    chain = " -> ".join(f"specs/experiments/{name}.yaml" for name in "abca")
    assert (problem.file, problem.line, problem.column) == ("specs/experiments/c.yaml", 3, 10)
    assert problem.message == f"a cycle: {chain}"


def test_a_file_that_extends_itself(desk: Desk) -> None:
    (problem,) = desk.problems("experiments/x.yaml", HEAD + "extends: ./../experiments/x.yaml\n")
    assert "a cycle: specs/experiments/x.yaml -> specs/experiments/x.yaml" in problem.message


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "../../../x.yaml", "~/x.yaml", "..", "../.."])
def test_paths_out_of_the_project(desk: Desk, name: str) -> None:
    (desk.root.parent / "x.yaml").write_text(desk.good)
    (problem,) = desk.problems("experiments/x.yaml", HEAD + f"extends: {name}\n")
    assert (problem.line, problem.column, problem.key) == (3, 10, "extends")
    assert re.search("leads out of the project|there is no file|is not a file", problem.message)


def test_symbolic_links_out_of_the_project(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "base.yaml").write_text(desk.good)
    (desk.root / "specs/experiments/link.yaml").symlink_to(outside / "base.yaml")
    (desk.root / "specs/experiments/folder").symlink_to(outside)
    (desk.root / "specs/experiments/inside.yaml").symlink_to("cggm.yaml")
    for name in ("link.yaml", "folder/base.yaml"):
        (problem,) = desk.problems("experiments/x.yaml", HEAD + f"extends: {name}\n")
        assert problem.line == 3, problem
    (problem,) = desk.problems("experiments/link.yaml")
    assert problem.message == "leads out of the project"
    assert desk.problems("experiments/x.yaml", HEAD + "extends: inside.yaml\n") == []


@pytest.mark.parametrize("value", ["3", "[a.yaml]", "''", "null", '"\\0"', "{a: 1}"])
def test_extends_that_is_no_path(desk: Desk, value: str) -> None:
    (problem,) = desk.problems("experiments/x.yaml", HEAD + f"extends: {value}\n")
    assert (problem.line, problem.key) == (3, "extends")
    assert "is not the path of a YAML file" in problem.message


def test_did_you_mean_for_files(desk: Desk) -> None:
    (problem,) = desk.problems("experiments/x.yaml", HEAD + "extends: cgm.yaml\n")
    assert problem.hint == "did you mean 'cggm.yaml'?"


def test_extending_another_kind_of_document(desk: Desk) -> None:
    (problem,) = desk.problems("experiments/x.yaml", HEAD + "extends: ../datasets/mosi.yaml\n")
    assert (problem.file, problem.line) == ("specs/experiments/x.yaml", 3)
    assert "is of kind dataset, not experiment" in problem.message


def test_a_base_that_is_no_yaml_is_told_with_its_own_place(desk: Desk) -> None:
    desk.write("experiments/base.yaml", "a: [\n")
    (problem,) = desk.problems("experiments/x.yaml", HEAD + "extends: base.yaml\n")
    assert (problem.file, problem.line) == ("specs/experiments/base.yaml", 1)


def test_a_missing_dataset(desk: Desk) -> None:
    (problem,) = desk.experiment("data: mosi", "data: moosi")
    assert (problem.line, problem.column, problem.key) == (3, 7, "data")
    assert "there is no dataset 'moosi'" in problem.message
    assert problem.hint == "did you mean 'mosi'?"


def test_the_problems_of_the_dataset_are_told_in_its_file(desk: Desk) -> None:
    desk.dataset("number: 3", "number: 1")
    (problem,) = desk.problems("experiments/cggm.yaml")
    assert (problem.file, problem.line, problem.key) == ("specs/datasets/mosi.yaml", 17, "target.number")


@pytest.mark.parametrize("name", ["my exp", "a.b", "Big", "a;b", "$(x)", "x_", "-x", "ä", "a" * 65])
def test_file_names_are_names(desk: Desk, name: str) -> None:
    (problem,) = desk.problems(f"experiments/{name}.yaml", desk.good)
    assert problem.message == f"'{name}' is not a name"
    assert problem.line == 1
    assert "rename the file" in problem.hint
    (problem,) = desk.problems(f"experiments/{name}/x.yaml", desk.good)
    assert problem.message == f"'{name}' is not a name"


def test_the_suffix_is_yaml(desk: Desk) -> None:
    (problem,) = desk.problems("experiments/x.yml", desk.good)
    assert (problem.message, problem.allowed) == ("the suffix '.yml'", ".yaml")


def test_load_raises_every_problem_once(desk: Desk) -> None:
    path = desk.write("experiments/x.yaml", desk.good.replace("epochs: 30", "epochs: -3").replace("preset", "prset"))
    with pytest.raises(SpecError) as caught:
        load_experiment(path)
    assert [problem.key for problem in caught.value.problems] == ["modulation.prset", "training.epochs"]
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))


def test_a_folder_without_specs_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no folder above it has specs/"):
        Project.of(tmp_path)


def test_a_name_that_is_not_there(desk: Desk) -> None:
    with pytest.raises(SpecError, match="did you mean 'mosi'"):
        load_dataset("mozi", Project(desk.root))
