"""What every task, loss and fill promises."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from contract_members import choices, make
from torch import Tensor

from cggm_pipeline.build.rooms import specs
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.layers.features import Features
from cggm_pipeline.spec.describe import annotations_of, kinds
from cggm_pipeline.tasks import Task

TARGETS: dict[str, Callable[[int, int], Tensor]] = {
    "classes": lambda batch, out: torch.arange(batch) % out,
    "values": lambda batch, out: torch.linspace(-2, 2, batch * out).view(batch, out),
}
"""Targets by the kind that a task's spec names; a new kind of target needs a line here."""


def cases() -> Iterator[tuple[str, str, Any]]:
    for task, spec in specs("tasks").items():
        for loss in kinds(annotations_of(spec)["loss"]):
            for score in choices("tasks", task, "score"):
                yield task, loss, score


every = pytest.mark.parametrize(("kind", "loss", "score"), list(cases()))


def task(kind: str, loss: str, score: str | None, out: int = 3) -> Task:
    options = {} if score is None else {"score": score}
    made: Task = implementation(TABLES["tasks"][kind])(out, loss=make("losses", loss), **options)
    return made


def target(kind: str, batch: int, out: int = 3) -> Tensor:
    return TARGETS[specs("tasks")[kind].target](batch, out)


def logits(batch: int, out: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, out, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()


@every
def test_the_loss_is_a_mean_over_the_batch_and_differentiable_twice(kind: str, loss: str, score: str | None) -> None:
    made, given, truth = task(kind, loss, score), logits(8), target(kind, 8)
    value = made.loss(given, truth)
    assert value.shape == ()
    halves = [made.loss(given[part], truth[part]) for part in (slice(0, 4), slice(4, 8))]
    torch.testing.assert_close(value, (halves[0] + halves[1]) / 2)
    (first,) = torch.autograd.grad(value, given, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), given, allow_unused=True)
    assert first.isfinite().all()
    assert second is None or second.isfinite().all()
    if kind != "regression":  # a value's gradient may be constant; a logit's never is
        assert second is not None
        assert second.abs().sum() > 0
    assert torch.autograd.gradcheck(made.loss, (given, truth))


@every
def test_the_score_is_between_0_and_1_without_gradient_and_better_for_the_truth(
    kind: str, loss: str, score: str | None
) -> None:
    made, truth = task(kind, loss, score), target(kind, 8)
    found = made.score(logits(8), truth)
    assert found.shape == ()
    assert not found.requires_grad
    assert 0 <= float(found) <= 1
    perfect = torch.eye(3)[truth] * 50 if truth.dim() == 1 else truth.clone()
    assert float(made.score(perfect, truth)) == pytest.approx(1)


@every
@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize("form", ["random", "constant", "one target", "perfect"])
def test_metrics_are_finite_floats_without_warnings(
    kind: str, loss: str, score: str | None, batch: int, form: str
) -> None:
    made, given, truth = task(kind, loss, score), logits(batch).detach(), target(kind, batch)
    if form == "constant":
        given = torch.zeros_like(given)
    elif form == "one target":
        truth = truth[:1].expand_as(truth)
    elif form == "perfect":
        given = torch.eye(3)[truth] * 1e4 if truth.dim() == 1 else truth.clone()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = made.metrics(given, truth)
    assert found.keys() == made.higher_is_better.keys()
    assert all(isinstance(value, float) and abs(value) < float("inf") for value in found.values()), found


@every
def test_the_criterion_is_a_metric_and_its_mode_the_metrics_direction(kind: str, loss: str, score: str | None) -> None:
    name, mode = task(kind, loss, score).criterion
    assert task(kind, loss, score).higher_is_better[name] == (mode == "max")


@every
def test_predictions_have_the_logits_shape(kind: str, loss: str, score: str | None) -> None:
    made = task(kind, loss, score)
    predicted = made.predict(logits(5))
    assert predicted.shape == (5, made.out_features)
    assert not predicted.requires_grad


@pytest.mark.parametrize("kind", TABLES["fills"])
def test_a_fill_keeps_present_rows_and_cuts_absent_ones(kind: str) -> None:
    fill = make("fills", kind, {"audio": 3, "vision": (2, 4)})
    present = torch.tensor([True, False, True])
    vector = torch.randn(3, 3, requires_grad=True)
    maps = [torch.randn(3, 2, 4, 4), torch.full((3, 4, 2, 2), torch.nan)]
    filled = fill({"audio": Features(vector), "vision": Features(maps)}, {"audio": present, "vision": ~present})
    assert torch.equal(filled["audio"].tensor[present], vector[present])
    assert torch.equal(filled["vision"].values[0][1], maps[0][1])
    assert filled["vision"].values[1][::2].isfinite().all()
    (gradient,) = torch.autograd.grad(filled["audio"].tensor.sum(), vector)
    assert torch.equal(gradient, torch.tensor([[1.0], [0.0], [1.0]]).expand(3, 3))
    untouched = fill({"audio": Features(vector)}, {"audio": None})
    assert torch.equal(untouched["audio"].tensor, vector)
