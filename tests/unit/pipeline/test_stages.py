"""Documents to stages: what each stage tracks, and which dvc.yaml it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from cggm_pipeline.errors import SpecError
from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.documents import Documents, read_documents
from cggm_pipeline.pipeline.pipelines import pipelines
from cggm_pipeline.pipeline.records import Pipeline, Stage
from cggm_pipeline.pipeline.sections import UNTRACKED, evaluate_sections, train_sections
from cggm_pipeline.pipeline.stages import Stages
from cggm_pipeline.spec import Experiment, Project

from .conftest import EXPERIMENT, OWN_DATASET, OWN_EXPERIMENT, TABLE, write_specs

ROOT = Path(__file__).resolve().parents[3]
CLAIMS = """version: 1
kind: claims
paper: A paper
table: Table 1
dataset: digits
source: [its page 5]
status: read once
columns: {Acc: {metric: accuracy, unit: percent, direction: higher}}
rows: {Joint: {Acc: 66.5}}
"""


def made(root: Path) -> dict[str, Pipeline]:
    return {pipeline.path: pipeline for pipeline in pipelines(read_documents(Project(root)), Code.of(root))}


def stages(pipeline: Pipeline) -> dict[str, Stage]:
    return {stage.name: stage for stage in pipeline.stages}


def test_one_prepare_one_train_per_row_one_evaluate_one_report(small: Path) -> None:
    assert list(stages(made(small)["dvc.yaml"])) == [
        "prepare-digits",
        "train-digits--alone",
        "train-digits--joint",
        "train-digits--ogm-ge",
        "train-digits--cggm-paper",
        "evaluate-digits",
        "report-digits",
    ]


def test_training_does_not_depend_on_what_prepares_the_data() -> None:
    found = stages(made(ROOT)["dvc.yaml"])
    prepare, train = (set(found[name].deps) for name in ("prepare-digits", "train-digits--joint"))
    preparing = {"build/data", "build/raw_files", "data/writing", "data/splits", "data/pins", "data/targets"}
    preparing |= {"data/statistics", "data/sources/base", "data/sources/digits_two_view"}
    files = {f"cggm_pipeline/{name}.py" for name in preparing}
    assert files <= prepare
    assert not files & train


def test_every_section_that_can_change_a_result_is_tracked_and_no_other(small: Path) -> None:
    row = next(row for row in read_documents(Project(small)).tables[0].rows if row.slug == "joint")
    trained, evaluated = set(train_sections(row.experiment)), set(evaluate_sections(row.experiment))
    assert trained | evaluated | set(UNTRACKED) == set(Experiment.model_fields)
    assert not (trained | evaluated) & set(UNTRACKED)
    assert evaluated - trained == {"adaptation", "evaluation"}


def test_of_the_modalities_only_those_in_use_are_tracked(small: Path) -> None:
    found = stages(made(small)["dvc.yaml"])
    alone = found["train-digits--alone"].params["specs/resolved/digits/alone.yaml"]
    assert [section for section in alone if section.startswith("modalities")] == ["modalities.rotated"]
    assert "use" in alone
    joint = found["train-digits--joint"].params["specs/resolved/digits/joint.yaml"]
    assert "modalities" in joint


def test_prepare_depends_on_its_dataset_alone(small: Path) -> None:
    prepare = stages(made(small)["dvc.yaml"])["prepare-digits"]
    files = set(prepare.params) - {"specs/resolved/package.yaml"}
    assert files == {"specs/resolved/datasets/digits.yaml"}
    outs = {out.path: out for out in prepare.outs}
    assert outs["specs/splits/digits.csv"].persist
    assert not outs["specs/splits/digits.csv"].cache
    assert outs["data/prepared/digits"].cache


def test_only_the_report_reads_times(small: Path) -> None:
    readers = [
        stage.name for stage in made(small)["dvc.yaml"].stages if any(dep.endswith("cost.json") for dep in stage.deps)
    ]
    assert readers == ["report-digits"]


def test_what_one_stage_reads_another_writes_first(small: Path) -> None:
    written: set[str] = set()
    for stage in made(small)["dvc.yaml"].stages:
        inputs = {dep for dep in stage.deps if dep.startswith(("runs/", "data/"))}
        assert inputs <= written, stage.name
        assert not written & set(stage.products)
        written |= set(stage.products)


def test_a_project_of_ones_own_tracks_the_version_of_the_package(small: Path) -> None:
    for stage in made(small)["dvc.yaml"].stages:
        assert stage.params["specs/resolved/package.yaml"] == ("cggm_pipeline",)
        assert not any(dep.startswith("cggm_pipeline/") for dep in stage.deps)


def documents_here() -> tuple[Documents, Code]:
    return read_documents(Project(ROOT)), Code.of(ROOT)


def test_a_method_is_a_dependency_of_its_own_rows_only() -> None:
    documents, code = documents_here()
    table = next(table for table in documents.tables if table.name == "digits")
    trained = {row.slug: Stages(documents, code).train(table, row).deps for row in table.rows}

    def rows_with(file: str) -> set[str]:
        return {slug for slug, deps in trained.items() if file in deps}

    assert rows_with("cggm_pipeline/modulations/ogm_ge.py") == {"ogm-ge"}
    assert rows_with("cggm_pipeline/modulations/cggm.py") == {"cggm-paper", "cggm-released", "cggm-stable"}
    assert rows_with("cggm_pipeline/encoders/mlp.py") == set(trained) - {"unimodal-rotated"}
    asking = {"joint-unimodal-losses", "cggm-paper", "cggm-released", "cggm-stable"}
    assert rows_with("cggm_pipeline/classifiers/vector.py") == asking
    assert rows_with("cggm_pipeline/training/fit.py") == set(trained)
    left_out = ("cggm_pipeline/spec/", "cggm_pipeline/cli/", "cggm_pipeline/errors.py", "cggm_pipeline/build/tables.py")
    assert not [dep for deps in trained.values() for dep in deps if dep.startswith(left_out)]


def test_the_report_does_not_depend_on_the_network() -> None:
    documents, code = documents_here()
    table = next(table for table in documents.tables if table.name == "digits")
    report = Stages(documents, code).report(table).deps
    assert any(dep.startswith("cggm_pipeline/report/") and dep.endswith(".j2") for dep in report)
    rooms = {dep.split("/")[1] for dep in report if dep.startswith("cggm_pipeline/")}
    assert not rooms & {"training", "network.py", "modulations", "encoders", "fusions", "tasks", "classifiers"}


def own(path: str) -> dict[str, str]:
    return {"datasets/own.yaml": OWN_DATASET.replace("PATH", path), "experiments/own.yaml": OWN_EXPERIMENT}


def test_tables_that_need_data_fetched_stand_apart(tmp_path: Path, small: Path) -> None:
    write_specs(small, own("data/raw/own.csv"))
    table = "version: 1\nkind: table\nbase: experiments/own.yaml\nrows: {Joint: {}}\n"
    write_specs(small, {"tables/own.yaml": table})
    found = made(small)
    assert set(found) == {"dvc.yaml", "pipelines/own/dvc.yaml"}
    assert "data/raw/own.csv" in stages(found["pipelines/own/dvc.yaml"])["prepare-own"].deps
    write_specs(small, {"tables/second.yaml": table})
    found = made(small)
    assert [stage.name for stage in found["pipelines/data/dvc.yaml"].stages] == ["prepare-own"]
    assert "prepare-own" not in stages(found["pipelines/own/dvc.yaml"])


def test_raw_data_that_are_committed_belong_to_the_root(tmp_path: Path) -> None:
    root = write_specs(tmp_path, own("samples/own.csv"))
    assert set(made(root)) == {"dvc.yaml"}


def test_an_experiment_that_no_table_uses_has_stages_of_its_own(small: Path) -> None:
    write_specs(small, {"experiments/mine/wide.yaml": EXPERIMENT.replace("width: 8", "width: 16")})
    found = stages(made(small)["dvc.yaml"])
    assert found["train-mine--wide--wide"].command == ("python", "stages/train.py", "mine/wide", "wide")
    assert "runs/mine/wide/wide/train" in found["evaluate-mine--wide"].deps


def test_what_a_base_extends_is_no_experiment_of_its_own(small: Path) -> None:
    write_specs(small, {"experiments/deep.yaml": "version: 1\nkind: experiment\nextends: joint.yaml\nseeds: [3]\n"})
    write_specs(small, {"tables/digits.yaml": TABLE.replace("experiments/joint.yaml", "experiments/deep.yaml")})
    assert [table.name for table in read_documents(Project(small)).tables] == ["digits"]


def test_an_experiment_whose_name_cannot_name_a_stage(small: Path) -> None:
    write_specs(small, {"experiments/A b;c.yaml": EXPERIMENT})
    with pytest.raises(SpecError, match="A b;c"):
        read_documents(Project(small))


def test_all_problems_of_all_documents_at_once(small: Path) -> None:
    write_specs(
        small, {"datasets/broken.yaml": "version: 1\nkind: dataset\n", "experiments/broken.yaml": "version: 2\n"}
    )
    with pytest.raises(SpecError) as caught:
        read_documents(Project(small))
    files = {Path(problem.file).parent.name for problem in caught.value.problems}
    assert files == {"datasets", "experiments"}


def test_claims_are_a_dependency_of_the_report(small: Path) -> None:
    table = TABLE.replace("Joint: {}", "Joint: {published: {table: cggm-t1, row: Joint}}")
    write_specs(small, {"tables/digits.yaml": table, "claims/cggm-t1.yaml": CLAIMS})
    assert "specs/claims/cggm-t1.yaml" in stages(made(small)["dvc.yaml"])["report-digits"].deps
