"""What every schedule promises. That trainings under each of them can be resumed and cut is in test_modulation_*."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contract_data import Toy
from contract_members import NAMES, make
from contract_modulations import cases, least
from contract_training import built, train

from cggm_pipeline.build.rooms import specs
from cggm_pipeline.build.tables import TABLES
from cggm_pipeline.modulations.base import Modulation
from cggm_pipeline.schedules.base import Draw, Schedule
from cggm_pipeline.training.optimizers import adam
from cggm_pipeline.training.probe import TrainingProbe

NUMBER = 24
MEMBERS = [
    (kind, number)
    for kind in TABLES["schedules"]
    for number in (2, 3, 4)
    if number <= (specs("schedules")[kind].max_modalities or 4)
]
every = pytest.mark.parametrize(("kind", "number"), MEMBERS)


def schedule(kind: str, number: int, order: int = 1) -> Schedule:
    options = {name: value for name, value in least("schedules", kind).items() if name != "kind"}
    made: Schedule = make("schedules", kind, NAMES[:number][::order], **options)
    return made


def drawn(kind: str, number: int, *, order: int = 1, seed: int = 1, epoch: int = 1, made: Any = None) -> Draw:
    case = next(case for case in cases("modulations", "none") if case.task == "classification")
    case = type(case)(case.room, case.form, case.task, "blocks", number)
    network = built(case).network
    data = {split: Toy(NAMES[:number], "vector", "classes", NUMBER, 3) for split in ("train", "valid")}
    probe = TrainingProbe(network, data, seed=seed, epoch=epoch, epochs=4, rehearse=None)
    shuffled = torch.randperm(NUMBER, generator=torch.Generator().manual_seed(5))[: NUMBER - 4]
    return (made or schedule(kind, number, order)).draw(shuffled, seed, epoch, probe)


def same(one: Draw, other: Draw) -> bool:
    absent = one.absent.keys() == other.absent.keys()
    return (
        absent
        and torch.equal(one.order, other.order)
        and all(torch.equal(value, other.absent[name]) for name, value in one.absent.items())
    )


@every
def test_an_epoch_takes_every_sample_of_the_ordinary_one_and_none_without_any_modality(kind: str, number: int) -> None:
    draw = drawn(kind, number)
    ordinary = drawn("everything", number)
    assert draw.order.dtype == torch.int64
    assert set(draw.order.tolist()) == set(ordinary.order.tolist())
    assert set(draw.absent) <= set(NAMES[:number])
    for absent in draw.absent.values():
        assert absent.dtype == torch.bool
        assert absent.shape == draw.order.shape
    if set(draw.absent) == set(NAMES[:number]):
        assert not torch.stack(list(draw.absent.values())).all(0).any()


@every
def test_draws_are_the_same_again_in_any_order_of_modalities_and_after_other_epochs(kind: str, number: int) -> None:
    first = drawn(kind, number)
    assert same(first, drawn(kind, number, order=-1))
    used = schedule(kind, number)
    drawn(kind, number, epoch=3, made=used)
    torch.manual_seed(77)
    assert same(first, drawn(kind, number, made=used))


@every
def test_every_batch_has_turns_of_modalities_that_are_there(kind: str, number: int) -> None:
    made, turned = schedule(kind, number), schedule(kind, number, order=-1)
    for epoch in range(12):
        for index in range(4):
            turns = made.turns(epoch, index)
            assert len(turns) >= 1
            assert list(turns) == list(turned.turns(epoch, index))
            assert all(turn is None or (turn and turn <= set(NAMES[:number])) for turn in turns)


@every
def test_every_modality_has_its_turn(kind: str, number: int) -> None:
    made = schedule(kind, number)
    had = set()
    for epoch in range(12):
        for turn in made.turns(epoch, 0):
            had |= set(NAMES[:number]) if turn is None else turn
    assert had == set(NAMES[:number])


class Pushing(Modulation):
    """Ignores whose turn it is, and gives every encoder a gradient of ones. Remembers what moved in which turn."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.encoders = (network.encoders,)
        self.active: list[frozenset[str] | None] = []
        self.weights: list[dict[str, torch.Tensor]] = []

    def objective(self, loss: torch.Tensor, step: Any) -> torch.Tensor:
        self.active.append(step.active)
        self.weights.append(
            {n: torch.cat([p.detach().flatten() for p in e.parameters()]) for n, e in self.encoders[0].items()}
        )
        return loss

    def modulate_(self, step: Any) -> dict[str, Any]:
        for _, encoder in self.encoders[0].items():
            for parameter in encoder.parameters():
                parameter.grad = torch.ones_like(parameter)
        return {}


@pytest.mark.parametrize("kind", TABLES["schedules"])
def test_encoders_out_of_turn_stand_still_under_momentum_and_weight_decay_and_any_method(kind: str) -> None:
    for case in [case for case in cases("schedules", kind) if case.task == "classification"][:2]:
        made = built(case)
        method = Pushing(made.network)
        pushed = type(made)(made.network, made.task, method, made.parts, made.predictor)
        train(case, pushed, optimizer=lambda groups: adam(groups, lr=1e-2, weight_decay=0.1), epochs=5, clip=1.0)
        for turn, before, after in zip(method.active, method.weights, method.weights[1:], strict=False):
            moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
            assert moved == (set(case.names) if turn is None else turn)
