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
    "mask": lambda batch, out: (torch.arange(batch * 36).view(batch, 6, 6) // 7 % out).to(torch.uint8),
}
"""Targets by the kind that a task's spec names; a new kind of target needs a line here and in the next tables."""

SIZES: dict[str, tuple[int, ...]] = {"classes": (), "values": (), "mask": (3, 3)}
"""What follows (B, C) in the logits."""

PERFECT: dict[str, Callable[[Tensor], Tensor]] = {
    "classes": lambda truth: torch.eye(3)[truth] * 1e4,
    "values": lambda truth: truth.clone(),
    "mask": lambda truth: torch.eye(3)[truth.long()].movedim(-1, 1) * 1e4,
}
"""Logits that are right about every sample."""

WHOLE = {"cross_entropy_dice", "smp_loss dice", "smp_loss jaccard", "smp_loss tversky", "smp_loss lovasz"}
"""Losses that count over the whole batch: no mean over its samples."""


def cases() -> Iterator[tuple[str, str, Any]]:
    for task, spec in specs("tasks").items():
        for loss in kinds(annotations_of(spec)["loss"]):
            for which in choices("losses", loss, "loss"):
                for score in choices("tasks", task, "score"):
                    yield task, loss if which is None else f"{loss} {which}", score


every = pytest.mark.parametrize(("kind", "loss", "score"), list(cases()))


def task(kind: str, loss: str, score: str | None, out: int = 3) -> Task:
    options = {} if score is None else {"score": score}
    name, _, which = loss.partition(" ")
    criterion = make("losses", name, **({"loss": which} if which else {}))
    made: Task = implementation(TABLES["tasks"][kind])(out, loss=criterion, **options)
    return made


def target(kind: str, batch: int, out: int = 3) -> Tensor:
    return TARGETS[specs("tasks")[kind].target](batch, out)


def logits(kind: str, batch: int, out: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    sizes = SIZES[specs("tasks")[kind].target]
    return torch.randn(batch, out, *sizes, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()


def perfect(kind: str, truth: Tensor) -> Tensor:
    return PERFECT[specs("tasks")[kind].target](truth)


@every
def test_the_loss_is_a_mean_over_the_batch_and_differentiable_twice(kind: str, loss: str, score: str | None) -> None:
    made, given, truth = task(kind, loss, score), logits(kind, 8), target(kind, 8)
    value = made.loss(given, truth)
    assert value.shape == ()
    halves = [made.loss(given[part], truth[part]) for part in (slice(0, 4), slice(4, 8))]
    if loss not in WHOLE:
        torch.testing.assert_close(value, (halves[0] + halves[1]) / 2)
    (first,) = torch.autograd.grad(value, given, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), given, allow_unused=True)
    assert first.isfinite().all()
    assert second is None or second.isfinite().all()
    if specs("tasks")[kind].target != "values":  # a value's gradient may be constant; a logit's never is
        assert second is not None
        assert second.abs().sum() > 0
    assert torch.autograd.gradcheck(made.loss, (given, truth))


@every
def test_the_score_is_between_0_and_1_without_gradient_and_better_for_the_truth(
    kind: str, loss: str, score: str | None
) -> None:
    made, truth = task(kind, loss, score), target(kind, 8)
    found = made.score(logits(kind, 8), truth)
    assert found.shape == ()
    assert found.dtype == torch.float64
    assert not found.requires_grad
    assert 0 <= float(found) <= 1
    assert float(made.score(perfect(kind, truth), truth)) == pytest.approx(1)


@every
@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize("form", ["random", "constant", "one target", "perfect"])
def test_metrics_are_finite_floats_without_warnings(
    kind: str, loss: str, score: str | None, batch: int, form: str
) -> None:
    made, given, truth = task(kind, loss, score), logits(kind, batch).detach(), target(kind, batch)
    if form == "constant":
        given = torch.zeros_like(given)
    elif form == "one target":
        truth = truth[:1].expand_as(truth)
    elif form == "perfect":
        given = perfect(kind, truth)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = made.metrics(given, truth)
    assert found.keys() == made.higher_is_better.keys()
    assert all(isinstance(value, float) and abs(value) < float("inf") for value in found.values()), found


@every
@pytest.mark.parametrize("cuts", [(8,), (3, 5), (1,) * 8])
def test_a_meter_gives_the_splits_metrics_whatever_the_batches(
    kind: str, loss: str, score: str | None, cuts: tuple[int, ...]
) -> None:
    made, given, truth = task(kind, loss, score), logits(kind, 8).detach(), target(kind, 8)
    meter = made.meter()
    for part in zip(given.split(cuts), truth.split(cuts), strict=True):
        meter.add(*part)
    found = meter.result()
    assert {name: value for name, value in found.items() if name != "loss"} == made.metrics(given, truth)
    batches = [float(made.loss(*part)) for part in zip(given.float().split(cuts), truth.split(cuts), strict=True)]
    expected = sum(value * size for value, size in zip(batches, cuts, strict=True)) / 8
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    for name, values in meter.samples().items():
        assert values.shape == (8,)
        assert values.mean() == pytest.approx(found[name])


@every
def test_the_criterion_is_a_metric_and_its_mode_the_metrics_direction(kind: str, loss: str, score: str | None) -> None:
    name, mode = task(kind, loss, score).criterion
    assert task(kind, loss, score).higher_is_better[name] == (mode == "max")


@every
def test_a_prediction_stands_for_a_target_that_the_loss_reads(kind: str, loss: str, score: str | None) -> None:
    made, truth, other = task(kind, loss, score), target(kind, 8), logits(kind, 8)
    assert torch.equal(made.label(made.predict(perfect(kind, truth))).to(truth.dtype), truth)
    label = made.label(torch.stack([made.predict(other), made.predict(2 * other)]).mean(0))
    assert label.shape == (8, *other.shape[2:]) or label.shape == other.shape
    assert made.loss(other, label).isfinite()


@every
def test_predictions_have_the_logits_shape(kind: str, loss: str, score: str | None) -> None:
    made, given = task(kind, loss, score), logits(kind, 5)
    predicted = made.predict(given)
    assert predicted.shape == given.shape
    assert not predicted.requires_grad


@pytest.mark.parametrize("kind", [kind for kind, at in TABLES["fills"].items() if not implementation(at).prompts])
def test_a_fill_without_prompts_keeps_present_rows_and_cuts_absent_ones(kind: str) -> None:
    fill = make("fills", kind, {"audio": 3, "vision": (2, 4)}).eval()
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
