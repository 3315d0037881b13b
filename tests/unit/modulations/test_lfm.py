"""LFM: contrast and divergence written out, alpha in closed form, hypergradients of problems whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import pytest
import torch
from modulation_toy import WIDTH, batches, build, step_of
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import LFM, Parts
from cggm_pipeline.modulations._contrast import divergence, info_nce
from cggm_pipeline.modulations._hypergradient import hypergradient, solve


def setting(names="ab", epoch=0, **options):
    """A network whose head reads the features side by side, its method, and a step."""
    net, _ = build("none", names)
    net.head = nn.Linear(WIDTH * len(names), 3).double()
    net.fuse = lambda features: torch.cat([features[n] for n in sorted(features)], 1)
    method = LFM(Parts(dict(reversed(net.encoders.items()))), net.head, **options).double()
    inputs, target = next(batches(names, 1, 8))
    return net, method, step_of(net, inputs, target, epoch=epoch)


def loss_of(step):
    return functional.cross_entropy(step.logits, step.target)


def contrast(first, second, temperature):
    """Restated one sample at a time."""
    total = 0.0
    for one, other in ((first, second), (second, first)):
        for i in range(len(one)):
            similar = [torch.dot(one[i], each) / (one[i].norm() * each.norm()) / temperature for each in other]
            total -= (similar[i] - torch.logsumexp(torch.stack(similar), 0)) / (2 * len(one))
    return total


@pytest.mark.parametrize("names", ["ab", "abc", "abcd"])
@pytest.mark.parametrize("epoch", [0, 4])
def test_the_paper_mixes_the_loss_with_the_contrast(names, epoch):
    _, method, step = setting(names, epoch, temperature=0.3)
    between = [contrast(step.features[a], step.features[b], 0.3) for a, b in combinations(names, 2)]
    alpha = 1 - math.exp(-1 / (epoch + 1))
    expected = (1 - alpha) * loss_of(step) + alpha * sum(between) / len(between)
    torch.testing.assert_close(method.objective(loss_of(step), step), expected)
    record = method.modulate_(step)
    assert record["alpha"].item() == pytest.approx(alpha)
    torch.testing.assert_close(record["modality_loss"], (sum(between) / len(between)).detach())


def test_alpha_falls_with_the_epoch_from_1_minus_1_over_e():
    found = []
    for epoch in range(6):
        _, method, step = setting(epoch=epoch)
        method.objective(loss_of(step), step)
        found.append(method.modulate_(step)["alpha"].item())
    assert found[0] == pytest.approx(0.63212, abs=1e-5)
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_the_release_adds_a_divergence_of_the_predictions(names):
    """The logits are the mean of the u_m, as in the release; KL(m|p) is torch's kl_div with the mixture as target."""
    net, method, step = setting(names, form="released")
    own = {
        name: len(names) * (step.features[name] @ net.head.weight[:, WIDTH * k : WIDTH * (k + 1)].T) + net.head.bias
        for k, name in enumerate(names)
    }
    torch.testing.assert_close(sum(own.values()) / len(names), step.logits)
    found = []
    for a, b in combinations(names, 2):
        p, q = own[a].softmax(1), own[b].softmax(1)
        middle = (p + q) / 2
        found.append(sum(functional.kl_div(each.log(), middle, reduction="batchmean") for each in (p, q)) / 2)
    alpha = 1 - math.exp(-1)
    expected = 2 * ((1 - alpha) * loss_of(step) + alpha * sum(found) / len(found))
    torch.testing.assert_close(method.objective(loss_of(step), step), expected)


def test_contrast_and_divergence_at_their_ends():
    same = torch.eye(4, 6)
    assert info_nce(same, same, 0.01).item() == pytest.approx(0, abs=1e-6)
    assert info_nce(torch.ones(4, 6), torch.ones(4, 6), 0.07).item() == pytest.approx(math.log(4))
    logits = torch.randn(5, 3)
    assert divergence(logits, logits + 7).item() == pytest.approx(0, abs=1e-6)
    far = divergence(torch.tensor([[60.0, 0]]), torch.tensor([[0.0, 60]]))
    assert far.item() == pytest.approx(30 - math.log(2))  # grows without bound, as Jensen-Shannon's does not
    one, other = torch.randn(5, 3), torch.randn(5, 3)
    torch.testing.assert_close(divergence(one, other), divergence(other, one))


