"""Two processes (gloo) train as one does under every method; one start of processes for all of them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import torch
from contract_modulations import Case, once
from contract_training import Trained, train
from torch import Tensor, distributed, multiprocessing

GENTLE = {"gentle": True, "double": True, "epochs": 1}
CASES = once(1, "classification")
"""Batch normalisation, and a score that is no mean over samples, are each process's own: neither is here."""


def state(trained: Trained) -> dict[str, Tensor]:
    """Network and method after one epoch, which is the best one."""
    return {**trained.fitted.network.state_dict(), **trained.made.modulation.state_dict(prefix="method.")}


def half(rank: int, port: int, folder: str) -> None:
    """One of two processes: every case."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "1"}
    os.environ |= {**place, "WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)}
    torch.set_num_threads(1)
    for case in CASES:
        try:
            found = state(train(case, **GENTLE))
        except Exception as error:  # noqa: BLE001 - told by the test of this case; the others go on
            found = {"error": f"{type(error).__name__}: {error}"}
        torch.save(found, f"{folder}/{CASES.index(case)}-{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("halves")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(half, (port, str(folder)), nprocs=2)
    return folder


@pytest.mark.parametrize("case", CASES, ids=str)
def test_two_processes_train_as_one(case: Case, halves: Path) -> None:
    first, second = (torch.load(halves / f"{CASES.index(case)}-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert "error" not in first, first["error"]
    for name, value in first.items():
        assert torch.equal(value, second[name]), f"{name}: the replicas have drifted apart"
    if not getattr(case.spec, "per_process", ""):
        for name, value in state(train(case, **GENTLE)).items():
            torch.testing.assert_close(first[name], value, rtol=1e-7, atol=1e-9, msg=name)
