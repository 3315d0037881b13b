"""Tables in folders, and rankings of several tables: names, files, stages, and what may not share a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from cggm_pipeline.cli import cggm
from cggm_pipeline.errors import SpecError
from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.documents import read_documents
from cggm_pipeline.pipeline.generate import generate
from cggm_pipeline.pipeline.pipelines import pipelines
from cggm_pipeline.pipeline.plan import plan
from cggm_pipeline.pipeline.render import parse
from cggm_pipeline.pipeline.workspace import differences, write
from cggm_pipeline.report.specs import read_table
from cggm_pipeline.spec import Project

from .conftest import EXPERIMENT, OWN_DATASET, OWN_EXPERIMENT, TABLE, write_specs

OWN_TABLE = """version: 1
kind: table
base: experiments/own/sum.yaml
baseline: Joint
seeds: [0]
rows:
  Joint: {}
  OGM-GE: {modulation: {kind: ogm_ge}}
"""
RANKING = "version: 1\nkind: ranking\ntables: [open/digits, open/own]\n"


@pytest.fixture
def nested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One table that a fresh clone computes, one whose data a person fetches, both in a folder, and their ranking."""
    monkeypatch.chdir(tmp_path)
    return write_specs(
        tmp_path,
        {
            "datasets/digits.yaml": DIGITS,
            "experiments/joint.yaml": EXPERIMENT,
            "tables/open/digits.yaml": TABLE,
            "datasets/own.yaml": OWN_DATASET.replace("PATH", "data/raw/own.csv"),
            "experiments/own/sum.yaml": OWN_EXPERIMENT,
            "tables/open/own.yaml": OWN_TABLE,
            "rankings/open.yaml": RANKING,
        },
    )


DIGITS = """version: 1
kind: dataset
source: {kind: digits_two_view}
split: {kind: stratified, valid: 0.15, test: 0.25, seed: 0}
modalities:
  rotated: {shape: [1, 8, 8]}
  noisy: {shape: [1, 8, 8]}
target: {kind: classes, number: 10}
"""


def test_files_of_a_nested_table_and_of_a_ranking(nested: Path) -> None:
    files = generate(Project(nested))
    assert {"dvc.yaml", "pipelines/open/own/dvc.yaml", "pipelines/rankings/open/dvc.yaml"} <= set(files)
    assert {"specs/resolved/tables/open/own.yaml", "specs/resolved/open/own/ogm-ge.yaml"} <= set(files)
    own = parse(files["pipelines/open/own/dvc.yaml"])
    assert isinstance(own, dict)
    assert list(own["stages"]) == [
        "prepare-own", "train-open--own--joint", "train-open--own--ogm-ge", "evaluate-open--own", "report-open--own",
    ]  # fmt: skip
    train = own["stages"]["train-open--own--ogm-ge"]
    assert train["wdir"] == "../../.."
    assert train["cmd"] == "python stages/train.py open/own ogm-ge"
    assert "runs/open/own/ogm-ge/train" in train["outs"]
    assert any("specs/resolved/open/own/ogm-ge.yaml" in entry for entry in train["params"])
    assert all(
        file.startswith("../../../runs/open/own/")
        for plot in own["plots"]
        for one in plot.values()
        for file in one["y"]
    )
    write(nested, files)
    assert differences(nested, generate(Project(nested))) == []
    assert [row.slug for row in read_table("open/own", nested).rows] == ["joint", "ogm-ge"]


def test_a_table_that_is_gone_takes_its_files_and_folders_along(nested: Path) -> None:
    write(nested, generate(Project(nested)))
    (nested / "specs/tables/open/own.yaml").unlink()
    (nested / "specs/rankings/open.yaml").unlink()
    write(nested, generate(Project(nested)))
    assert not (nested / "pipelines/open").exists()
    assert not (nested / "pipelines/rankings").exists()
    assert not (nested / "specs/resolved/tables/open/own.yaml").exists()


def test_a_ranking_depends_on_the_metrics_of_its_tables_and_on_no_row_but_the_first(nested: Path) -> None:
    files = generate(Project(nested))
    resolved = yaml.safe_load(files["specs/resolved/rankings/open.yaml"])
    assert resolved["rows"] == {"joint": "Joint", "ogm-ge": "OGM-GE"}
    assert {name: table["task"] for name, table in resolved["tables"].items()} == {
        "open/digits": "classification",
        "open/own": "classification",
    }
    (stage,) = parse(files["pipelines/rankings/open/dvc.yaml"])["stages"].items()  # type: ignore[index]
    assert stage[0] == "rank-open"
    assert stage[1]["cmd"] == "python stages/rank.py open"
    runs = [path for path in stage[1]["deps"] if path.startswith("runs/")]
    assert runs == [
        f"runs/open/{table}/{file}" for table in ("digits", "own") for file in ("joint/train", "metrics.json")
    ]
    assert stage[1]["outs"] == [f"runs/rankings/open/ranking.{end}" for end in ("csv", "html", "md", "svg")]


