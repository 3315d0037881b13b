"""NT-Xent and entropy against sample-by-sample arithmetic, and their limits; the second view's draws and absences."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from cggm_pipeline.data.input import Input
from cggm_pipeline.evaluation.adaptation.losses import entropy, nt_xent
from cggm_pipeline.evaluation.adaptation.views import drawn, without


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def by_hand(first, second, temperature):
    """NT-Xent, pair by pair, in plain Python."""
    rows = [*first.tolist(), *second.tolist()]
    number = len(first)

    def cosine(x, y):
        dot = sum(a * b for a, b in zip(x, y, strict=True))
        return dot / math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))

    total = 0.0
    for i in range(2 * number):
        j = (i + number) % (2 * number)
        others = sum(math.exp(cosine(rows[i], rows[k]) / temperature) for k in range(2 * number) if k != i)
        total -= math.log(math.exp(cosine(rows[i], rows[j]) / temperature) / others)
    return total / (2 * number)


@pytest.mark.parametrize("number", [1, 2, 7])
@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nt_xent_is_the_mean_over_all_pairs(number, temperature):
    first, second = torch.randn(2, number, 5, generator=generator(), dtype=torch.float64)
    found = nt_xent(first, second, temperature=temperature)
    assert found.item() == pytest.approx(by_hand(first, second, temperature), rel=1e-10, abs=1e-10)


def test_one_sample_alone_has_no_negatives_and_teaches_nothing():
    first, second = torch.randn(2, 1, 5, generator=generator()).requires_grad_()
    loss = nt_xent(first, second)
    assert loss.item() == 0
    (gradient,) = torch.autograd.grad(loss, first)
    assert torch.equal(gradient, torch.zeros(1, 5))


def test_equal_rows_cost_the_logarithm_of_their_number_and_apart_ones_nothing():
    same = torch.ones(6, 4, dtype=torch.float64)
    assert nt_xent(same, same).item() == pytest.approx(math.log(11), rel=1e-12)
    apart = torch.eye(6, dtype=torch.float64)
    assert nt_xent(apart, apart, temperature=0.01).item() == pytest.approx(0, abs=1e-9)


def test_nt_xent_looks_at_directions_alone_and_is_symmetric():
    first, second = torch.randn(2, 5, 3, generator=generator(), dtype=torch.float64)
    scales = torch.rand(5, 1, generator=generator(1), dtype=torch.float64) + 0.1
    torch.testing.assert_close(nt_xent(first * scales, second), nt_xent(first, second))
    torch.testing.assert_close(nt_xent(second, first), nt_xent(first, second))


def test_a_row_of_zeros_has_a_finite_loss_and_gradient():
    first, second = torch.randn(2, 4, 3, generator=generator())
    first[1] = 0
    first.requires_grad_()
    loss = nt_xent(first, second)
    (gradient,) = torch.autograd.grad(loss, first)
    assert loss.isfinite()
    assert gradient.isfinite().all()


def test_maps_count_by_their_mean_over_pixels():
    first, second = torch.randn(2, 4, 3, 2, 5, generator=generator(), dtype=torch.float64)
    torch.testing.assert_close(nt_xent(first, second), nt_xent(first.mean((2, 3)), second.mean((2, 3))))


def test_half_precision_is_summed_in_single():
    first, second = torch.randn(2, 4, 3, generator=generator()).bfloat16()
    assert nt_xent(first, second).dtype == torch.float32


def test_entropy_is_the_mean_over_samples_and_pixels():
    logits = 3 * torch.randn(6, 5, 2, 3, generator=generator(), dtype=torch.float64)
    expected = torch.distributions.Categorical(logits=logits.movedim(1, -1)).entropy().mean()
    torch.testing.assert_close(entropy(logits), expected)
    assert entropy(torch.zeros(4, 8)).item() == pytest.approx(math.log(8))
    certain = torch.tensor([[1e4, 0.0, 0.0]]).requires_grad_()
    (gradient,) = torch.autograd.grad(entropy(certain), certain)
    assert gradient.isfinite().all()


def test_who_has_no_other_modality_keeps_the_one_that_is_dropped():
    present = {"a": torch.tensor([True, True, True, False]), "b": torch.tensor([True, False, False, False]), "c": None}
    present["c"] = torch.tensor([False, False, True, False])
    inputs = {name: Input(torch.ones(4, 2), None, there) for name, there in present.items()}
    found = without(inputs, "a")
    assert found["a"].present.tolist() == [False, True, False, False]
    assert found["a"].values[:, 0].tolist() == [0, 1, 0, 1]  # a sample without anything stays as it was
    assert found["b"] is inputs["b"]
    everything = without({name: Input(torch.ones(4, 2)) for name in "ab"}, "b")
    assert everything["b"].present.tolist() == [False] * 4


def test_the_dropped_modality_is_drawn_from_seed_and_number_in_the_given_proportion():
    counts = Counter(drawn("cab", 7, number)[0] for number in range(900))
    assert all(240 < counts[name] < 360 for name in "abc")
    weighted = Counter(drawn("cab", 7, number, drop={"a": 1.0, "c": 3.0})[0] for number in range(900))
    assert weighted["b"] == 0
    assert 600 < weighted["c"] < 750
    assert drawn("abc", 1, 5, number=8) == drawn("bca", 1, 5, number=8)
    assert drawn("abc", 1, 5, number=8) != drawn("abc", 2, 5, number=8)
    assert drawn("abc", 1, 5, number=8) != drawn("abc", 1, 6, number=8)
