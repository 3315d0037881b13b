"""The ablation's own parts: every method trains, runs survive on disk, intervals are scipy's, features hear a tone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks" / "ablation"))

import finished  # type: ignore[import-not-found]
import real_data  # type: ignore[import-not-found]
import summary  # type: ignore[import-not-found]
from methods import ABLATIONS, METHODS  # type: ignore[import-not-found]
from small_networks import Network  # type: ignore[import-not-found]
from trial import Protocol, run  # type: ignore[import-not-found]


@pytest.fixture(scope="module")
def tiny():
    """Two modalities that both show the class, a vector and an image."""
    random = np.random.default_rng(0)
    views, targets = {}, {}
    for split, count in (("train", 96), ("valid", 32), ("test", 32)):
        target = random.integers(0, 3, count)
        vector = np.eye(3, 4)[target] * 3 + random.normal(0, 1, (count, 4))
        image = target[:, None, None, None] + random.normal(0, 2, (count, 1, 8, 8))
        views[split] = {"vector": vector.astype(np.float32), "image": image.astype(np.float32)}
        targets[split] = target
    return real_data.Data(views, targets)


@pytest.mark.parametrize("hidden", [None, 16])
@pytest.mark.parametrize("method", [*METHODS, *ABLATIONS])
def test_every_method_trains(method, hidden, tiny):
    protocol = Protocol(epochs=2, batch_size=16, hidden=hidden, lr=1e-2)
    outcome = run(tiny, protocol, {**METHODS, **ABLATIONS}[method], seed=0)
    wild = method in ("cggm paper", "cggm released")
    assert wild or outcome.test > 0.6
    assert set(outcome.probes) == {"vector", "image"}
    assert wild == (outcome.negative > 0)


def test_methods_start_from_the_same_network_and_differ(tiny):
    protocol = Protocol(epochs=3, batch_size=16, lr=3e-3)
    outcomes = {name: run(tiny, protocol, METHODS[name], seed=0) for name in ("none", "cggm stable")}
    again = run(tiny, protocol, METHODS["none"], seed=0)
    assert again == outcomes["none"]
    assert outcomes["cggm stable"] != outcomes["none"]


def test_the_joint_loss_can_be_kept_from_the_encoders():
    """The variant's encoder gradients are rho times those of the classifiers' losses alone."""
    network = Network({"a": (6,), "b": (1, 8, 8)}, 3, hidden=None, seed=0)
    method = ABLATIONS["stable, joint loss kept from the encoders"](network)
    inputs = {"a": torch.randn(16, 6), "b": torch.randn(16, 1, 8, 8)}
    step = network.step(inputs, torch.arange(16) % 3)
    own = sum(functional.cross_entropy(network.classifiers[n](step.features[n]), step.target) for n in "ab")
    parameters = list(network.encoders.parameters())
    expected = torch.autograd.grad(own, parameters, retain_graph=True)
    method.backward(functional.cross_entropy(step.logits, step.target), step)
    for parameter, gradient in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.grad, 1.3 * gradient, rtol=1e-4, atol=1e-5)


def test_runs_survive_on_disk(tmp_path):
    runs = [finished.Run("mfeat", "stable, w_i = 1", s, 0.5, 0.25, {"fac": 0.125, "zer": 1.0}, 0.0625) for s in (0, 1)]
    finished.write(tmp_path / "new" / "runs.csv", runs)
    assert finished.read(tmp_path / "new" / "runs.csv") == runs
    assert finished.read(tmp_path / "none.csv") == []
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["runs.csv"]


def test_intervals_are_scipys():
    random = np.random.default_rng(1)
    ours, base = random.uniform(0.8, 1, (2, 10))
    both = [[finished.Run("mfeat", "m", s, 0, value, {}, 0) for s, value in enumerate(x)] for x in (ours, base)]
    found = summary.difference(*both, test_per_train=3.0)
    low, high = stats.ttest_rel(100 * ours, 100 * base).confidence_interval(0.95)
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))
    assert found.careful == pytest.approx(found.half * np.sqrt(1 + 10 * 3.0))
    assert summary.difference(both[0][:1], both[1], 3.0) is None


def test_log_mel_hears_a_tone():
    rate = 8000
    heard = [
        real_data.log_mel(np.sin(2 * np.pi * hertz * np.arange(rate) / rate), rate).mean(1).argmax()
        for hertz in (300, 1000, 3000)
    ]
    corners = np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 34)[1:-1]
    nearest = [np.abs(corners - 2595 * np.log10(1 + hertz / 700)).argmin() for hertz in (300, 1000, 3000)]
    assert heard == nearest
    assert real_data.log_mel(np.zeros(10), rate).shape == (32, 16)


def test_splits_are_disjoint_and_differ_by_seed():
    one, other = (real_data.digits_two_view(Path(), seed) for seed in (0, 1))
    assert [len(one.targets[split]) for split in real_data.SPLITS] == [1078, 270, 449]
    assert not np.array_equal(one.targets["test"], other.targets["test"])
    assert abs(one.views["train"]["rotated"].mean()) < 1e-4
