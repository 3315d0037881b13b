"""The balancing methods can be taken without the rest: torch and nothing else, and the names that are promised."""

from __future__ import annotations

import subprocess
import sys

import cggm_pipeline.modulations as modulations

NAMES = {
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
}
REST = ("pydantic", "yaml", "pyarrow", "timm", "accelerate", "sklearn", "dvc", "rich", "click")


def test_torch_alone():
    code = "import sys, torch; old = set(sys.modules); import cggm_pipeline.modulations; print(*set(sys.modules) - old)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert any(name.startswith("cggm_pipeline.modulations.") for name in loaded)
    ours = {name for name in loaded if name.startswith("cggm_pipeline")}
    assert {name for name in ours if name.count(".") and not name.startswith("cggm_pipeline.modulations")} == set()
    assert not [name for name in loaded if name.split(".")[0] in REST]


def test_exported_names():
    assert set(modulations.__all__) == NAMES
    assert all(hasattr(modulations, name) for name in NAMES)
