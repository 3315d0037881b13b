"""How long each of the paper's pipelines takes on its twin: raw files, data, every row, evaluation, report.

python benchmarks/twins.py [NAME ...]     target: all four together in 8 minutes on 2 quiet cores

Most of it is not training: every stage is a process that imports torch first. That part is measured beside it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _here import environment
from repro import copy

from cggm_pipeline.build.seeds import PRELOADED

TABLES = ("food101", "mosi", "iemocap", "brats")
TARGET = 480.0
STARTS = 5


def run(root: Path, *command: str) -> tuple[float, str]:
    """Seconds of a command, and what it printed."""
    own = environment() | {"PYTHONPATH": str(root)}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=root, env=own, text=True, capture_output=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def pipeline(root: Path, name: str) -> tuple[float, float, int]:
    """Seconds of a table's twin from nothing to the table, those of the second `dvc repro`, and the stages."""
    file = f"pipelines/{name}-twin/dvc.yaml"
    made, _ = run(root, "cggm", "twin", name, f"data/twins/{name}")
    compiled, _ = run(root, "cggm", "compile")
    first, said = run(root, "dvc", "repro", file)
    second, again = run(root, "dvc", "repro", file)
    if "Running stage" in again:
        sys.exit(f"{name}: the second dvc repro ran something")
    return made + compiled + first, second, said.count("Running stage ")


def start_up(root: Path) -> float:
    """Seconds until a train stage has imported what it needs, the median of a few."""
    return statistics.median(
        run(root, sys.executable, "-c", f"import {', '.join(PRELOADED)}")[0] for _ in range(STARTS)
    )


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="twins-") as folder:
        root = Path(folder)
        copy(root)
        start = start_up(root)
        total, stages = 0.0, 0
        for name in names or TABLES:
            first, second, number = pipeline(root, name)
            total, stages = total + first, stages + number
            print(f"{name:10s} {first:5.0f} s, {number} stages; the second dvc repro {second:.1f} s, nothing ran")
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(f"together   {total:5.0f} s, {stages} stages (target {TARGET:.0f} s; {cores} cores, load {load:.1f})")
    print(
        f"start of a train stage: median {start:.1f} s of {STARTS}; over all stages {start * stages / total:.0%} of it"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
