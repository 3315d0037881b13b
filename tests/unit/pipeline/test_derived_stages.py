"""Stages of datasets that are computed from other datasets, and of experiments with weights in the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from cggm_pipeline.errors import DataError, SpecError
from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.documents import read_documents
from cggm_pipeline.pipeline.generate import generate
from cggm_pipeline.pipeline.key import run_key
from cggm_pipeline.pipeline.pipelines import pipelines
from cggm_pipeline.pipeline.plan import plan
from cggm_pipeline.pipeline.records import Pipeline, Stage
from cggm_pipeline.pipeline.render import parse, render
from cggm_pipeline.pipeline.workspace import differences, write
from cggm_pipeline.spec import Project

from .conftest import write_specs

ROOT = Path(__file__).resolve().parents[3]
RAW = """version: 1
kind: dataset
source:
  kind: table
  path: PATH
  columns: {left: {columns: [a], type: npy}, right: {columns: [c], type: text}}
  target: y
split: {kind: random}
modalities:
  left: {shape: [3, 32, 32]}
  right: {shape: [], dtype: text}
target: {kind: classes, number: 2}
"""
FROZEN = """version: 1
kind: dataset
source:
  kind: features
  data: raw
  modalities:
    left: {encoder: {kind: timm, model: test_vit, pretrained: false, freeze: true}}
    right:
      encoder: {kind: text, model: models/bert, width: 8, output: first, freeze: true}
      transforms: [{kind: tokenise, tokenizer: some/hub-name}]
split: {kind: published}
modalities:
  left: {shape: [64], dtype: float16}
  right: {shape: [8], dtype: float16}
target: {kind: classes, number: 2}
"""
JOINT = """version: 1
kind: experiment
data: frozen
modalities:
  left: {encoder: {kind: mlp, hidden: [8]}}
  right: {encoder: {kind: mlp, hidden: [8]}}
fusion: {kind: concat, width: 8}
task: {kind: classification}
training: {epochs: 2}
"""
TABLE = "version: 1\nkind: table\nbase: experiments/joint.yaml\nrows: {Joint: {}}\n"
ON_RAW = (
    JOINT.replace("data: frozen", "data: raw")
    .replace("left: {encoder: {kind: mlp, hidden: [8]}}", "left: {encoder: {kind: conv, channels: [4]}}")
    .replace(
        "right: {encoder: {kind: mlp, hidden: [8]}}",
        "right: {encoder: {kind: text, model: models/bert, width: 8, output: mean}, "
        "transforms: [{kind: tokenise, tokenizer: models/bert}]}",
    )
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A table on features of a dataset whose raw data are committed; a BERT lies in models/."""
    (tmp_path / "models" / "bert").mkdir(parents=True)
    (tmp_path / "models" / "bert" / "config.json").write_text("{}")
    specs = {
        "datasets/raw.yaml": RAW.replace("PATH", "samples/raw.csv"),
        "datasets/frozen.yaml": FROZEN,
        "experiments/joint.yaml": JOINT,
        "tables/dishes.yaml": TABLE,
    }
    return write_specs(tmp_path, specs)


def made(root: Path) -> dict[str, Pipeline]:
    return {pipeline.path: pipeline for pipeline in pipelines(read_documents(Project(root)), Code.of(root))}


def stages(pipeline: Pipeline) -> dict[str, Stage]:
    return {stage.name: stage for stage in pipeline.stages}


def test_a_features_stage_stands_behind_the_one_that_prepares_its_data(project: Path) -> None:
    found = made(project)["dvc.yaml"]
    assert list(stages(found)) == [
        "prepare-raw",
        "features-frozen",
        "train-dishes--joint",
        "evaluate-dishes",
        "report-dishes",
    ]
    features = stages(found)["features-frozen"]
    assert features.command == ("python", "stages/features.py", "frozen")
    assert [out.path for out in features.outs] == ["data/prepared/frozen"]
    assert features.outs[0].cache
    assert {"data/prepared/raw", "models/bert", "stages/features.py"} <= set(features.deps)
    assert not {"some/hub-name", "samples/raw.csv"} & set(features.deps)
    assert features.params["specs/resolved/datasets/frozen.yaml"] == ("modalities", "source", "split", "target")
    assert features.params["specs/resolved/datasets/raw.yaml"] == ("modalities", "target")
    train = stages(found)["train-dishes--joint"]
    assert "data/prepared/frozen" in train.deps
    assert not {"data/prepared/raw", "models/bert"} & set(train.deps)