def test_plan_names_a_nested_pipeline(nested: Path) -> None:
    write(nested, generate(Project(nested)))
    made = pipelines(read_documents(Project(nested)), Code.of(nested))
    found = {item.address for item in plan(nested, made, {})}
    assert "pipelines/open/own/dvc.yaml:train-open--own--joint" in found
    assert "pipelines/rankings/open/dvc.yaml:rank-open" in found


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"tables/open.yaml": TABLE.replace("Joint: {}", "Joint: {}\n  Own: {use: [noisy]}")},
         "runs/open/own/ is the folder of the row 'Own' of specs/tables/open.yaml"),
        ({"tables/joint/joint.yaml": TABLE, "tables/joint.yaml": TABLE}, "runs/joint/joint/ is the folder of the row"),
        ({"tables/joint/joint/x.yaml": TABLE, "tables/joint.yaml": TABLE}, "is the folder of the row 'Joint'"),
        ({"experiments/open/own.yaml": EXPERIMENT}, "the name 'open/own' is that of specs/tables/open/own.yaml"),
    ],
)  # fmt: skip
def test_two_that_would_share_a_folder_are_refused(nested: Path, files: dict[str, str], said: str) -> None:
    write_specs(nested, files)
    with pytest.raises(SpecError, match=said):
        read_documents(Project(nested))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RANKING.replace("open/own]", "open/owm]"), "3:23: error: tables.1: there is no table 'open/owm'"),
        (RANKING.replace("open/own]", "open/digits]"), "stands twice"),
        (RANKING.replace(", open/own", ""), "error: tables"),
        (RANKING + "metric: f1_micro\n", "'f1_micro' is not a metric of the table 'open/digits'"),
        (RANKING + "rows: [Joint, OGM]\n", "the table 'open/digits' has no row 'OGM'"),
        (RANKING + "rows: [Joint, CGGM (paper)]\n", "the table 'open/own' has no row 'CGGM (paper)'"),
        (RANKING + "rows: [Joint]\n", "error: rows"),
        (RANKING + "rows: [Joint, Joint]\n", "stands twice"),
        (RANKING + "tabels: 3\n", "4:1: error: tabels: not a parameter of ranking"),
    ],
)
def test_a_ranking_that_cannot_be_is_told_with_its_place(nested: Path, text: str, said: str) -> None:
    write_specs(nested, {"rankings/open.yaml": text})
    done = CliRunner().invoke(cggm, ["validate"])
    assert done.exit_code == 1
    assert "specs/rankings/open.yaml:" in done.output
    assert said in done.output
    with pytest.raises(SpecError):
        read_documents(Project(nested))


def test_rows_in_common_are_too_few(nested: Path) -> None:
    write_specs(nested, {"tables/open/own.yaml": OWN_TABLE.replace("Joint", "Together")})
    done = CliRunner().invoke(cggm, ["validate"])
    assert "1 row that all of these tables have" in done.output


def test_a_table_with_tuning_says_in_its_record_how_its_values_were_chosen(nested: Path) -> None:
    tuning = OWN_TABLE + "tuning: {budget: 2, seed: 1000}\n"
    tuned = tuning.replace("Joint: {}", "Joint: {tune: {training.clip: [1.0, null]}}").replace(
        "{modulation: {kind: ogm_ge}}", "{modulation: {kind: ogm_ge}, tune: {modulation.alpha: [0.1, 0.8]}}"
    )
    write_specs(nested, {"tables/open/own.yaml": tuned})
    files = generate(Project(nested))
    rows = yaml.safe_load(files["specs/resolved/tables/open/own.yaml"])["rows"]
    assert rows["joint"]["tuned"] == {"budget": 2, "seed": 1000, "epochs": None, "values": None, "fresh": False}
    plain = yaml.safe_load(files["specs/resolved/tables/open/digits.yaml"])["rows"]
    assert "tuned" not in plain["joint"], "a table without tuning says what it said before"
    assert json.dumps(plain)
