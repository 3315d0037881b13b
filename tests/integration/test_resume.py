"""Killed with SIGKILL at any moment and started again, a training ends with the same bytes as an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cggm_pipeline.build.data import prepare
from cggm_pipeline.spec import Project, load_dataset

DATASET = """\
version: 1
kind: dataset
source: {kind: digits_two_view, noise: 1.0, rotation: 45}
split: {kind: stratified, valid: 0.15, test: 0.25, seed: 0}
modalities:
  rotated: {shape: [1, 8, 8]}
  noisy: {shape: [1, 8, 8]}
target: {kind: classes, number: 10}
"""
EXPERIMENT = """\
version: 1
kind: experiment
data: digits
modalities:
  rotated: {encoder: {kind: conv, channels: [8]}, transforms: [{kind: shift, pixels: 1}]}
  noisy: {encoder: {kind: mlp, hidden: [32], dropout: 0.1}, transforms: [{kind: noise, std: 0.1}]}
fusion: {kind: concat, width: 32}
task: {kind: classification, loss: {kind: cross_entropy}}
modulation: {kind: cggm, preset: released}
training: {epochs: 8, batch_size: 64, clip: 0.8, scheduler: {kind: cosine, warmup: 2}}
seeds: [3, 5]
"""
DRIVER = """\
import sys
from pathlib import Path

from cggm_pipeline.build.train import train
from cggm_pipeline.spec import Project, load_experiment

if __name__ == "__main__":
    root = Path(__file__).parent
    train(load_experiment("small", Project(root)).spec, root / "runs/small", key=sys.argv[1], project=root)
"""


def make_project(folder: Path) -> Path:
    for name, text in (("datasets/digits", DATASET), ("experiments/small", EXPERIMENT)):
        path = folder / "specs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "driver.py").write_text(DRIVER)
    prepare(load_dataset("digits", Project(folder)).spec, "digits", folder)
    return folder


def start(project: Path, workers: int, key: str = "k", **environment: str) -> subprocess.Popen[str]:
    settings = {
        "CGGM_WORKERS": str(workers),
        "CGGM_CHECKPOINT_SECONDS": "0",
        "ACCELERATE_USE_CPU": "1",
        "OMP_NUM_THREADS": "1",
    }
    here = str(Path(__file__).resolve().parents[2])
    return subprocess.Popen(
        [sys.executable, "driver.py", key],
        cwd=project,
        env={**os.environ, "PYTHONPATH": here, **settings, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text
    return text


def results(project: Path) -> dict[str, bytes]:
    folder = project / "runs/small/train"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    project = make_project(tmp_path_factory.mktemp("whole"))
    finish(start(project, 2))
    return results(project)


def kill_under_way(project: Path, process: subprocess.Popen[str], delay: float) -> bool:
    """SIGKILL a while after a new checkpoint; whether the training was still under way."""
    state, since = project / ".cggm/state/k", time.time()
    while process.poll() is None and not any(p.stat().st_mtime > since for p in state.glob("seed-*/checkpoint.pt")):
        time.sleep(0.01)
    time.sleep(delay)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    return alive


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_started_again(tmp_path, whole, workers):
    project, chance = make_project(tmp_path), random.Random(workers)
    killed = [kill_under_way(project, start(project, workers), chance.uniform(0, 0.3)) for _ in range(2)]
    assert any(killed)
    text = finish(start(project, workers))
    assert "continuing at epoch" in text
    found = results(project)
    assert found.keys() == whole.keys()
    assert [name for name in found if found[name] != whole[name]] == []


@pytest.mark.slow
def test_two_at_once_on_one_output_and_then_under_another_key(tmp_path, whole):
    project = make_project(tmp_path)
    first = start(project, 1)
    while not list(project.glob(".cggm/state/k/seed-*/checkpoint.pt")):
        time.sleep(0.02)
        assert first.poll() is None
    second = start(project, 1)
    text, _ = second.communicate(timeout=120)
    first.kill()
    first.communicate()
    assert second.returncode != 0
    assert "runs/small: error: another process is writing it" in text
    text = finish(start(project, 2, key="changed"))  # nothing of the first is taken over
    assert "continuing" not in text
    assert results(project) == whole