def test_it_depends_on_the_code_of_its_kinds_and_not_on_what_trains(project: Path) -> None:
    code = Code(ROOT, ROOT / "cggm_pipeline")
    documents = read_documents(Project(project))
    (found,) = pipelines(documents, code)
    features = set(stages(found)["features-frozen"].deps)
    kinds = {"encoders/timm.py", "encoders/text.py", "data/transforms/tokenise.py", "build/features.py"}
    assert {f"cggm_pipeline/{file}" for file in (*kinds, "build/frozen.py", "data/writing.py")} <= features
    rooms = ("training/", "modulations/", "fusions/", "tasks/", "classifiers/", "evaluation/", "report/", "network.py")
    assert not [file for file in features if file.startswith(tuple(f"cggm_pipeline/{room}" for room in rooms))]
    assert "cggm_pipeline/encoders/smp.py" not in features
    assert "cggm_pipeline/build/features.py" not in stages(found)["train-dishes--joint"].deps


def test_what_one_stage_reads_another_writes_first(project: Path) -> None:
    written: set[str] = set()
    for stage in made(project)["dvc.yaml"].stages:
        assert {dep for dep in stage.deps if dep.startswith(("runs/", "data/"))} <= written, stage.name
        written |= set(stage.products)


def test_the_text_of_its_dvc_yaml_says_the_records(project: Path) -> None:
    (pipeline,) = made(project).values()
    assert parse(render(pipeline)) == pipeline.record()


def test_both_datasets_are_resolved(project: Path) -> None:
    files = generate(Project(project))
    assert {"specs/resolved/datasets/raw.yaml", "specs/resolved/datasets/frozen.yaml"} <= set(files)
    write(project, files)
    assert differences(project, generate(Project(project))) == []


def test_data_that_a_person_fetches_are_seen_through_the_features(project: Path) -> None:
    write_specs(project, {"datasets/raw.yaml": RAW.replace("PATH", "data/raw/raw.csv")})
    found = made(project)
    assert set(found) == {"pipelines/dishes/dvc.yaml"}
    assert list(stages(found["pipelines/dishes/dvc.yaml"]))[:2] == ["prepare-raw", "features-frozen"]
    write_specs(project, {"tables/second.yaml": TABLE})
    assert list(stages(made(project)["pipelines/data/dvc.yaml"])) == ["prepare-raw", "features-frozen"]


def test_a_table_on_the_raw_data_shares_their_stage_alone(project: Path) -> None:
    write_specs(
        project,
        {
            "datasets/raw.yaml": RAW.replace("PATH", "data/raw/raw.csv"),
            "experiments/plain.yaml": ON_RAW,
            "tables/plain.yaml": TABLE.replace("joint", "plain"),
        },
    )
    found = made(project)
    assert list(stages(found["pipelines/data/dvc.yaml"])) == ["prepare-raw"]
    assert "features-frozen" in stages(found["pipelines/dishes/dvc.yaml"])
    assert "features-frozen" not in stages(found["pipelines/plain/dvc.yaml"])


def test_weights_below_data_are_fetched_and_a_dependency_before_they_are_there(project: Path) -> None:
    weights = "pretrained: data/weights/vit.safetensors"
    write_specs(project, {"datasets/frozen.yaml": FROZEN.replace("pretrained: false", weights)})
    found = made(project)
    assert set(found) == {"pipelines/dishes/dvc.yaml"}
    assert "data/weights/vit.safetensors" in stages(found["pipelines/dishes/dvc.yaml"])["features-frozen"].deps


def test_weights_of_an_experiment_are_dependencies_of_what_builds_its_network(project: Path) -> None:
    write_specs(project, {"experiments/plain.yaml": ON_RAW})
    found = stages(made(project)["dvc.yaml"])
    for name in ("train-plain--plain", "evaluate-plain"):
        assert "models/bert" in found[name].deps, name
    assert "models/bert" not in found["report-plain"].deps
    assert "models/bert" not in found["prepare-raw"].deps


def test_the_state_of_a_run_knows_its_weights(project: Path) -> None:
    write_specs(project, {"experiments/plain.yaml": ON_RAW})
    experiment = next(t for t in read_documents(Project(project)).tables if t.name == "plain").rows[0].experiment
    (project / "data/prepared/raw").mkdir(parents=True)
    (project / "data/prepared/raw/manifest.json").write_text("{}")
    before = run_key(experiment, project)
    assert run_key(experiment, project) == before
    (project / "models/bert/model.safetensors").write_bytes(b"other")
    assert run_key(experiment, project) != before
    away = experiment.model_copy(update={"data": "nowhere"})
    with pytest.raises(DataError, match="cggm prepare nowhere"):
        run_key(away, project)


