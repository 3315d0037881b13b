"""Re-learning: purity, how far encoders are drawn back and when, and what is left alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from probe_toy import Given
from torch import nn

from cggm_pipeline.modulations import Relearning, Step
from cggm_pipeline.modulations._clusters import clusters, purity, scaled
from cggm_pipeline.modulations._pooled import pooled

CLASSES = 3


def build(names="ab", device="cpu", **options):
    torch.manual_seed(0)
    with torch.device(device):
        encoders = {name: nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)) for name in names}
        head = nn.Linear(2 * len(names), CLASSES)
    return encoders, head, Relearning(encoders, head, **options)


def split(noise, size=9):
    """Per modality features around one corner per class; `noise` says whose corners have nothing to do with classes."""
    generator = torch.Generator().manual_seed(len(noise))
    target = torch.arange(size) % CLASSES
    features = {}
    for name, mixed in noise.items():
        corner = torch.arange(size) // (size // CLASSES) if mixed else target
        features[name] = torch.eye(CLASSES)[corner] * 9 + torch.rand(size, CLASSES, generator=generator)
    return [
        Step({n: x[rows] for n, x in features.items()}, torch.zeros(len(rows), 1), torch.zeros(1), target[rows])
        for rows in torch.arange(size).split(5)
    ]


MEMORISED = {"train": split({"a": False, "b": False}), "valid": split({"a": True, "b": False})}
"""Modality a is pure on training data, and as pure as chance on validation data: g_a = 2/3, g_b = 0."""


def moved(encoders):
    for encoder in encoders.values():
        for tensor in (*encoder.parameters(), encoder[1].running_mean):
            tensor.data += torch.randn_like(tensor)
    return {name: [p.detach().clone() for p in encoder.parameters()] for name, encoder in encoders.items()}


def test_purity_is_the_share_of_the_most_frequent_classes():
    target = torch.tensor([0, 0, 1, 1, 2, 2])
    assert purity(torch.tensor([5, 5, 0, 0, 3, 3]), target) == 1
    assert purity(torch.zeros(6, dtype=torch.long), target) == pytest.approx(1 / 3)
    assert purity(torch.tensor([0, 1, 1, 1, 0, 0]), target) == pytest.approx(4 / 6)


def test_dimensions_are_scaled_to_one():
    values = torch.tensor([[0.0, 7.0, -3.0], [1.0, 7.0, 5.0], [4.0, 7.0, 1.0]])
    torch.testing.assert_close(scaled(values), torch.tensor([[-1.0, 0.0, -1.0], [-0.5, 0.0, 1.0], [1.0, 0.0, 0.0]]))


def test_clusters_are_found_whatever_a_dimension_is_measured_in():
    """Classes apart in a small dimension beside a large one of noise: only scaled features show them."""
    generator = torch.Generator().manual_seed(0)
    target = torch.arange(30) % 2
    values = torch.stack([target * 1e-3, torch.rand(30, generator=generator)], 1)
    assert purity(clusters(scaled(values), 2), target) == 1
    assert purity(clusters(values, 2), target) < 0.9
    assert torch.equal(clusters(values, 2), clusters(values, 2))


@pytest.mark.parametrize("size", [2, 9])
def test_collapsed_features_and_few_samples_are_no_error(size):
    target = torch.arange(size) % CLASSES
    assert purity(clusters(scaled(torch.ones(size, 4)), CLASSES), target) == pytest.approx(
        (size // CLASSES or 1) / size
    )


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_encoders_are_drawn_back_by_their_gap(names):
    encoders, _, method = build(names, lam=1.5, every=2)
    initial = {name: [p.detach().clone() for p in encoder.parameters()] for name, encoder in encoders.items()}
    before, means = moved(encoders), {name: encoder[1].running_mean.clone() for name, encoder in encoders.items()}
    method.start_epoch(2, Given(**MEMORISED))
    alpha = {"a": torch.tanh(torch.tensor(1.5 * 2 / 3)), "b": torch.tensor(0.0)}
    for name, encoder in encoders.items():
        for start, old, new in zip(initial[name], before[name], encoder.parameters(), strict=True):
            torch.testing.assert_close(new.detach(), (1 - alpha[name]) * old + alpha[name] * start)
        assert torch.equal(encoder[1].running_mean, means[name])
    record = method.modulate_(MEMORISED["train"][0])["alpha"]
    assert {name: value.item() for name, value in record.items()} == pytest.approx({"a": alpha["a"].item(), "b": 0.0})


def test_every_so_many_epochs_and_so_often():
    encoders, _, method = build(every=2, times=2)
    drawn = []
    for epoch in range(9):
        before = moved(encoders)
        method.start_epoch(epoch, None if epoch == 2 else Given(**MEMORISED))
        drawn += [epoch] if not torch.equal(before["a"][0], encoders["a"][0].weight) else []
    assert drawn == [4, 6]  # not before the first epoch, not where a training goes on (2), and twice
    assert int(method.done) == 2


def test_without_strength_encoders_stay():
    encoders, _, method = build(lam=0.0, every=1)
    before = moved(encoders)
    method.start_epoch(1, Given(**MEMORISED))
    assert all(
        torch.equal(old, new) for n in "ab" for old, new in zip(before[n], encoders[n].parameters(), strict=True)
    )


def test_a_checkpoint_holds_the_initial_weights():
    encoders, _, method = build(every=1)
    others, _, other = build(every=1)
    moved(encoders)
    moved(others)
    for source, copy in zip(encoders.values(), others.values(), strict=True):
        copy.load_state_dict(source.state_dict())
    fresh = Relearning(others, nn.Linear(4, CLASSES), every=1)  # built after training began, as a resumed one is not
    fresh.load_state_dict(method.state_dict())
    method.start_epoch(1, Given(**MEMORISED))
    fresh.start_epoch(1, Given(**MEMORISED))
    for name, encoder in encoders.items():
        assert all(map(torch.equal, list(encoder.parameters()), list(others[name].parameters())))
    assert other.state_dict().keys() == method.state_dict().keys()


def test_it_can_be_built_on_the_meta_device():
    _, _, method = build(device="meta")
    assert {buffer.device.type for buffer in method.buffers()} == {"meta"}
    assert not list(method.parameters())


def test_features_of_any_form_are_pooled():
    """As evaluation does it for probes: tokens without padding, maps over their places, levels side by side."""
    values, mask = torch.randn(2, 3, 4), torch.tensor([[False, False, True], [True, True, True]])
    torch.testing.assert_close(pooled(values), values.mean(1))
    tokens = pooled(SimpleNamespace(values=values, mask=mask))
    torch.testing.assert_close(tokens, torch.stack([values[0, :2].mean(0), torch.zeros(4)]))
    assert pooled(SimpleNamespace(values=values[:, 0], mask=None)).equal(values[:, 0])
    fine, coarse = torch.randn(2, 3, 4, 4), torch.randn(2, 5, 2, 2)
    expected = torch.cat([fine.mean((2, 3)), coarse.mean((2, 3))], 1)
    torch.testing.assert_close(pooled(SimpleNamespace(values=[fine, coarse], mask=None)), expected)
    torch.testing.assert_close(pooled(fine), fine.mean((2, 3)))


def test_refused():
    with pytest.raises(ValueError, match="every is 0; allowed: at least 1"):
        build(every=0)
    with pytest.raises(ValueError, match="lam is nan"):
        build(lam=float("nan"))
    with pytest.raises(ValueError, match="balancing needs at least 2"):
        build("a")
