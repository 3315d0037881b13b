"""A training that stops anywhere and goes on ends with the same bits: faults at every step and inside every write."""

from __future__ import annotations

import errno
import os

import pytest
import torch

from cggm_pipeline.errors import OutputError, TrainingError
from cggm_pipeline.training.fit import Fitted, fit
from cggm_pipeline.training.schedules import cosine

MODULATIONS = ("none", "unimodal_losses", "ogm_ge", "cggm-paper", "cggm-released", "cggm-stable")
EPOCHS = 3
STEPS = 7 * EPOCHS


class Stopped(BaseException):
    """Stands for a kill: nothing in the package may catch it and go on."""


class Stopping:
    """Data that end the process when batch number `at` (over the whole training) is asked for."""

    def __init__(self, data, at: int) -> None:
        self.data, self.left = data, at

    def __len__(self) -> int:
        return len(self.data)

    def number(self, *arguments, **keywords) -> int:
        return self.data.number(*arguments, **keywords)

    def batches(self, *arguments, **keywords):
        for batch in self.data.batches(*arguments, **keywords):
            if not self.left:
                raise Stopped
            self.left -= 1
            yield batch


def options(**changes):
    schedule = lambda optimizer, epochs: cosine(optimizer, epochs, warmup=1)  # noqa: E731
    return {"epochs": EPOCHS, "checkpoint_steps": 1, "scheduler": schedule, **changes}


@pytest.fixture
def whole(problem):
    """The uninterrupted training, per modulation."""
    made: dict[str, tuple[Fitted, dict]] = {}

    def run(modulation: str) -> tuple[Fitted, dict]:
        if modulation not in made:
            one = problem(modulation, **options())
            made[modulation] = fit(*one.arguments()), one.modulation.state_dict()
        return made[modulation]

    return run


def finish(problem, modulation, state, **changes):
    one = problem(modulation, **options(**changes))
    return fit(*one.arguments(), state=state, key="k"), one.modulation.state_dict()


def stop(problem, modulation, state, at, **changes):
    one = problem(modulation, **options(**changes))
    one.train = Stopping(one.train, at)
    with pytest.raises(Stopped):
        fit(*one.arguments(), state=state, key="k")


def identical(found, expected):
    (fitted, remembered), (reference, kept) = found, expected
    assert fitted.history == reference.history
    assert fitted.selected == reference.selected
    for a, b in ((fitted.network.state_dict(), reference.network.state_dict()), (remembered, kept)):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("at", range(STEPS))
def test_a_stop_at_every_step(problem, whole, tmp_path, at):
    stop(problem, "cggm-released", tmp_path, at)
    identical(finish(problem, "cggm-released", tmp_path), whole("cggm-released"))


@pytest.mark.parametrize("modulation", MODULATIONS)
def test_every_modulation_goes_on(problem, whole, tmp_path, modulation):
    stop(problem, modulation, tmp_path, 10)
    identical(finish(problem, modulation, tmp_path), whole(modulation))


def test_many_stops_in_one_training(problem, whole, tmp_path):
    for _ in range(5):
        stop(problem, "cggm-stable", tmp_path, 4)
    identical(finish(problem, "cggm-stable", tmp_path), whole("cggm-stable"))


@pytest.mark.parametrize("every", [2, 3, 5])
def test_steps_between_checkpoints_are_done_again(problem, whole, tmp_path, every):
    stop(problem, "ogm_ge", tmp_path, 12, checkpoint_steps=every)
    identical(finish(problem, "ogm_ge", tmp_path), whole("ogm_ge"))


def test_by_time_alone_it_goes_on_as_well(problem, whole, tmp_path):
    stop(problem, "none", tmp_path, 12, checkpoint_steps=None, checkpoint_seconds=0.0)
    identical(finish(problem, "none", tmp_path), whole("none"))


