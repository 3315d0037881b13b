"""PMR: prototypes, coefficients and losses against a plain restatement; classes without samples."""

from __future__ import annotations

import copy
import math
import random

import pytest
import torch
from probe_toy import Given
from torch import nn

from cggm_pipeline.modulations import PMR, Parts, Step
from cggm_pipeline.modulations.pmr import distances

CLASSES, WIDTHS = 3, {"a": 2, "b": 4, "c": 3}


def build(names="ab", **options):
    parts = Parts({name: nn.Linear(2, 2) for name in names})
    return PMR(parts, nn.Linear(9, CLASSES), **options)


def steps(names, target, seed=0, **more):
    """Steps of four samples, with a graph."""
    generator, target = torch.Generator().manual_seed(seed), torch.as_tensor(target)
    made = {n: torch.randn(len(target), WIDTHS[n], generator=generator, dtype=torch.float64) for n in sorted(names)}
    features = {n: made[n].requires_grad_() for n in names}
    zeros = torch.zeros(len(target), CLASSES)
    return [
        Step({n: x[rows] for n, x in features.items()}, zeros[rows], zeros[rows], target[rows], **more)
        for rows in torch.arange(len(target)).split(4)
    ], features


def means(features, target):
    """Class means, plainly."""
    return {
        name: {k: x.detach()[[i for i, y in enumerate(target) if y == k]].mean(0) for k in set(target)}
        for name, x in features.items()
    }


def clipped(one, other):
    """clip(one / other - 1, 0, 1), where nothing over nothing is no lead."""
    return min(max(one / other - 1, 0), 1) if other else float(one > 0)


def plain(features, target, prototypes, form, alpha, mu):
    """L of the paper, sample by sample: two modalities as printed, more as means over pairs."""
    names = sorted(features)
    p = {}
    for name in names:
        rows = []
        for z in features[name].detach().tolist():
            away = {k: math.exp(-math.dist(z, c.tolist())) for k, c in prototypes[name].items()}
            rows.append({k: value / sum(away.values()) for k, value in away.items()})
        p[name] = rows
    s = {name: sum(row.get(y, 0.0) for row, y in zip(p[name], target, strict=True)) for name in names}
    total, count = 0.0, len(target)
    for m in names:
        others = [j for j in names if j != m]
        if form == "paper":
            behind = sum(clipped(s[j], s[m]) for j in others) / len(others)
            ahead = sum(clipped(s[m], s[j]) for j in others) / len(others)
        else:
            behind, ahead = sum(s[j] > s[m] for j in others) / len(others), 0.0
        cross = -sum(math.log(row[y]) for row, y in zip(p[m], target, strict=True) if y in row) / count
        entropy = -sum(q * math.log(q) for row in p[m] for q in row.values()) / count
        total += alpha * behind * cross - mu * ahead * entropy
    return total


