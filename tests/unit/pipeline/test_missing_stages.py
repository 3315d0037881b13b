"""What missing patterns and composites of rows are to the stages: dependencies of those that read them."""

from __future__ import annotations

from pathlib import Path

from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.kinds import network_files, train_files
from cggm_pipeline.spec import Experiment

from .conftest import TABLE, write_specs
from .test_schedule_files import experiment
from .test_stages import CLAIMS, made, stages

ROOT = Path(__file__).resolve().parents[3]
PATTERNS = {
    "train": {"kind": "incomplete", "share": 0.7},
    "test": {"kind": "fixed", "kept": [["a"]]},
}


def read(files: set[Path], code: Code) -> set[str]:
    """The kinds of patterns among these files; `rate` is always one of evaluation's, which measures at rates."""
    return {file.stem for file in files if file.parent == code.package / "data/patterns"} - {"__init__", "base"}


def closures(spec: Experiment) -> tuple[set[str], set[str]]:
    code = Code.of(ROOT)
    training = train_files(code, spec, code.package / "build" / "train.py")
    return read(training, code), read(code.closure(network_files(code, spec)), code)


def test_a_stage_reads_the_patterns_that_are_named_and_no_others() -> None:
    assert closures(experiment()) == ({"natural"}, {"natural"})
    named = {"natural", "incomplete", "fixed"}
    assert closures(experiment(missing=PATTERNS)) == (named, named)


def test_evaluation_reads_the_pattern_of_its_rates() -> None:
    code = Code.of(ROOT)
    assert read(code.closure([code.package / "build" / "evaluate.py"]), code) == {"rate"}


def test_what_a_composite_cites_is_a_dependency_of_the_report_alone(small: Path) -> None:
    composite = "composites: {LB: {rows: [Alone, Joint], published: {table: cggm-t1, row: Joint}}}\n"
    write_specs(small, {"tables/digits.yaml": TABLE + composite, "claims/cggm-t1.yaml": CLAIMS})
    found = {
        name for name, stage in stages(made(small)["dvc.yaml"]).items() if "specs/claims/cggm-t1.yaml" in stage.deps
    }
    assert found == {"report-digits"}