def test_a_finished_training_is_not_repeated(problem, whole, tmp_path):
    first = finish(problem, "none", tmp_path)
    one = problem("none", **options())
    one.train = Stopping(one.train, 0)
    again = fit(*one.arguments(), state=tmp_path, key="k"), one.modulation.state_dict()
    identical(again, first)


def test_early_stopping_goes_on_counting(problem, tmp_path):
    wanted = {"epochs": 12, "patience": 2, "checkpoint_steps": 1}
    reference = problem("none", **options(**wanted))
    expected = fit(*reference.arguments())
    for _ in range(6):
        one = problem("none", **options(**wanted))
        one.train = Stopping(one.train, 8)
        try:
            fit(*one.arguments(), state=tmp_path, key="k")
        except Stopped:
            continue
    found, _ = finish(problem, "none", tmp_path, **wanted)
    assert found.history == expected.history


@pytest.mark.parametrize("call", ["replace", "fsync", "fdopen"])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 7, 8, 15])
def test_a_stop_inside_a_write(problem, whole, tmp_path, monkeypatch, call, number):
    """The n-th rename, fsync or opening of the training does not happen: the process ends there."""
    real, calls = getattr(os, call), []

    def fatal(*arguments, **keywords):
        calls.append(call)
        if len(calls) == number:
            raise Stopped
        return real(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fatal)
        one = problem("cggm-paper", **options())
        with pytest.raises(Stopped):
            fit(*one.arguments(), state=tmp_path, key="k")
    identical(finish(problem, "cggm-paper", tmp_path), whole("cggm-paper"))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_half_written_checkpoint_is_no_checkpoint(problem, whole, tmp_path, share):
    """What a kill in the middle of a write leaves: a temporary file, cut off anywhere."""
    stop(problem, "none", tmp_path, 9)
    content = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / ".checkpoint.pt.abc.tmp").write_bytes(content[: int(share * len(content))])
    identical(finish(problem, "none", tmp_path), whole("none"))
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "pickle"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(problem, whole, tmp_path, damage):
    stop(problem, "none", tmp_path, 9)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(damaged(path.read_bytes(), damage))
    notes = []
    one = problem("none", **options())
    found = fit(*one.arguments(), state=tmp_path, key="k", progress=lambda moment: notes.append(moment.note))
    identical((found, one.modulation.state_dict()), whole("none"))
    assert any("checkpoint.pt is damaged" in note for note in notes)


def damaged(content: bytes, how: str) -> bytes:
    middle = len(content) // 2
    return {
        "cut": content[:middle],
        "flip": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "empty": b"",
        "pickle": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
    }[how]


def test_two_damaged_checkpoints_are_an_error_that_says_how_to_start_anew(problem, tmp_path):
    stop(problem, "none", tmp_path, 9)
    for name in ("checkpoint.pt", "previous.pt"):
        (tmp_path / name).write_bytes(b"cggm checkpoint 1\nnonsense")
    with pytest.raises(TrainingError, match=r"damaged.*Delete the folder"):
        finish(problem, "none", tmp_path)


@pytest.mark.parametrize(("key", "seed"), [("other", 0), ("k", 1)])
def test_a_checkpoint_of_another_spec_or_seed_is_refused(problem, tmp_path, key, seed):
    stop(problem, "none", tmp_path, 3)
    one = problem("none", **options(seed=seed))
    with pytest.raises(TrainingError, match="another spec, data or code"):
        fit(*one.arguments(), state=tmp_path, key=key)


def test_a_full_disk_is_a_clear_error_and_leaves_the_last_checkpoint(problem, whole, tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) == 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        one = problem("none", **options())
        with pytest.raises(OutputError, match=r"checkpoint.pt: could not be written \(No space left.*Free some space"):
            fit(*one.arguments(), state=tmp_path, key="k")
    assert not list(tmp_path.glob(".*.tmp"))
    identical(finish(problem, "none", tmp_path), whole("none"))