def test_tokens_are_pooled_over_what_is_no_padding():
    class Tokens:
        def __init__(self, values, mask):
            self.values, self.mask = values, mask

        def map(self, function):
            return Tokens(function(self.values), self.mask)

    _, method, step = setting()
    vectors = step.features["a"].detach()
    tokens = torch.stack([vectors - 1, vectors + 1, torch.full_like(vectors, 1e6)], 1)
    mask = torch.tensor([[False, False, True]]).expand(8, -1)
    pooled = replace(step, features={**step.features, "a": Tokens(tokens, mask)})
    torch.testing.assert_close(method.objective(loss_of(step), pooled), method.objective(loss_of(step), step))


@pytest.mark.parametrize("size", [1, 3, 6])
@pytest.mark.parametrize("definite", [True, False])
def test_conjugate_residuals_solve_in_as_many_steps_as_there_are_eigenvalues(size, definite):
    torch.manual_seed(size)
    basis = torch.linalg.qr(torch.randn(size, size).double()).Q
    values = torch.linspace(1, 3, size).double() * (
        1 if definite else torch.tensor([-1.0, 1]).double().repeat(3)[:size]
    )
    matrix, wanted = basis @ values.diag() @ basis.T, torch.randn(size).double()

    def product(vector):
        return matrix @ vector

    found = solve(product, wanted, size)
    torch.testing.assert_close(found, torch.linalg.solve(matrix, wanted))
    torch.testing.assert_close(solve(product, wanted, size + 5), found)
    left = [(wanted - matrix @ solve(product, wanted, k)).norm().item() for k in range(size)]
    assert left == sorted(left, reverse=True)


def test_conjugate_residuals_take_the_best_step_there_is_and_stop_where_there_is_none():
    matrix = torch.diag(torch.tensor([2.0, -1.0]).double())
    wanted = torch.tensor([1.0, 0.1]).double()
    pushed = matrix @ wanted
    one = solve(lambda vector: matrix @ vector, wanted, 1)
    torch.testing.assert_close(one, wanted * (pushed @ wanted) / (pushed @ pushed))  # least |wanted - t pushed|
    assert not solve(lambda vector: matrix @ vector, torch.zeros(2).double(), 9).any()
    assert not solve(lambda vector: 0 * vector, wanted, 9).any()


def test_the_hypergradient_of_two_parabolas_is_the_derivative_through_their_minimum():
    """inner(x; a) = (1-a) |x - p|^2 + a |x - q|^2 has its minimum at p + a (q - p); outer = |x - p|^2 there."""
    p, q = torch.randn(2, 4, generator=torch.Generator().manual_seed(1)).double()
    for a in (0.0, 0.3, 0.9):
        x = (p + a * (q - p)).requires_grad_()
        outer, other = (x - p).square().sum(), (x - q).square().sum()
        found = hypergradient((1 - a) * outer + a * other, other - outer, outer, [x], 1)
        torch.testing.assert_close(found, 2 * a * (q - p).square().sum())


