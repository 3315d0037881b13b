"""The loop's parts, each alone: log, watch, checkpoints, selection, shares, groups, random generators."""

from __future__ import annotations

import itertools
import math
import pickle
import random

import numpy as np
import pytest
import torch
from torch import nn

from cggm_pipeline.data.batches import Batch
from cggm_pipeline.data.input import Input
from cggm_pipeline.errors import TrainingError
from cggm_pipeline.training import loop, rng
from cggm_pipeline.training.checkpoint import Checkpoints
from cggm_pipeline.training.fit import fit
from cggm_pipeline.training.groups import parameter_groups
from cggm_pipeline.training.log import EpochLog
from cggm_pipeline.training.selection import Selection
from cggm_pipeline.training.shares import cut
from cggm_pipeline.training.step import merged
from cggm_pipeline.training.watch import NotFiniteError, Watch, Watched


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value)


def test_the_log_is_the_mean_over_steps():
    log = EpochLog()
    log.add({"loss": scalar(1.0), "B": {"a": scalar(-1.0), "b": scalar(2.0)}})
    log.add({"loss": scalar(3.0), "B": {"a": scalar(1.0), "b": scalar(4.0)}})
    assert log.fetch() == {"loss": 2.0, "B_a": 0.0, "B_b": 3.0, "B_negative": 0.5}
    assert log.fetch() == {}


def test_a_record_that_only_some_steps_have_is_averaged_over_those():
    log = EpochLog()
    log.add({"loss": scalar(1.0)})
    log.add({"loss": scalar(2.0), "late": scalar(7.0)})
    assert log.fetch()["late"] == 7.0


def test_a_mean_is_over_all_steps_whichever_record_they_came_with():
    log = EpochLog()
    log.add({"loss": scalar(1.0)})
    log.add({"loss": scalar(2.0), "late": scalar(7.0)})
    log.add({"loss": scalar(3.0), "late": scalar(9.0)})
    assert log.fetch() == {"loss": 2.0, "late": 8.0}


def test_means_survive_huge_values():
    log = EpochLog()
    for value in (1e8, 1.0, -1e8):
        log.add({"B": {"a": scalar(value)}})
    assert log.fetch()["B_a"] == pytest.approx(1 / 3)


def test_the_watch_is_sticky_and_tells_the_first_step():
    watch = Watch([Watched("loss"), Watched("gradient", "audio")], torch.device("cpu"))
    for step, values in enumerate([[1.0, 2.0], [1.0, math.inf], [math.nan, 1.0], [1.0, 1.0]]):
        watch.see(torch.tensor(values), step)
    with pytest.raises(NotFiniteError, match="gradient of modality 'audio' is not finite at step 1"):
        watch.check(0)


def test_a_finite_watch_says_nothing():
    watch = Watch([Watched("loss")], torch.device("cpu"))
    watch.see(torch.tensor([1e30]), 0)
    watch.check(0)


def test_the_error_travels_between_processes():
    error = NotFiniteError(3, 1, "loss", "audio")
    error.history = [{"epoch": 0.0}]
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  (our own object)
    assert (copy.step, copy.modality, copy.history, str(copy)) == (3, "audio", [{"epoch": 0.0}], str(error))


def test_selection_keeps_the_earlier_of_equals_and_forgets_nan():
    selection, network = Selection("m", "max", None), nn.Linear(1, 1)
    for epoch, value in enumerate([math.nan, 0.5, 0.5, math.nan, 0.4]):
        selection.see(epoch, {"m": value}, network)
    assert (selection.epoch, selection.value) == (1, 0.5)


def test_selected_weights_are_a_copy():
    selection, network = Selection("m", "min", None), nn.Linear(1, 1)
    selection.see(0, {"m": 1.0}, network)
    with torch.no_grad():
        network.weight.add_(1)
    assert not torch.equal(selection.weights["weight"], network.weight)


def batch_of(number: int) -> Batch:
    values = torch.arange(float(number)).unsqueeze(1)
    mask, present = torch.zeros(number, 3, dtype=torch.bool), torch.ones(number, dtype=torch.bool)
    return Batch({"a": Input(values, mask, present)}, torch.arange(number), torch.arange(number))


