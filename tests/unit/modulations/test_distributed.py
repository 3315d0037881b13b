"""Two processes with 10 and 6 of a batch's 16 samples train as one process does: all within 1e-6 in float64."""

from __future__ import annotations

import os
import socket

import pytest
import torch
from modulation_toy import batches, build, furthest, optimizer_of, state, step_of, train
from torch import distributed, multiprocessing
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

NAMES, STEPS, BATCH, SHARES = ("a", "b", "c"), 8, 16, (10, 6)
CASES = {
    "unimodal_losses": ("unimodal_losses", {}),
    "ogm_ge": ("ogm_ge", {"noise": False}),
    "paper": ("cggm", {"preset": "paper"}),
    "released": ("cggm", {"preset": "released"}),
    "stable": ("cggm", {"preset": "stable"}),
}


def half(rank, port, folder):
    """One of two processes: every case, then the noise of OGM-GE."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    results = {}
    for key, (kind, options) in {**CASES, "noise": ("ogm_ge", {})}.items():
        net, method = build(kind, **options)
        torch.manual_seed(rank)  # noise and dropout differ between processes in practice
        wrapped = DistributedDataParallel(net, broadcast_buffers=False)
        optimizer = optimizer_of(net, method)
        for inputs, target in batches(NAMES, STEPS, BATCH):
            rows = torch.arange(BATCH).split(SHARES)[rank]
            mine = {n: x[rows] for n, x in inputs.items()}
            step = step_of(net, mine, target[rows], outputs=wrapped(mine))
            optimizer.zero_grad()
            weight = len(rows) * 2 / BATCH  # the wrapper averages over processes
            ((functional.cross_entropy(step.logits, target[rows]) + method.penalty(step)) * weight).backward()
            method.modulate_(step)
            optimizer.step()
        results[key] = state(net, method)
    torch.save(results, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    folder = tmp_path_factory.mktemp("halves")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(half, (port, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("key", CASES)
def test_two_processes_equal_one(key, halves):
    kind, options = CASES[key]
    net, method = build(kind, **options)
    train(net, method, optimizer_of(net, method), batches(NAMES, STEPS, BATCH))
    one = state(net, method)
    assert furthest(one, halves[0][key]) < 1e-6
    assert furthest(one, halves[1][key]) < 1e-6


def test_noise_does_not_drive_replicas_apart(halves):
    assert furthest(halves[0]["noise"], halves[1]["noise"]) == 0