def test_the_hypergradient_of_a_network_agrees_with_training_it_to_the_end():
    """Ridge-like: two linear encoders and a head by Newton's method to the minimum, alpha moved a little each way."""
    torch.manual_seed(3)
    inputs, target = torch.randn(30, 3).double(), torch.randn(30).double()

    def both(weights):
        return (inputs @ weights - target).square().mean(), (weights - 1).square().sum()

    def at_minimum(alpha):
        weights = torch.zeros(3).double()
        gram = inputs.T @ inputs / 30
        system = (1 - alpha) * gram + alpha * torch.eye(3).double()
        return weights + torch.linalg.solve(system, (1 - alpha) * inputs.T @ target / 30 + alpha)

    alpha, small = 0.4, 1e-5
    weights = at_minimum(alpha).requires_grad_()
    outer, other = both(weights)
    found = hypergradient((1 - alpha) * outer + alpha * other, other - outer, outer, [weights], 3)
    slope = (both(at_minimum(alpha + small))[0] - both(at_minimum(alpha - small))[0]) / (2 * small)
    torch.testing.assert_close(found, slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("form", ["paper", "released"])
def test_alpha_follows_its_hypergradient(form):
    net, method, step = setting("abc", form=form, integration="learned", start=0.3, lr=0.5, iterations=4)
    loss = loss_of(step)
    total = method.objective(loss, step)
    between = (total / {"paper": 1, "released": 2}[form] - 0.7 * loss) / 0.3
    parameters = [*net.encoders.parameters(), *net.head.parameters()]
    scale = {"paper": 1, "released": 2}[form]
    expected = hypergradient(total, scale * (between - loss), loss, parameters, 4)
    assert expected
    total.backward()
    record = method.modulate_(step)
    assert record["alpha"].item() == pytest.approx(0.3)
    torch.testing.assert_close(record["hypergradient"], expected)
    assert method.alpha.item() == pytest.approx(min(max(0.3 - 0.5 * expected.item(), 0), 1))
    assert all(parameter.grad is not None for parameter in parameters)


def test_looking_for_alpha_leaves_the_gradients_as_they_are():
    found = []
    for iterations in (1, 5):
        net, method, step = setting(integration="learned", iterations=iterations)
        method.objective(loss_of(step), step).backward(retain_graph=True)
        found.append([parameter.grad for parameter in [*net.encoders.parameters(), *net.head.parameters()]])
    between = contrast(step.features["a"], step.features["b"], 0.07)
    expected = torch.autograd.grad((loss_of(step) + between) / 2, [*net.encoders.parameters(), *net.head.parameters()])
    for one, other, right in zip(*found, expected, strict=True):
        assert torch.equal(one, other)
        torch.testing.assert_close(one, right)


def test_alpha_stays_within_0_and_1_and_where_it_is_not_told():
    _, method, step = setting(integration="learned", lr=1e12)
    method.objective(loss_of(step), step)
    assert method.modulate_(step)["hypergradient"]
    assert method.alpha.item() in (0.0, 1.0)
    _, method, step = setting(integration="learned")
    zero = replace(step, features={name: 0 * value for name, value in step.features.items()})
    assert method.objective(loss_of(step), zero).isfinite()
    method.modulate_(zero)
    assert method.alpha.isfinite()


def test_micro_batches_move_alpha_once_by_their_weighted_mean():
    counts, slopes = (6, 2, 0), []
    for count in counts:
        _, method, step = setting(integration="learned", lr=1e-3)
        method.objective((1 + count) * loss_of(step), replace(step, samples=8))
        slopes.append(method.modulate_(step)["hypergradient"])
    _, method, step = setting(integration="learned", lr=1e-3)
    for count in counts:
        method.objective((1 + count) * loss_of(step), replace(step, samples=count))
    assert method.alpha.item() == 0.5
    found = method.modulate_(step)["hypergradient"]
    torch.testing.assert_close(found, (6 * slopes[0] + 2 * slopes[1]) / 8)
    assert method.alpha.item() == pytest.approx(0.5 - 1e-3 * found.item())
    assert 0 < method.alpha.item() < 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"form": "theirs"}, "paper, released"),
        ({"integration": "fitted"}, "heuristic, learned"),
        ({"temperature": 0}, "allowed: more than 0"),
        ({"start": 1.1}, "0 to 1"),
        ({"lr": 0}, "allowed"),
        ({"iterations": 0}, "at least 1"),
    ],
)
def test_refused(options, match):
    with pytest.raises(ValueError, match=match):
        setting(**options)


def test_refused_features():
    _, method, step = setting()
    with pytest.raises(ValueError, match=r"one width; found \{'a': 4, 'b': 5\}"):
        method.objective(step.logits.sum(), replace(step, features={**step.features, "a": step.features["a"][:, 1:]}))
    with pytest.raises(RuntimeError, match="call objective before"):
        method.modulate_(step)
