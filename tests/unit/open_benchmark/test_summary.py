"""The summary over tables: what stands where, and in which order."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "open_benchmark" / "summary.py"
HEAD = "table,row,label,metric,mean,difference,p_holm"


@pytest.fixture
def script(monkeypatch):
    spec = importlib.util.spec_from_file_location("open_benchmark_summary", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "open_benchmark_summary", module)
    spec.loader.exec_module(module)
    return module


def write(folder, table, *lines):
    (folder / table).mkdir()
    (folder / table / "table.csv").write_text("\n".join([HEAD, *lines]) + "\n")


def test_the_whole_page(script, tmp_path):
    joint = "t,joint,Joint,accuracy,0.8,,"
    write(tmp_path, "a", joint, "t,u,Unimodal: x,accuracy,0.5,-0.3,0.001", "t,m,Worse,accuracy,0.7,-0.1,0.04")
    write(tmp_path, "b", joint, "t,n,Better,accuracy,0.85,0.05,0.06", "t,n,Better,loss,9,9,", "t,f,Failed,accuracy,,,")
    write(tmp_path, "imbalance-noise", joint)
    lines = list(script.page(script.read(tmp_path)))
    table = lines[lines.index("## Every method") + 2 :]
    assert table[:6] == [
        "| method | a | b | mean difference |",
        "|:---|---:|---:|---:|",
        "| Joint | 80.0 | 80.0 |  |",
        "| Better |  | 85.0 (+5.0) | +5.0 |",
        "| Worse | 70.0 (-10.0 †) |  | -10.0 |",
        "| Unimodal: x | 50.0 (-30.0 †) |  |  |",
    ]
    assert "| method | noise | mean difference |" in lines
    assert not any("Failed" in line for line in lines)
