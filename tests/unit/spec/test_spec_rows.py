"""Tables: rows as overrides, sweeps, labels and the names of their files, published numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cggm_pipeline.spec import Project, load_table
from cggm_pipeline.spec.labels import slug_of

if TYPE_CHECKING:
    from conftest import Desk

CLAIMS = """\
version: 1
kind: claims
paper: Guo et al., NeurIPS 2024 (arXiv 2411.01409)
table: Table 2
dataset: CMU-MOSI
source: [the paper]
status: seen in paper text
columns:
  Acc: {metric: accuracy, unit: percent, direction: higher}
  NLL: {metric: nll, unit: one, direction: lower}
rows:
  CGGM: {Acc: 80.5, NLL: unknown}
"""


def test_rows(desk: Desk) -> None:
    table = load_table("mosi", Project(desk.root))
    assert {slug: row.label for slug, row in table.rows.items()} == {"joint": "Joint", "cggm": "CGGM"}
    joint, cggm = table.rows["joint"].experiment, table.rows["cggm"].experiment
    assert joint.spec.modulation.kind == "none"
    assert cggm.spec.modulation.kind == "cggm"
    assert joint.spec.seeds == cggm.spec.seeds == (0, 1)
    assert joint.name == "mosi/joint"
    assert str(joint.origin["modulation.kind"]) == "specs/tables/mosi.yaml:5:30"
    assert str(joint.origin["seeds"]) == "specs/tables/mosi.yaml:7:8"
    assert str(joint.origin["data"]) == "specs/experiments/cggm.yaml:3:7"
    assert table.base.spec.seeds == (0,)


def test_sweep_is_the_cross_product(desk: Desk) -> None:
    desk.table(
        "seeds:",
        "sweep: {modulation.rho: [1.0, null], training.optimizer: [{kind: sgd}, {kind: adam, lr: 1e-2}]}\nseeds:",
    )
    table = load_table("mosi", Project(desk.root))
    assert list(table.rows) == [
        "joint", "cggm", "rho-1-0-optimizer-sgd", "rho-1-0-optimizer-kind-adam-lr-0-01", "rho-null-optimizer-sgd",
        "rho-null-optimizer-kind-adam-lr-0-01",
    ]  # fmt: skip
    row = table.rows["rho-null-optimizer-kind-adam-lr-0-01"]
    assert row.label == "rho=null optimizer=kind adam lr 0.01"
    assert row.experiment.spec.modulation.rho is None
    assert row.experiment.spec.training.optimizer.lr == 0.01
    assert str(row.experiment.origin["modulation.rho"]) == "specs/tables/mosi.yaml:7:31"


def test_swept_keys_with_the_same_last_part_are_told_apart(desk: Desk) -> None:
    desk.table("seeds:", "sweep: {classifiers.lr: [1e-3], training.optimizer.lr: [1e-2]}\nseeds:")
    assert "classifiers-lr-0-001-training-optimizer-lr-0-01" in load_table("mosi", Project(desk.root)).rows


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("CGGM (paper)", "cggm-paper"),
        ("Joint + unimodal losses", "joint-unimodal-losses"),
        ("Unimodal: rotated", "unimodal-rotated"),
        ("OGM-GE", "ogm-ge"),
        ("Modalität ß", "modalitat"),
        ("../../etc", "etc"),
        ("a; rm -rf $HOME", "a-rm-rf-home"),
    ],
)
def test_labels_are_free_and_their_files_are_safe(label: str, slug: str) -> None:
    assert slug_of(label) == slug


@pytest.mark.parametrize(
    ("old", "new", "place", "message", "advice"),
    [
        (
            "CGGM: {}",
            "CGGM: {modulation: {roh: 1}}",
            "6:23: rows.CGGM.modulation.roh",
            "not a parameter of cggm",
            "'rho'?",
        ),
        ("CGGM: {}", "CGGM: {moduation: {}}", "6:10: rows.CGGM.moduation", "not a parameter of", "'modulation'?"),
        ("CGGM: {}", "CGGM: {use: [text]}", "6:15: rows.CGGM.use", "cggm balances 2 modalities or more", "kind: none"),
        ("CGGM: {}", "CGGM: {use: [txt]}", "6:16: rows.CGGM.use.0", "there is no modality 'txt'", "mean 'text'?"),
        ("CGGM: {}", "joint: {}", "6:3: rows.joint", "shares the files 'joint' with 'Joint'", "differ"),
        ("CGGM: {}", "Evaluation: {}", "6:3: rows.Evaluation", "'evaluation' is the name of a file of every", "other"),
        ("CGGM: {}", "'§§': {}", "6:3: rows.§§", "the label gives no name for its files", "lower-case"),
        (
            "CGGM: {}",
            "2 layers: {}",
            "6:3: rows.2 layers",
            "gives no name for its files ('2-layers')",
            "a letter first",
        ),
        ("CGGM: {}", '"a\\e[31m": {}', "6:3: rows.'a\\x1b[31m'", "gives no name for its files", ""),
        ("CGGM: {}", "CGGM: {data: digits}", "6:10: rows.CGGM.data", "a row has no 'data' of its own", "share"),
        ("CGGM: {}", "CGGM: {seeds: [1]}", "6:10: rows.CGGM.seeds", "a row has no 'seeds' of its own", "share"),
        ("CGGM: {}", "CGGM: {extends: x.yaml}", "6:10: rows.CGGM.extends", "a row has no 'extends' of its own", ""),
        ("CGGM: {}", "CGGM: 3", "6:9: rows.CGGM", "3 is not a mapping", ""),
        ("CGGM: {}", "CGGM: {}\n  CGGM: {}", "7:3: rows.CGGM", "stands twice, first in line 6", ""),
        ("CGGM: {}", "CGGM: {modulation: null}", "6:22: rows.CGGM.modulation", "null is not a mapping with kind", ""),
        ("seeds: [0, 1]", "seeds: [0, -1]", "7:12: seeds.1", "-1 is not an integer of at least 0", ""),
        ("seeds: [0, 1]", "baseline: Jont", "7:11: baseline", "there is no row 'Jont'", "did you mean 'Joint'?"),
        ("seeds: [0, 1]", "metric: acuracy", "7:9: metric", "'acuracy' is not a metric of", "mean 'accuracy'?"),
        ("seeds: [0, 1]", "seds: [0, 1]", "7:1: seds", "not a parameter of table", "did you mean 'seeds'?"),
        (
            "seeds: [0, 1]",
            "sweep: {modulation.roh: [1]}",
            "7:26: sweep.modulation.roh.0",
            "not a parameter of cggm",
            "'rho'",
        ),
        ("seeds: [0, 1]", "sweep: {modulation.rho: [-1]}", "7:26: sweep.modulation.rho.0", "-1 is not a number of", ""),
        ("seeds: [0, 1]", "sweep: {modulation.rho: 3}", "7:25: sweep.modulation.rho", "3 is not a list", ""),
        ("seeds: [0, 1]", "sweep: {data: [mosi]}", "7:9: sweep.data", "a row has no 'data' of its own", ""),
        ("base: experiments/cggm.yaml", "base: experiments/cgm.yaml", "3:7: base", "there is no file", "cggm.yaml'?"),
        ("base: experiments/cggm.yaml", "base: ../../../x.yaml", "3:7: base", "leads out of the project", ""),
        ("base: experiments/cggm.yaml\n", "", "1:1: ", "'base' is missing", "add base:"),
        ("  Joint: {modulation: {kind: none}}\n  CGGM: {}\n", "  {}\n", "1:1: ", "a table without rows", "add rows:"),
    ],
)
def test_fault(desk: Desk, old: str, new: str, place: str, message: str, advice: str) -> None:
    found = desk.table(old, new)
    matching = [one for one in found if f"{one.line}:{one.column}: {one.key}" == place and message in one.message]
    assert len(matching) == 1, "\n".join(map(str, found))
    assert matching[0].file == "specs/tables/mosi.yaml"
    assert advice in f"{matching[0].hint} {matching[0].allowed}"


def test_a_fault_of_the_base_is_told_once_and_in_its_file(desk: Desk) -> None:
    desk.write("experiments/cggm.yaml", desk.good.replace("epochs: 30", "epochs: -3"))
    (problem,) = desk.problems("tables/mosi.yaml")
    assert (problem.file, problem.key) == ("specs/experiments/cggm.yaml", "training.epochs")


def test_a_sweep_that_explodes_is_refused_at_once(desk: Desk) -> None:
    many = ", ".join(map(str, range(100)))
    (problem,) = desk.table("seeds:", f"sweep: {{training.epochs: [{many}], training.batch_size: [{many}]}}\nseeds:")
    assert problem.message == "10002 rows"
    assert problem.allowed == "at most 1000"


@pytest.mark.parametrize("name", ["tables", "datasets", "data", "Big", "a b"])
def test_names_of_tables(desk: Desk, name: str) -> None:
    desk.table("CGGM: {}", "CGGM: {}")
    (problem,) = desk.problems(f"tables/{name}.yaml", (desk.root / "specs/tables/mosi.yaml").read_text())
    assert f"'{name}'" in problem.message
    assert "rename the file" in problem.hint


def test_published_numbers(desk: Desk) -> None:
    desk.write("claims/cggm-table-2.yaml", CLAIMS)
    assert desk.problems("claims/cggm-table-2.yaml") == []
    assert desk.table("CGGM: {}", "CGGM: {published: {table: cggm-table-2, row: CGGM}}") == []
    table = load_table("mosi", Project(desk.root))
    assert table.rows["cggm"].published is not None
    assert table.rows["joint"].published is None
    (problem,) = desk.table("CGGM: {}", "CGGM: {published: {table: cggm-table-3, row: CGGM}}")
    assert problem.message == "there is no specs/claims/cggm-table-3.yaml"
    assert problem.hint == "did you mean 'cggm-table-2'?"
    (problem,) = desk.table("CGGM: {}", "CGGM: {published: {table: cggm-table-2, row: CGMM}}")
    assert problem.message == "'cggm-table-2' has no row 'CGMM'"
    assert problem.hint == "did you mean 'CGGM'?"


def test_a_claim_is_a_number_or_unknown(desk: Desk) -> None:
    from cggm_pipeline.spec.claims import Claims
    from cggm_pipeline.spec.load import read

    claims = Claims.model_validate(read(desk.write("claims/x.yaml", CLAIMS)).data)
    column, number = claims.value("CGGM", "accuracy") or pytest.fail("the number is there")
    assert (number, column.scale, column.direction) == (80.5, 100.0, "higher")
    assert claims.value("CGGM", "nll") is None
    assert claims.value("nobody", "accuracy") is None
    for old, new, key, message in (
        ("80.5", "null", "rows.CGGM.Acc", "null is not a number or unknown"),
        ("80.5", ".nan", "rows.CGGM.Acc", ".nan is not a finite number"),
        ("{Acc: 80.5", "{Ac: 80.5", "rows.CGGM.Ac", "there is no column 'Ac'"),
        ("unit: percent", "unit: percents", "columns.Acc.unit", "percents is not percent | fraction | one"),
        ("source: [the paper]", "source: []", "source", "a list has too few items"),
    ):
        (problem,) = desk.problems("claims/x.yaml", CLAIMS.replace(old, new))
        assert (problem.key, problem.message) == (key, message)
