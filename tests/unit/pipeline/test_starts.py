"""Runs that start from other runs, stages of adaptation, and shifted datasets: who depends on whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from cggm_pipeline.errors import DataError, SpecError
from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.documents import read_documents
from cggm_pipeline.pipeline.key import run_key
from cggm_pipeline.pipeline.pipelines import pipelines
from cggm_pipeline.pipeline.records import Stage
from cggm_pipeline.pipeline.render import parse, render
from cggm_pipeline.spec import Project, load_experiment, load_table

from .conftest import DATASET, EXPERIMENT, OWN_DATASET, OWN_EXPERIMENT, write_specs

NOISY = DATASET.replace("{kind: digits_two_view}", "{kind: shifted, data: digits, noise: {noisy: 1.0}}").replace(
    "{kind: stratified, valid: 0.15, test: 0.25, seed: 0}", "{kind: published}"
)
SOURCE = "version: 1\nkind: table\nbase: experiments/joint.yaml\nrows: {Source model: {}}\n"
TARGET = """version: 1
kind: experiment
extends: joint.yaml
data: noisy
weights: {experiment: clean/source-model, statistics: true}
training: {epochs: 0}
"""
TABLE = """version: 1
kind: table
base: experiments/target.yaml
rows:
  As it is: {}
  Online: {prediction: {kind: casp}}
  Stages: {adaptation: {kind: casp}}
  Labels: {training: {epochs: 1}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    specs = {
        "datasets/digits.yaml": DATASET,
        "datasets/noisy.yaml": NOISY,
        "experiments/joint.yaml": EXPERIMENT,
        "experiments/target.yaml": TARGET,
        "tables/clean.yaml": SOURCE,
        "tables/shifted.yaml": TABLE,
    }
    return write_specs(tmp_path, specs)


def stages(root: Path) -> dict[str, Stage]:
    (pipeline,) = pipelines(read_documents(Project(root)), Code.of(root))
    assert parse(render(pipeline)) == pipeline.record()
    return {stage.name: stage for stage in pipeline.stages}


def test_a_run_depends_on_the_run_it_starts_from(project: Path) -> None:
    found = stages(project)
    for row in ("as-it-is", "online", "stages", "labels"):
        assert "runs/clean/source-model/train" in found[f"train-shifted--{row}"].deps
        assert "weights" in found[f"train-shifted--{row}"].params[f"specs/resolved/shifted/{row}.yaml"]
    assert not [dep for dep in found["train-clean--source-model"].deps if dep.startswith("runs/")]


def test_what_a_stage_reads_another_one_writes(project: Path) -> None:
    found = stages(project)
    written = {path for stage in found.values() for path in stage.products}
    for stage in found.values():
        assert {dep for dep in stage.deps if dep.startswith(("runs/", "data/"))} <= written, stage.name


def test_adaptation_is_two_stages_between_training_and_evaluation(project: Path) -> None:
    found = stages(project)
    contrast, pseudo = found["contrast-shifted--stages"], found["pseudo-shifted--stages"]
    assert contrast.command == ("python", "stages/contrast.py", "shifted", "stages")
    assert "runs/shifted/stages/train" in contrast.deps
    assert contrast.products == ("runs/shifted/stages/contrast",)
    assert {"runs/shifted/stages/train", "runs/shifted/stages/contrast"} <= set(pseudo.deps)
    assert pseudo.products == ("runs/shifted/stages/adapted",)
    assert "runs/shifted/stages/adapted" in found["evaluate-shifted"].deps
    assert "adaptation" in contrast.params["specs/resolved/shifted/stages.yaml"]
    assert [name for name in found if name.startswith(("contrast-", "pseudo-"))] == [contrast.name, pseudo.name]


def test_a_change_of_the_adaptation_does_not_train_again(project: Path) -> None:
    train = stages(project)["train-shifted--stages"]
    assert "adaptation" not in train.params["specs/resolved/shifted/stages.yaml"]


def test_a_shifted_dataset_stands_behind_the_one_it_shifts(project: Path) -> None:
    found = stages(project)
    shift = found["shift-noisy"]
    assert shift.command == ("python", "stages/shift.py", "noisy")
    assert "data/prepared/digits" in shift.deps
    assert shift.products == ("data/prepared/noisy",)
    assert list(found).index("prepare-digits") < list(found).index("shift-noisy")
    assert "data/prepared/noisy" in found["train-shifted--labels"].deps


def test_a_table_that_starts_from_fetched_data_is_not_in_the_root(project: Path) -> None:
    write_specs(
        project,
        {
            "datasets/own.yaml": OWN_DATASET.replace("PATH", "data/raw/own.csv"),
            "experiments/own.yaml": OWN_EXPERIMENT,
            "tables/own.yaml": "version: 1\nkind: table\nbase: experiments/own.yaml\nrows: {Own: {}}\n",
            "tables/clean.yaml": SOURCE.replace("{}}", "{weights: {experiment: own/own}}}"),
        },
    )
    found = {pipeline.path for pipeline in pipelines(read_documents(Project(project)), Code.of(project))}
    assert found == {f"pipelines/{name}/dvc.yaml" for name in ("clean", "own", "shifted", "data")}


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("clean/sauce-model", r"(?s)no run is called 'clean/sauce-model'.*did you mean 'clean/source-model'"),
        ("nowhere/row", r"no run is called 'nowhere/row'"),
        ("clean", r"weights\.experiment: "),
        ("../clean/source-model", r"weights\.experiment: "),
    ],
)
def test_a_run_that_nothing_makes_has_its_place(project: Path, named: str, message: str) -> None:
    write_specs(project, {"experiments/target.yaml": TARGET.replace("clean/source-model", named)})
    with pytest.raises(SpecError, match=message) as caught:
        load_experiment("target", Project(project))
    assert caught.value.problems[0].line == 5