def test_an_augmentation_is_a_dependency_of_training_alone(project: Path) -> None:
    augmented = ON_RAW + "augment: [{kind: mirror}]\n"
    write_specs(project, {"experiments/plain.yaml": augmented, "experiments/bare.yaml": ON_RAW})
    code = Code(ROOT, ROOT / "cggm_pipeline")
    (pipeline,) = pipelines(read_documents(Project(project)), code)
    found = stages(pipeline)
    file = "cggm_pipeline/data/augmentations/mirror.py"
    assert file in found["train-plain--plain"].deps
    assert file not in found["train-bare--bare"].deps
    assert "augment" in found["train-plain--plain"].params["specs/resolved/plain/plain.yaml"]
    assert "augment" not in found["evaluate-plain"].params["specs/resolved/plain/plain.yaml"]


def test_the_plan_goes_on_from_the_data_to_the_features(project: Path) -> None:
    found = tuple(made(project).values())
    planned = {item.stage.name: item.reasons for item in plan(project, found, {})}
    assert planned["features-frozen"] == ("never run", "after prepare-raw")
    assert planned["train-dishes--joint"] == ("never run", "after features-frozen")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("data: raw", "data: row", r"source.data: there is no dataset 'row'.*(\n.*)*did you mean 'raw'"),
        ("data: raw", "data: frozen", r"source.data: a cycle: frozen -> frozen"),
        ("{kind: published}", "{kind: random}", r"split: features have the split of 'raw'"),
        ("{kind: published}", "{kind: published, valid: 0.1}", r"split: features have the split of 'raw'"),
        ("number: 2", "number: 3", r"target: it is not that of 'raw'"),
        ("shape: [64]", "shape: [64, 2]", r"modalities.left.shape: \(64, 2\), but timm gives vector"),
        ("shape: [8]", "shape: [9]", r"modalities.right.shape: \(9\), but the features of text are 8 wide"),
        ("[64], dtype: float16", "[64], dtype: uint8", r"modalities.left.dtype: features are no uint8"),
        ("output: first, ", "", r"modalities.right.shape: \(8\), but text gives tokens"),
        (", freeze: true}}\n", ", freeze: true}, transforms: [{kind: flip}]}\n", "flip is an augmentation"),
        ("    left: {encoder", "    lift: {encoder", r"source.modalities.lift.*'lift'"),
        ("tokenise, tokenizer: some/hub-name", "scale, factor: 2", r"transforms.0: scale reads .*; 'right' is text"),
        (
            "{kind: tokenise, tokenizer: some/hub-name}",
            "",
            r"encoder.kind: text reads token ids \(T\); 'right' is text",
        ),
        (
            ", pretrained: false",
            ", pretrained: false, output: pyramid",
            "gives pyramid features, which cannot be stored",
        ),
        (
            "pretrained: false, freeze: true}}",
            "freeze: true}, transforms: [{kind: tokenise, tokenizer: x}]}",
            "reads text",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(before: str, after: str, message: str, project: Path) -> None:
    assert before in FROZEN
    write_specs(project, {"datasets/frozen.yaml": FROZEN.replace(before, after)})
    with pytest.raises(SpecError, match=r"specs/datasets/frozen.yaml:\d+:\d+: error: (.*\n)*.*" + message):
        read_documents(Project(project))


def test_tokens_of_text_vary_in_length_and_those_of_images_do_not(project: Path) -> None:
    tokens = FROZEN.replace("output: first, ", "").replace("right: {shape: [8]", "right: {shape: [6, 8]")
    write_specs(project, {"datasets/frozen.yaml": tokens})
    with pytest.raises(SpecError, match=r"what the encoder reads varies in length(.*\n)*.*allowed: \[null, 8\]"):
        read_documents(Project(project))
    images = FROZEN.replace("pretrained: false", "output: tokens").replace("{shape: [64]", "{shape: [null, 64]")
    write_specs(project, {"datasets/frozen.yaml": images})
    with pytest.raises(SpecError, match=r"does not vary in length(.*\n)*.*\[T, 64\]"):
        read_documents(Project(project))


def test_a_circle_of_features_is_told_with_all_its_names(project: Path) -> None:
    for name, upstream in (("one", "two"), ("two", "three"), ("three", "one")):
        write_specs(project, {f"datasets/{name}.yaml": FROZEN.replace("data: raw", f"data: {upstream}")})
    with pytest.raises(SpecError, match="a cycle: one -> two -> three -> one"):
        read_documents(Project(project))


def test_features_of_features_are_allowed(project: Path) -> None:
    second = """version: 1
kind: dataset
source: {kind: features, data: frozen, modalities: {left: {encoder: {kind: mlp, hidden: [4]}}}}
split: {kind: published}
modalities: {left: {shape: [4], dtype: float32}}
target: {kind: classes, number: 2}
"""
    joint = JOINT.replace("data: frozen", "data: second").replace("  right: {encoder: {kind: mlp, hidden: [8]}}\n", "")
    write_specs(project, {"datasets/second.yaml": second, "experiments/joint.yaml": joint})
    names = list(stages(made(project)["dvc.yaml"]))
    assert names[:3] == ["prepare-raw", "features-frozen", "features-second"]