@pytest.mark.parametrize("names", ["ab", "ba", "cab"])
@pytest.mark.parametrize("form", ["paper", "released"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_loss_is_the_papers(names, form, seed):
    known, target = [0, 1, 2, 0, 1, 2, 0, 0], [2, 1, 0, 0]
    method = build(names, form=form, alpha=2.0, mu=0.3)
    train, features = steps(names, known, seed)
    method.start_epoch(0, Given(train=train))
    [step], own = steps(names, target, seed + 10)
    found = method.penalty(step)
    expected = plain(own, target, means(features, known), form, 2.0, 0.3)
    assert found.item() == pytest.approx(expected, rel=1e-6)
    assert expected != 0
    record = method.modulate_(step)
    assert set(record) == {"score", "pull"}
    assert all(0 <= value <= 1 for each in record.values() for value in each.values())


def test_the_two_weights_of_the_paper():
    """rho < 1: beta = clip(1/rho - 1, 0, 1), gamma = 0; otherwise gamma = clip(rho - 1, 0, 1), beta = 0."""
    draw = random.Random(0)
    for a, b in [(1.0, 1.0), (0.0, 0.0), (0.0, 3.0), (1.0, 2.0), *((draw.random(), draw.random()) for _ in range(200))]:
        behind, ahead = distances(torch.tensor([a, b], dtype=torch.float64), "paper")
        beta, gamma = clipped(b, a), clipped(a, b)
        torch.testing.assert_close(behind, torch.tensor([beta, gamma], dtype=torch.float64))
        assert torch.equal(ahead, behind.flip(0))
        assert behind.prod() == 0
        switch = distances(torch.tensor([a, b]), "released")[0]
        assert switch.tolist() == [float(a < b), float(b < a)]


def test_prototypes_are_class_means_and_move_with_momentum():
    method, target = build("ab", momentum=0.25, share=0.5), [0, 1, 2, 0, 1, 2]
    (one, first), (two, second) = steps("ab", target, 0), steps("ab", target, 1)
    probe = Given(train=one)
    method.start_epoch(0, probe)
    assert probe.shares == [0.5]
    was, now = means(first, target), means(second, target)
    for name in "ab":
        torch.testing.assert_close(method.prototypes.means(name), torch.stack([was[name][k] for k in range(3)]))
    method.start_epoch(1, Given(train=two))
    for name in "ab":
        moved = torch.stack([0.25 * was[name][k] + 0.75 * now[name][k] for k in range(3)])
        torch.testing.assert_close(method.prototypes.means(name), moved)


def test_a_class_without_samples_keeps_its_prototype_and_a_new_one_begins():
    method = build("ab", momentum=0.5)
    one, first = steps("ab", [0, 0, 1, 1], 0)
    method.start_epoch(0, Given(train=one))
    assert method.prototypes.known.tolist() == [True, True, False]
    two, second = steps("ab", [1, 2, 2, 2], 1)
    method.start_epoch(1, Given(train=two))
    was, now = means(first, [0, 0, 1, 1])["a"], means(second, [1, 2, 2, 2])["a"]
    expected = torch.stack([was[0], (was[1] + now[1]) / 2, now[2]])
    torch.testing.assert_close(method.prototypes.means("a"), expected)
    assert method.prototypes.known.all()


@pytest.mark.parametrize("target", [[0, 1, 2, 2], [2, 2, 2, 2], [0, 0, 0, 0]])
@pytest.mark.parametrize("form", ["paper", "released"])
def test_classes_without_a_prototype_make_no_nan(target, form):
    method = build("abc", form=form, mu=0.3)
    train, features = steps("abc", [0, 0, 1, 0], 0)
    method.start_epoch(0, Given(train=train))
    [step], own = steps("abc", target, 5)
    loss = method.penalty(step)
    assert loss.item() == pytest.approx(plain(own, target, means(features, [0, 0, 1, 0]), form, 1.0, 0.3), abs=1e-6)
    loss.backward()
    assert all(x.grad is None or x.grad.isfinite().all() for x in own.values())
    assert all(value.isfinite() for each in method.modulate_(step).values() for value in each.values())


def test_a_feature_on_its_prototype_has_a_finite_gradient():
    method = build("ab")
    train, features = steps("ab", [0, 1, 2], 0)
    method.start_epoch(0, Given(train=train))
    [step] = train
    (method.penalty(step) + 0 * sum(x.sum() for x in features.values())).backward()
    assert all(x.grad.isfinite().all() for x in features.values())


def test_only_the_modality_that_is_behind_is_pulled_and_it_comes_nearer():
    method, target = build("ab", mu=0.0), [0, 1, 2, 0, 1, 2, 0, 1]
    _, features = steps("ab", target, 0)
    with torch.no_grad():
        features["a"] += 6 * torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[target]  # a's classes lie apart
    step = Step(features, torch.zeros(8, 1), torch.zeros(8, CLASSES), torch.tensor(target))
    method.start_epoch(0, Given(train=[step]))
    method.penalty(step).backward()
    record = method.modulate_(step)
    assert record["pull"]["a"] == 0 < record["pull"]["b"]
    assert not features["a"].grad.any()
    with torch.no_grad():
        features["b"] -= 0.1 * features["b"].grad
    method.penalty(step)
    assert method.modulate_(step)["score"]["b"] > record["score"]["b"]


def test_the_entropy_term_is_of_the_first_epochs():
    method = build("ab", alpha=0.0, mu=0.5, entropy_epochs=2)
    method.start_epoch(0, Given(train=steps("ab", [0, 1, 2, 0])[0]))
    found = [method.penalty(steps("ab", [0, 1, 2, 0], 3, epoch=epoch)[0][0]).item() for epoch in range(4)]
    assert found[0] == found[1] < 0 == found[2] == found[3]


def test_micro_batches_share_the_ratio_and_lent_samples_do_not_count():
    method, target = build("ab"), [0, 1, 2, 0, 1, 2, 0, 0]
    method.start_epoch(0, Given(train=steps("ab", target, 0)[0]))
    (one, two), _ = steps("ab", target, 1)
    [lent], _ = steps("ab", [2, 2, 2], 2, samples=0)
    records = []
    for shown in ([one, two], [one, lent, two]):
        for step in shown:
            method.penalty(step)
        records.append(method.modulate_(two))
    assert records[0] == records[1]
    together = {n: torch.cat([one.features[n], two.features[n]]) for n in "ab"}
    whole = Step(together, torch.zeros(8, 3), torch.zeros(8, 3), torch.tensor(target))
    method.penalty(whole)
    for key, each in method.modulate_(whole).items():
        for name, value in each.items():
            torch.testing.assert_close(value, records[0][key][name])


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_checkpoint_goes_on(epochs):
    """Before prototypes have a width, and afterwards; into a fresh method."""
    method, other = build("ab"), build("ab")
    for epoch in range(epochs):
        method.start_epoch(epoch, Given(train=steps("ab", [0, 1, 2], epoch)[0]))
    other.load_state_dict(method.state_dict())
    for each in (method, other):
        each.start_epoch(epochs, Given(train=steps("ab", [0, 1, 1], 7)[0]))
    [step], _ = steps("ab", [0, 1, 2], 9)
    assert torch.equal(method.penalty(step), other.penalty(step))
    twin = copy.deepcopy(method)
    assert torch.equal(twin.prototypes.means("b"), method.prototypes.means("b"))


def test_a_checkpoint_of_other_classes_is_refused():
    method = build("ab")
    state = method.state_dict() | {"prototypes.means_0": torch.zeros(CLASSES + 1, 2), "prototypes.known": torch.ones(9)}
    with pytest.raises(RuntimeError, match="size mismatch"):
        method.load_state_dict(state)


def test_without_prototypes_it_adds_nothing():
    method = build("ab")
    method.start_epoch(3)
    [step], _ = steps("ab", [0, 1])
    assert method.penalty(step) == 0.0
    assert method.modulate_(step) == {}


def test_refused():
    with pytest.raises(ValueError, match="form is 'code'; allowed: paper, released"):
        build(form="code")
    with pytest.raises(ValueError, match="alpha is -1; allowed: at least 0"):
        build(alpha=-1)
    with pytest.raises(ValueError, match="share is 2; allowed: 0 to 1"):
        build(share=2)
    method = build("ab")
    method.start_epoch(0, Given(train=steps("ab", [0, 1])[0]))
    with pytest.raises(RuntimeError, match="before backward"):
        method.modulate_(steps("ab", [0, 1])[0][0])