def test_another_name_is_for_a_modality_in_use(project: Path) -> None:
    renamed = TARGET.replace("statistics: true", "modalities: {nosy: rotated}")
    write_specs(project, {"experiments/target.yaml": renamed})
    with pytest.raises(
        SpecError, match=r"(?s)weights\.modalities\.nosy: there is no modality 'nosy'.*did you mean 'noisy'"
    ):
        load_experiment("target", Project(project))


def test_an_experiment_without_a_table_is_a_run_too(project: Path) -> None:
    write_specs(
        project,
        {
            "experiments/alone.yaml": EXPERIMENT,
            "experiments/target.yaml": TARGET.replace("clean/source-model", "alone/alone"),
        },
    )
    assert load_table("shifted", Project(project)).rows["labels"].experiment.spec.weights is not None
    assert "runs/alone/alone/train" in stages(project)["train-shifted--labels"].deps


def test_no_epochs_need_weights(project: Path) -> None:
    write_specs(project, {"experiments/joint.yaml": EXPERIMENT.replace("epochs: 2", "epochs: 0")})
    with pytest.raises(SpecError, match=r"training\.epochs: no epochs and no weights to start from") as caught:
        load_experiment("joint", Project(project))
    assert caught.value.problems[0].line


def test_a_run_that_starts_from_itself_over_others(project: Path) -> None:
    write_specs(
        project,
        {"tables/clean.yaml": SOURCE.replace("{}}", "{weights: {experiment: shifted/labels}}}")},
    )
    with pytest.raises(SpecError, match="a cycle: clean/source-model -> shifted/labels -> clean/source-model"):
        read_documents(Project(project))


def test_the_state_of_a_run_knows_the_weights_it_started_from(project: Path) -> None:
    spec = load_table("shifted", Project(project)).rows["labels"].experiment.spec
    (project / "data/prepared/noisy").mkdir(parents=True)
    (project / "data/prepared/noisy/manifest.json").write_text("{}")
    with pytest.raises(DataError, match=r"runs/clean/source-model/train: .*the experiment names it"):
        run_key(spec, project)
    folder = project / "runs/clean/source-model/train/seed-0"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"one")
    before = run_key(spec, project)
    assert run_key(spec, project) == before
    (folder / "model.safetensors").write_bytes(b"two")
    assert run_key(spec, project) != before
