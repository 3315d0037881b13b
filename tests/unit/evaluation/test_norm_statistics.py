"""Batch normalisation by the target's statistics, against its formula; a lone value; a shift that it undoes."""

from __future__ import annotations

import pytest
import torch
from shifted_problem import accuracy, asked, batches, samples, small_network, trained_network
from torch import nn

from cggm_pipeline.data.input import Input
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.adaptation.statistics import mix_batch_statistics_, take_batch_statistics_
from cggm_pipeline.evaluation.predictors.norm_statistics import NormStatistics
from cggm_pipeline.evaluation.predictors.plain import PLAIN


def layer(kind, channels=3):
    """A batch normalisation with statistics, scales and shifts of its own, in eval mode."""
    made = kind(channels).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for values in (made.weight, made.bias, made.running_mean):
            values.copy_(torch.randn(channels, generator=generator))
        made.running_var.copy_(torch.rand(channels, generator=generator) + 0.5)
    return made.double()


def by_hand(made, x, prior):
    """The formula, channel by channel."""
    count, found = len(x), torch.empty_like(x)
    for channel in range(x.shape[1]):
        values = x[:, channel]
        share = prior / (prior + count)
        mean = share * made.running_mean[channel] + (1 - share) * values.mean()
        variance = share * made.running_var[channel] + (1 - share) * (values - values.mean()).square().mean()
        standard = (values - mean) / (variance + made.eps).sqrt()
        found[:, channel] = standard * made.weight[channel] + made.bias[channel]
    return found


@pytest.mark.parametrize("prior", [0.0, 3.0, 16.0])
@pytest.mark.parametrize(("kind", "sizes"), [(nn.BatchNorm1d, ()), (nn.BatchNorm1d, (4,)), (nn.BatchNorm2d, (4, 5))])
def test_statistics_are_mixed_by_the_number_of_samples(kind, sizes, prior):
    made = layer(kind)
    x = 2 + 3 * torch.randn(6, 3, *sizes, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = by_hand(made, x, prior)
    mix_batch_statistics_(made, prior)
    for _ in range(2):  # a batch leaves nothing behind for the next one
        torch.testing.assert_close(made(x), expected)


def test_a_large_prior_is_training_and_none_is_the_batch_as_in_training_mode():
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain, mixed = layer(nn.BatchNorm1d), layer(nn.BatchNorm1d)
    mix_batch_statistics_(mixed, 1e9)
    torch.testing.assert_close(mixed(x), plain(x), rtol=1e-6, atol=1e-6)
    alone = layer(nn.BatchNorm1d)
    mix_batch_statistics_(alone, 0.0)
    torch.testing.assert_close(alone(x), layer(nn.BatchNorm1d).train()(x))


@pytest.mark.parametrize("change", [take_batch_statistics_, lambda made: mix_batch_statistics_(made, 0.0)])
def test_one_value_per_channel_is_normalised_as_in_training(change):
    """It has no variance; an image alone has one, over its pixels."""
    x = torch.randn(1, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain, made = layer(nn.BatchNorm1d), layer(nn.BatchNorm1d)
    change(made)
    assert torch.equal(made(x), plain(x))
    image = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    maps = layer(nn.BatchNorm2d)
    change(maps)
    torch.testing.assert_close(maps(image), layer(nn.BatchNorm2d).train()(image))


def test_no_batch_influences_another():
    network = trained_network(steps=2)
    given = batches(samples(40, seed=2, shift=1.0)[0], 16)
    forwards = asked(NormStatistics(), network, given)
    backwards = asked(NormStatistics(), network, given[::-1])[::-1]
    assert all(torch.equal(one, other) for one, other in zip(forwards, backwards, strict=True))


def test_a_shift_is_undone_and_without_one_little_is_lost():
    network = trained_network()
    inputs, target = samples(480, seed=2, shift=2.0)
    given = batches(inputs, 64)
    source_only = accuracy(PLAIN, network, given, target)
    assert accuracy(NormStatistics(), network, given, target) > source_only + 0.1
    inputs, target = samples(480, seed=2)
    plain = accuracy(PLAIN, network, batches(inputs, 64), target)
    assert accuracy(NormStatistics(), network, batches(inputs, 64), target) > plain - 0.02


def test_a_network_without_batch_normalisation_is_refused():
    with pytest.raises(BuildError, match=r"norm_statistics.*has none.*batch_norm: true.*kind: plain"):
        NormStatistics().check(small_network(batch_norm=False))
    NormStatistics().check(small_network())
    assert NormStatistics().selecting is PLAIN


def test_a_network_of_another_kind_is_asked_as_it_is():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(2)

        def forward(self, inputs):
            return type("Output", (), {"logits": self.norm(inputs["x"].values)})

    made = Bare()
    (found,) = asked(NormStatistics(prior=0), made, [{"x": Input(torch.tensor([[1.0, 5.0], [3.0, 9.0]]))}])
    torch.testing.assert_close(found, torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), atol=1e-4, rtol=0)
