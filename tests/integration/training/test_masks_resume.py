"""A segmentation that was stopped or killed goes on with the same bits, and its data do not depend on the other seeds.

With everything that could tell: batch norm, dropout, random crops and mirrors, slices drawn per case, CGGM's memory.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
import torch

from cggm_pipeline.build import build
from cggm_pipeline.build.data import prepare
from cggm_pipeline.build.run import Run
from cggm_pipeline.data.twins import brats
from cggm_pipeline.spec import Project, load_dataset, load_experiment
from cggm_pipeline.training.fit import Fitted

DATASET = """\
version: 1
kind: dataset
source: {kind: brats, path: raw}
split: {kind: random, valid: 0.25, test: 0.25, seed: 0}
modalities:
  flair: {shape: [1, 48, 48], dtype: float16}
  t1: {shape: [1, 48, 48], dtype: float16}
  t1ce: {shape: [1, 48, 48], dtype: float16}
  t2: {shape: [1, 48, 48], dtype: float16}
target: {kind: mask, number: 4, shape: [48, 48]}
"""
EXPERIMENT = """\
version: 1
kind: experiment
data: cases
modalities:
  flair: {encoder: {kind: smp, model: tu-test_resnet, depth: 4, aspp: 8, atrous_rates: [1, 2, 3]}}
  t1ce: {encoder: {kind: smp, model: tu-test_resnet, depth: 4, aspp: 8, atrous_rates: [1, 2, 3]}}
augment: [{kind: crop, size: [32, 32]}, {kind: mirror}]
fusion: {kind: deeplab, width: 8, low_width: 4}
task: {kind: segmentation, regions: {wt: [1, 2, 3], et: [3]}}
classifiers: {lr: 6.0e-3, scheduled: false}
modulation: {kind: cggm, preset: PRESET, rho: 1.0, lam: 0.1}
training:
  epochs: 3
  batch_size: 4
  accumulate: 2
  per_group: 4
  optimizer: {kind: sgd, lr: 1.0e-2, weight_decay: 3.0e-4}
  scheduler: {kind: cosine, warmup: 1, start: 0.04, final: 0.1}
"""
"""Six steps: two cases of training, four slices of each, in batches of four."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("resume")
    brats.write(root / "raw", cases=4)
    for name, text in {"datasets/cases": DATASET, "experiments/small": EXPERIMENT}.items():
        (root / "specs" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / f"specs/{name}.yaml").write_text(text.replace("PRESET", "released"))
    prepare(load_dataset("cases", Project(root)).spec, "cases", root)
    return root


def made(project: Path, seed: int = 0, preset: str = "released") -> Run:
    spec = load_experiment("small", Project(project)).spec
    spec = spec.model_copy(update={"modulation": spec.modulation.model_copy(update={"preset": preset})})
    return build(spec, seed, project=project, device="cpu")


@pytest.fixture(scope="module")
def whole(project: Path) -> dict[str, tuple[Fitted, dict]]:
    runs = {preset: made(project, preset=preset) for preset in ("released", "paper", "stable")}
    return {preset: (run.fit(), run.built.modulation.state_dict()) for preset, run in runs.items()}


class Stopped(BaseException):
    """Stands for a kill."""


def identical(run: Run, fitted: Fitted, expected: tuple[Fitted, dict]) -> None:
    reference, remembered = expected
    assert fitted.history == reference.history
    pairs = [(fitted.network.state_dict(), reference.network.state_dict())]
    for found, right in [*pairs, (run.built.modulation.state_dict(), remembered)]:
        assert found.keys() == right.keys()
        assert [name for name in right if not torch.equal(found[name], right[name])] == []


@pytest.mark.parametrize(
    ("preset", "at"), [("released", 0), ("released", 1), ("released", 4), ("paper", 3), ("stable", 3)]
)
def test_a_stop(project, whole, tmp_path, monkeypatch, preset, at):
    monkeypatch.setenv("CGGM_CHECKPOINT_SECONDS", "0")
    first, again = made(project, preset=preset), made(project, preset=preset)
    real, left = first.data["train"].batches, [at]

    def stopping(*arguments, **options):
        for batch in real(*arguments, **options):
            if not left[0]:
                raise Stopped
            left[0] -= 1
            yield batch

    monkeypatch.setattr(first.data["train"], "batches", stopping)
    with pytest.raises(Stopped):
        first.fit(state=tmp_path, key="k")
    assert (tmp_path / "checkpoint.pt").exists() == (at > 0)
    identical(again, again.fit(state=tmp_path, key="k"), whole[preset])


def test_killed_under_way(project, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("CGGM_CHECKPOINT_SECONDS", "0")
    run = made(project)
    child = os.fork()
    if not child:  # the process that is killed
        try:
            run.fit(state=tmp_path, key="k")
        finally:
            os._exit(0)
    while not (tmp_path / "previous.pt").exists():
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)  # it had not come to its end
    run = made(project)
    identical(run, run.fit(state=tmp_path, key="k"), whole["released"])


def test_a_seed_does_not_depend_on_what_was_trained_before_it(project, whole):
    made(project, 1).fit()
    run = made(project)
    identical(run, run.fit(), whole["released"])
