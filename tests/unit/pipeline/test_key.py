"""The key of a run's state changes with everything that can change the run, and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cggm_pipeline.errors import DataError
from cggm_pipeline.pipeline.key import run_key
from cggm_pipeline.spec import Experiment, Project, load_experiment

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(small: Path) -> Path:
    manifest = small / "data/prepared/digits/manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    return small


@pytest.fixture
def experiment(small: Path) -> Experiment:
    return load_experiment(small / "specs/experiments/joint.yaml", Project(small)).spec


def changed(experiment: Experiment, **values: object) -> Experiment:
    return Experiment.model_validate({**experiment.model_dump(mode="json"), **values})


def test_the_same_run_has_the_same_key(project: Path, experiment: Experiment) -> None:
    assert run_key(experiment, project) == run_key(experiment, project)
    assert len(run_key(experiment, project)) == 32


@pytest.mark.parametrize("values", [{"seeds": [0, 1, 2]}, {"description": "words"}])
def test_what_changes_no_run_changes_no_key(project: Path, experiment: Experiment, values: dict[str, object]) -> None:
    assert run_key(changed(experiment, **values), project) == run_key(experiment, project)


@pytest.mark.parametrize(
    "values",
    [
        {"training": {"epochs": 3, "batch_size": 64}},
        {"fusion": {"kind": "concat", "width": 9}},
        {"modulation": {"kind": "ogm_ge"}},
        {"use": ["rotated"]},
    ],
)
def test_a_tracked_section_changes_the_key(project: Path, experiment: Experiment, values: dict[str, object]) -> None:
    assert run_key(changed(experiment, **values), project) != run_key(experiment, project)


def test_data_and_code_change_the_key(project: Path, experiment: Experiment) -> None:
    before = run_key(experiment, project)
    (project / "data/prepared/digits/manifest.json").write_text('{"digest": 1}')
    after = run_key(experiment, project)
    (project / "stages/train.py").write_text("# changed\n")
    assert len({before, after, run_key(experiment, project)}) == 3


def test_a_project_without_stages_has_a_key(project: Path, experiment: Experiment) -> None:
    with_stages = run_key(experiment, project)
    shutil.rmtree(project / "stages")
    assert len({with_stages, run_key(experiment, project)}) == 2
    assert run_key(experiment, project) == run_key(experiment, project)


def test_data_that_are_not_prepared(small: Path, experiment: Experiment) -> None:
    with pytest.raises(DataError, match="cggm prepare digits"):
        run_key(experiment, small)