@pytest.mark.parametrize("number", [1, 2, 5, 8, 9])
@pytest.mark.parametrize("pieces", [1, 2, 3])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shares_add_up_to_the_mean_of_the_batch(number, pieces, processes):
    total, seen = 0.0, []
    for process in range(processes):
        for share, weight in cut(batch_of(number), pieces=pieces, processes=processes, process=process):
            total += weight * share.inputs["a"].values.mean().item() / processes
            assert len(share.target) == len(share.inputs["a"].mask) == len(share.inputs["a"].present) > 0
            seen += share.index.tolist() if weight else []
    assert total == pytest.approx((number - 1) / 2)
    assert sorted(seen) == list(range(number))


@pytest.mark.parametrize(
    ("number", "least", "sizes"),
    [(2, 2, [2]), (3, 2, [3]), (5, 2, [2, 3]), (1, 2, [1]), (9, 2, [2, 2, 2, 3]), (3, 1, [1, 1, 1])],
)
def test_no_piece_has_less_than_the_least(number, least, sizes):
    shares = cut(batch_of(number), pieces=4, least=least)
    assert [len(share.target) for share, _ in shares] == sizes
    assert sum(weight for _, weight in shares) == pytest.approx(1)


def test_every_process_makes_the_same_number_of_pieces():
    counts = {len(cut(batch_of(3), pieces=2, processes=4, process=process)) for process in range(4)}
    assert counts == {2}


def test_groups_are_disjoint_and_whole(problem):
    one = problem("cggm-paper")
    groups = parameter_groups(one.network, one.modulation, {"lr": 0.5})
    assert [(group["owner"], group["modality"]) for group in groups] == [
        ("network", None),
        ("modality", "lower"),
        ("modality", "upper"),
        ("classifiers", None),
    ]
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    every = [id(p) for module in (one.network, one.modulation) for p in module.parameters()]
    assert sorted(grouped) == sorted(every)
    assert [group.get("lr") for group in groups] == [None, None, None, 0.5]


def test_a_frozen_encoder_has_no_group(problem):
    one = problem()
    for parameter in one.network.encoders["upper"].parameters():
        parameter.requires_grad_(False)
    groups = parameter_groups(one.network, one.modulation, {})
    assert [group["modality"] for group in groups] == [None, "lower"]


def test_every_generator_goes_on_where_it_was():
    rng.seed_all(7)
    torch.rand(3), random.random(), np.random.rand(2), random.gauss(0, 1)
    state = rng.capture()
    expected = torch.rand(3), random.random(), np.random.rand(2), random.gauss(0, 1)
    rng.restore(state)
    found = torch.rand(3), random.random(), np.random.rand(2), random.gauss(0, 1)
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def test_a_checkpoint_that_would_run_code_is_not_read(tmp_path):
    """A file with a sound checksum and a pickle that calls a function: weights_only refuses it."""
    import hashlib
    import io

    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return open, (str(marker), "w")

    buffer = io.BytesIO()
    torch.save({"key": "k", "seed": 0, "evil": Evil()}, buffer)
    payload = buffer.getvalue()
    (tmp_path / "checkpoint.pt").write_bytes(b"cggm checkpoint 1\n" + hashlib.sha256(payload).digest() + payload)
    with pytest.raises(TrainingError, match="damaged"):
        Checkpoints(tmp_path, key="k", seed=0).load()
    assert not marker.exists()


def test_checkpoints_by_time_take_a_twentieth_of_it(problem, tmp_path, monkeypatch):
    """A clock that each look moves on: a checkpoint that takes long is written seldom, every step if that is asked."""
    written = []
    for seconds in (1.0, 0.0):
        clock, saved = itertools.count(), []
        monkeypatch.setattr(loop.time, "monotonic", lambda clock=clock: float(next(clock)))
        monkeypatch.setattr(
            Checkpoints,
            "save",
            lambda self, content, clock=clock, saved=saved: saved.append([next(clock) for _ in range(10)]),
        )
        fit(*problem(epochs=9, checkpoint_seconds=seconds).arguments(), state=tmp_path, key="k")
        written.append((len(saved), 11 * len(saved) / next(clock)))
    assert written[1][0] == 9 * 7 + 9
    assert 1 <= written[0][0] < 8
    assert written[0][1] <= 0.07


def test_the_records_of_turns_become_one():
    first = {"loss": torch.tensor(1.0), "norm": {"a": torch.tensor(2.0)}, "only": torch.tensor(5.0)}
    second = {"loss": torch.tensor(3.0), "norm": {"b": torch.tensor(4.0)}}
    both = merged([first, second])
    assert both == {"loss": 2.0, "norm": {"a": 2.0, "b": 4.0}, "only": 5.0}
