"""How long `cggm validate` takes for 1,000 experiment specs, and `cggm --help`: medians of whole processes.

Targets (2 cores): 1 s and 0.25 s; torch is never imported. Run: python benchmarks/validate.py
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NUMBER = 1000
REPEATS = 5
COMMAND = [sys.executable, "-c", "from cggm_pipeline.cli import main; main()"]
TORCH = """\
import sys
from cggm_pipeline.cli import main
try: main()
except SystemExit as end: print("torch" in sys.modules, end.code)
"""

DATASET = """\
# yaml-language-server: $schema=../schema.json
version: 1
kind: dataset
source: {kind: digits_two_view}
split: {kind: stratified, valid: 0.15, test: 0.25}
modalities:
  rotated: {shape: [1, 8, 8]}
  noisy: {shape: [1, 8, 8]}
target: {kind: classes, number: 10}
"""
EXPERIMENT = """\
# yaml-language-server: $schema=../schema.json
version: 1
kind: experiment
description: Experiment {number} of the benchmark.
data: digits{dataset}
modalities:
  rotated: {{encoder: {{kind: conv, channels: [16, {width}]}}, transforms: [{{kind: normalise}}]}}
  noisy: {{encoder: {{kind: mlp, hidden: [64, {width}]}}}}
fusion: {{kind: concat, width: 64}}
task: {{kind: classification, loss: {{kind: cross_entropy, label_smoothing: 0.1}}}}
modulation: {{kind: cggm, preset: paper, rho: 1.3, lam: 2e-1}}
training:
  epochs: 40
  batch_size: 64
  optimizer: {{kind: adam, lr: 1e-3}}
  clip: 0.8
seeds: [0, 1, 2]
"""
OVERLAY = """\
# yaml-language-server: $schema=../schema.json
version: 1
kind: experiment
extends: spec-{base:04d}.yaml
modulation: {{rho: 1.{number}}}
training: {{epochs: {epochs}}}
"""


def project(folder: Path) -> None:
    """A project of 1,000 experiments, a tenth of them overlays, and ten datasets."""
    for room in ("datasets", "experiments"):
        (folder / "specs" / room).mkdir(parents=True)
    for index in range(10):
        (folder / "specs/datasets" / f"digits{index}.yaml").write_text(DATASET)
    for number in range(NUMBER):
        text = EXPERIMENT.format(number=number, dataset=number % 10, width=16 + number % 50)
        if number % 10 == 9:
            text = OVERLAY.format(base=number - 1, number=number, epochs=number)
        (folder / "specs/experiments" / f"spec-{number:04d}.yaml").write_text(text)


def seconds(command: list[str], folder: Path) -> tuple[float, float]:
    """The median time of a process, which must succeed, and of its CPU time (on a busy machine the fairer number)."""
    times, used = [], []
    for _ in range(REPEATS):
        began, before = time.perf_counter(), _children()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
        used.append(_children() - before)
    return statistics.median(times), statistics.median(used)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print the numbers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder)
        done = subprocess.run([sys.executable, "-c", TORCH, "validate"], cwd=folder, capture_output=True, text=True)
        *_, summary, verdict = done.stdout.strip().splitlines() or ["", done.stderr]
        for words, most in (["validate"], 1.0), (["--help"], 0.25):
            wall, used = seconds([*COMMAND, *words], folder)
            print(f"cggm {words[0]:<10} {wall:5.2f} s, {used:5.2f} s of it on the CPU   (at most {most} s)")
        print(f"{' '.join(summary.split())}; torch imported, exit code: {verdict}")


if __name__ == "__main__":
    main()
