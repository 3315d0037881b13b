"""What each room offers under its own name: exactly these, so that nothing becomes public by accident."""

from __future__ import annotations

from importlib import import_module

import pytest

EXPORTED = {
    "spec": {
        "Composed",
        "ComposedTable",
        "Dataset",
        "Experiment",
        "Place",
        "Project",
        "Row",
        "Table",
        "dump",
        "load_dataset",
        "load_experiment",
        "load_resolved",
        "load_table",
    },
    "pipeline": {"Out", "Pipeline", "Plot", "Stage", "run_key"},
    "report": {"write"},
    "build": {"BuildReport", "Built", "Run", "build", "build_network", "check_build"},
    "encoders": {"Encoder", "Shape"},
    "fills": {"Fill"},
    "adapters": {"Adapter"},
    "fusions": {"Fusion"},
    "tasks": {"Task"},
    "modulations": {
        "AGM",
        "AMCo",
        "ARL",
        "CGGM",
        "CML",
        "DGL",
        "GBlending",
        "Greedy",
        "InfoReg",
        "LFM",
        "MBSD",
        "MILES",
        "MLA",
        "MLB",
        "MMPareto",
        "MSES",
        "MSLR",
        "Modulation",
        "NoModulation",
        "OGMGE",
        "OPM",
        "PMR",
        "Parts",
        "Probe",
        "ReconBoost",
        "Record",
        "Rehearsal",
        "Relearning",
        "Step",
        "UME",
        "UMT",
        "UnimodalLosses",
        "accuracy",
        "sign_accuracy",
    },
    "training": set(),
    "evaluation": set(),
    "classifiers": set(),
    "layers": set(),
    "data": set(),
    "cli": set(),
}


@pytest.mark.parametrize("room", EXPORTED)
def test_a_room_exports_the_listed_names(room: str) -> None:
    module = import_module(f"cggm_pipeline.{room}")
    names = getattr(module, "__all__", ())
    assert set(names) == EXPORTED[room]
    assert len(names) == len(set(names))
    assert all(hasattr(module, name) for name in names)


@pytest.mark.parametrize("room", EXPORTED)
def test_a_room_says_what_it_is(room: str) -> None:
    assert import_module(f"cggm_pipeline.{room}").__doc__
