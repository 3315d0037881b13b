"""Raw files that are not there are said where a person looks, with the line that names them and what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from click.testing import CliRunner

from cggm_pipeline.build.data import prepare
from cggm_pipeline.cli import cggm
from cggm_pipeline.errors import CggmError, DataError
from cggm_pipeline.pipeline.raw import all_missing, missing_raw
from cggm_pipeline.spec import Project, load_dataset
from cggm_pipeline.spec.published_data import CHSIMS, IEMOCAP, MOSEI, MOSI, BraTS, Food101
from cggm_pipeline.spec.source import SourceSpec

from .conftest import OWN_DATASET, write_specs

SAID = "specs/datasets/own.yaml:5:9: error: source.path: data/raw/own.csv does not exist"


@pytest.fixture
def project(small: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset whose raw file has to be fetched, beside one that needs none."""
    write_specs(small, {"datasets/own.yaml": OWN_DATASET.replace("PATH", "data/raw/own.csv")})
    monkeypatch.chdir(small)
    return small


def test_the_place_and_what_to_do(project: Path) -> None:
    (found,) = map(str, all_missing(Project(project)))
    assert found.startswith(SAID)
    assert "`dvc get-url ADDRESS data/raw/own.csv`; then `cggm prepare own`" in found


def test_nothing_is_said_once_it_is_there(project: Path) -> None:
    (project / "data/raw").mkdir(parents=True)
    (project / "data/raw/own.csv").write_text("a,b,c,y\n")
    assert all_missing(Project(project)) == []


def test_compile_writes_and_notes_it_in_a_line(project: Path) -> None:
    result = CliRunner().invoke(cggm, ["compile"], catch_exceptions=False)
    assert result.exit_code == 0
    assert (project / "dvc.yaml").is_file()
    said = "data/raw/own.csv does not exist; `cggm prepare own` says how to get it"
    assert result.stderr == f"note: specs/datasets/own.yaml:5: {said}\n"


def test_the_plan_of_a_table_that_is_not_there(project: Path) -> None:
    CliRunner().invoke(cggm, ["compile"], catch_exceptions=False)
    with pytest.raises(CggmError, match=r"there is no pipelines/own/dvc\.yaml"):
        CliRunner().invoke(cggm, ["plan", "own"], catch_exceptions=False)


def test_prepare_stops_with_it(project: Path) -> None:
    with pytest.raises(DataError, match=r"source\.path: data/raw/own\.csv does not exist"):
        CliRunner().invoke(cggm, ["prepare", "own"], catch_exceptions=False)


PUBLISHED = {spec.__name__: spec for spec in (MOSI, MOSEI, CHSIMS, IEMOCAP, Food101, BraTS)}


def kind(spec: type[SourceSpec]) -> str:
    return str(get_args(spec.model_fields["kind"].annotation)[0])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_data_say_where_they_are_and_what_runs_without_them(name: str) -> None:
    spec = PUBLISHED[name]
    path = spec.model_fields["path"].default
    first, second, third, fourth = spec.model_validate({"kind": kind(spec)}).guidance("set").split("\n")
    assert first == f"  {spec.title}. Terms: {spec.licence}."
    assert second == f"  Published at {spec.home}. How to ask for it: docs/data/{kind(spec)}.md"
    folder = path.rsplit("/", 1)[0]
    assert third.startswith(f"  Then:   mkdir -p {folder} && dvc import-url ADDRESS {path} ")
    assert fourth.endswith(f"cggm twin set {folder if path.endswith('.pkl') else path}-twin")
    assert all(text and text.isprintable() for text in (spec.title, spec.home, spec.licence))
    assert spec.home.startswith("https://")


@pytest.mark.parametrize("name", PUBLISHED)
def test_their_pages_are_there_and_name_home_and_import(root: Path, name: str) -> None:
    spec = PUBLISHED[name]
    page = (root / f"docs/data/{kind(spec)}.md").read_text(encoding="utf-8")
    for address in re.findall(r"https://[^\s,)]+", spec.home):
        assert address in page, f"the page does not name {address}"
    assert "dvc import-url" in page or "dvc add" in page
    assert "cggm twin" in page


def _kind(spec: type) -> str:
    return str(spec.model_fields["kind"].annotation.__args__[0])


def test_the_whole_message_for_published_data(root: Path, small: Path) -> None:
    write_specs(small, {"datasets/mosi.yaml": (root / "specs/datasets/mosi.yaml").read_text(encoding="utf-8")})
    (found,) = map(str, all_missing(Project(small)))
    head, written, mark, *guidance = found.split("\n")
    assert head.endswith(
        "specs/datasets/mosi.yaml:5:28: error: source.path: data/raw/mosi/mosi_data.pkl does not exist"
    )
    assert "path: data/raw/mosi/mosi_data.pkl" in written
    assert mark.endswith("^ fetch it once:")
    assert guidance == MOSI(kind="mosi").guidance("mosi").split("\n")


def test_the_stage_says_it_too(root: Path, small: Path) -> None:
    """Without DVC nothing stops before the stage: what `cggm prepare` says stands in its error as well."""
    write_specs(small, {"datasets/mosi.yaml": (root / "specs/datasets/mosi.yaml").read_text(encoding="utf-8")})
    with pytest.raises(DataError) as caught:
        prepare(load_dataset("mosi", Project(small)).spec, "mosi", small)
    head, *guidance = str(caught.value).split("\n")
    assert head == "specs/datasets/mosi.yaml: error: source.path: data/raw/mosi/mosi_data.pkl does not exist"
    assert guidance == MOSI(kind="mosi").guidance("mosi").split("\n")


def test_a_model_that_is_not_there_is_said_where_an_experiment_names_it(small: Path) -> None:
    base = yaml.safe_load((small / "specs/experiments/joint.yaml").read_text())
    name = "rotated"
    step = {"kind": "timm", "model": "resnet18", "pretrained": "data/models/resnet18.safetensors"}
    base["modalities"][name] = {"encoder": step}
    write_specs(small, {"experiments/one.yaml": yaml.safe_dump(base), "experiments/two.yaml": yaml.safe_dump(base)})
    (found,) = map(str, all_missing(Project(small)))
    assert f"modalities.{name}.encoder.pretrained: data/models/resnet18.safetensors does not exist" in found
    assert "specs/experiments/one.yaml:" in found
    (small / "data/models").mkdir(parents=True)
    (small / "data/models/resnet18.safetensors").write_bytes(b"weights")
    assert all_missing(Project(small)) == []


def test_a_model_of_features_is_asked_for_before_they_are_made(small: Path, root: Path) -> None:
    spec = yaml.safe_load((root / "specs/datasets/food101-features.yaml").read_text())
    text = spec["source"]["modalities"]["text"]
    text["encoder"]["model"] = text["transforms"][0]["tokenizer"] = "data/models/bert"
    write_specs(
        small,
        {
            "datasets/food101.yaml": (root / "specs/datasets/food101.yaml").read_text(),
            "datasets/food101-features.yaml": yaml.safe_dump(spec),
        },
    )
    composed = load_dataset("food101-features", Project(small))
    encoder, step = map(str, missing_raw(composed, Project(small)))
    assert "source.modalities.text.encoder.model: data/models/bert does not exist" in encoder
    assert "source.modalities.text.transforms.0.tokenizer: data/models/bert does not exist" in step
    assert "dvc import-url ADDRESS data/models/bert" in encoder
    (small / "data/models/bert").mkdir(parents=True)
    assert missing_raw(composed, Project(small)) == []
