"""Two processes (gloo) train as one does, and go on from their checkpoints; and nothing in a step asks the device."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cggm_pipeline.training.draws import Draws
from cggm_pipeline.training.fit import fit
from cggm_pipeline.training.machine import settled
from cggm_pipeline.training.step import Stepper

DRIVER = """\
import os, sys
from pathlib import Path

sys.path.insert(0, {tests!r})
import conftest
import torch
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.training.fit import fit


def double(one):
    for module in (one.network, one.modulation):
        module.double()
    for data in (one.train, one.valid):
        for name in data.modalities:
            data._stores[name].values = data._stores[name].values.double()
            data.transforms[name] = []
    return one


if __name__ == "__main__":
    torch.set_num_threads(1)
    prepared, out = Prepared.open(Path(sys.argv[1])), Path(sys.argv[2])
    torch.set_default_dtype(torch.float64)
    for modulation, batch_size in {batches!r}.items():
        for epochs in (1, 3):  # the second goes on from the checkpoint of the first
            one = double(conftest.make_problem(prepared, modulation, epochs=epochs, batch_size=batch_size, dropout=0.0))
            fitted = fit(*one.arguments(), state=out / modulation, key="k")
        assert len(fitted.history) == 3
        if os.environ.get("RANK", "0") == "0":
            torch.save(fitted.network.state_dict(), out / f"{{modulation}}.pt")
            (out / f"{{modulation}}.txt").write_text(repr(fitted.history[-1]["valid_loss"]))
"""
BATCHES = {"none": 25, "unimodal_losses": 25, "cggm-paper": 40, "cggm-released": 40, "cggm-stable": 40}
"""Batches of 25 do not halve: 13 and 12 samples, weighted. Scores of CGGM are means over processes, so equal halves."""


def run(folder: Path, prepared: Path, processes: int) -> Path:
    folder.mkdir()
    driver = folder / "driver.py"
    driver.write_text(DRIVER.format(tests=str(Path(__file__).parent), batches=BATCHES))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    commands = []
    for rank in range(processes):
        settings = {"WORLD_SIZE": str(processes), "RANK": str(rank), "LOCAL_RANK": str(rank), "MASTER_PORT": str(port)}
        commands.append(start(driver, prepared, folder, settings if processes > 1 else {}))
    for process in commands:
        text, _ = process.communicate(timeout=240)
        assert process.returncode == 0, text
    return folder


def start(driver: Path, prepared: Path, folder: Path, settings: dict[str, str]) -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parents[3])
    fixed = {"PYTHONPATH": root, "MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(driver), str(prepared), str(folder)],
        env={**os.environ, **fixed, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_two_processes_train_as_one(prepared, tmp_path):
    one, two = run(tmp_path / "one", prepared.folder, 1), run(tmp_path / "two", prepared.folder, 2)
    for modulation in BATCHES:
        alone, together = (torch.load(folder / f"{modulation}.pt", weights_only=True) for folder in (one, two))
        for name, tensor in alone.items():
            torch.testing.assert_close(together[name], tensor, rtol=0, atol=1e-6, msg=f"{modulation}: {name}")


class AskedError(Exception):
    """The host asked the device for a value."""


@pytest.mark.parametrize(
    "modulation", ["none", "unimodal_losses", "ogm_ge", "cggm-paper", "cggm-released", "cggm-stable"]
)
@pytest.mark.parametrize("changes", [{}, {"accumulate": 3}, {"clip": None}])
def test_a_step_moves_nothing_to_the_host(problem, monkeypatch, modulation, changes):
    """Everything between two batches, logging and NaN flags included; torch's optimiser too, as it is fused."""

    def asked(*arguments, **keywords):
        raise AskedError

    names = ("item", "cpu", "tolist", "numpy", "__bool__", "__float__", "__int__", "__index__")

    class Guarded(Draws):
        def batches(self, epoch, start):
            for batch in super().batches(epoch, start):
                with monkeypatch.context() as patch:
                    for name in names:
                        patch.setattr(torch.Tensor, name, asked)
                    yield batch

    monkeypatch.setattr("cggm_pipeline.training.loop.Draws", Guarded)
    fitted = fit(*problem(modulation, epochs=2, watch_every=1000, **changes).arguments())
    assert len(fitted.history) == 2


def test_the_guard_of_the_test_above_guards(problem, monkeypatch):
    def asked(*arguments, **keywords):
        raise AskedError

    monkeypatch.setattr(torch.Tensor, "tolist", asked)
    with pytest.raises(AskedError):
        fit(*problem(epochs=1).arguments())


def test_a_process_without_a_sample_of_its_own_counts_none(problem):
    """Two samples on three processes: the first lends itself one, which is in no mean."""
    one = problem("cggm-paper")
    counted = []
    one.modulation.penalty = lambda step: counted.append(step.count) or step.logits.sum() * 0
    one.modulation.modulate_ = lambda step: {}
    batch = next(one.train.batches(2, train=True))
    with settled(one.options) as accelerator:
        stepper = Stepper(accelerator, one.network, one.task, one.modulation, one.options)
        for process in range(3):
            stepper._accelerator = Process(accelerator, process)
            _, values = stepper(batch, 0, 0)
            assert (values[0] == 0) == (process == 0)
    assert counted == [0, 1, 1]


class Process:
    """An accelerator that says it is one of three processes."""

    num_processes = 3

    def __init__(self, accelerator, process: int) -> None:
        self._accelerator, self.process_index = accelerator, process

    def __getattr__(self, name: str):
        return getattr(self._accelerator, name)
