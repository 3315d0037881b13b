"""OPM: who is dropped, how often, what the others are scaled by, and which samples the scores come from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import hypothesis
import pytest
import torch
from hypothesis import strategies
from modulation_toy import batches
from scored_toy import Concatenated, made, stepped
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import OPM, Parts, Step
from cggm_pipeline.modulations._ratios import ratio_to_others
from cggm_pipeline.modulations.opm import chance
from cggm_pipeline.spec import modulations as specs

TABLE = [
    # q_base lam   s_m         q_m
    (0.5, 0.5, (3, 1), (0.7410068950, 0)),  # 0.5 (1 + 0.5 tanh 2)
    (0.5, 0.0, (3, 1), (0.5, 0)),  # lam 0: q_base for whoever is ahead
    (0.5, 0.5, (1, 1), (0, 0)),  # nobody is ahead
    (0.4, 0.5, (1, 2), (0, 0.5523188312)),  # 0.4 (1 + 0.5 tanh 1)
    (0.9, 0.5, (3, 1), (1, 0)),  # more than 1 is 1
    (0.5, 0.5, (4, 2, 1), (0.7410068950, 0.5612296656, 0)),  # r = 3, 1.25, 0.375
    (0.5, 0.5, (1, 0), (0.75, 0)),  # the other says nothing: tanh 1 at infinity
]


@pytest.mark.parametrize(("q_base", "lam", "mass", "expected"), TABLE)
def test_value_table(q_base, lam, mass, expected):
    found = chance(ratio_to_others(torch.tensor(mass, dtype=torch.float64)), q_base, lam)
    assert found.tolist() == pytest.approx(expected, abs=1e-9)


@hypothesis.given(
    strategies.lists(strategies.floats(0, 1e6), min_size=2, max_size=5),
    strategies.floats(0, 1),
    strategies.floats(0, 9),
)
def test_the_weakest_is_never_dropped(mass, q_base, lam):
    """r of the smallest s is a mean of numbers of at most 1: with it in the batch no sample loses everything."""
    scores = torch.tensor(mass, dtype=torch.float64)
    found = chance(ratio_to_others(scores), q_base, lam)
    assert found[scores.argmin()] == 0
    assert ((found >= 0) & (found <= 1)).all()


@dataclass
class Pyramid:
    maps: list[torch.Tensor]

    def map(self, function):
        return Pyramid([function(each) for each in self.maps])


def method_of(drop, **options):
    parts = Parts({name: nn.Linear(1, 1) for name in "ab"})
    method = OPM(parts, nn.Linear(5, 2), **options)
    method.drop.copy_(torch.tensor(drop))
    return method


def test_masks_are_drawn_per_sample_and_all_features_are_scaled():
    """theta = (2 * 0.6 + 6 * 0) / 8 = 0.15, entries per sample counted over a whole pyramid."""
    torch.manual_seed(0)
    a = torch.rand(4000, 2) + 1
    b = Pyramid([torch.rand(4000, 1, 2, 2) + 1, torch.rand(4000, 2, 1, 1) + 1])
    masked = method_of([0.6, 0.0]).mask({"a": a, "b": b, "other": a})
    dropped = masked["a"].eq(0).all(1)
    assert dropped.float().mean().item() == pytest.approx(0.6, abs=0.03)
    torch.testing.assert_close(masked["a"][~dropped], a[~dropped] / 0.85)
    for found, given in zip(masked["b"].maps, b.maps, strict=True):
        torch.testing.assert_close(found, given / 0.85)
    assert masked["other"] is a


def test_the_gradient_goes_through_mask_and_scale():
    a = torch.ones(50, 2, requires_grad=True)
    masked = method_of([0.5, 0.0]).mask({"a": a, "b": torch.ones(50, 2)})["a"]
    masked.sum().backward()
    assert torch.equal(a.grad, masked.detach())  # 0 where dropped, 1 / (1 - theta) elsewhere
    assert a.grad.unique().tolist() == pytest.approx([0, 4 / 3])  # theta = 2 * 0.5 / 4


@pytest.mark.parametrize("how", ["eval", "q_base", "execute"])
def test_nothing_is_masked(how):
    method = method_of([0.9, 0.0], **{how: 0.0} if how != "eval" else {})
    method.train(how != "eval")
    features = {"a": torch.rand(20, 2), "b": torch.rand(20, 3)}
    masked = method.mask(features)
    assert all(torch.equal(masked[name], features[name]) for name in features)
    assert masked is features


def test_features_of_another_form_are_refused():
    with pytest.raises(TypeError, match=r"features are list; allowed: tensors, or objects with map\(function\)"):
        method_of([0.5, 0.0]).mask({"a": [1.0], "b": torch.ones(1)})


def test_a_share_of_batches_is_left_alone():
    torch.manual_seed(0)
    method, ones = method_of([0.5, 0.0], execute=0.7), {"a": torch.ones(8, 2), "b": torch.ones(8, 2)}
    left = [torch.equal(method.mask(ones)["b"], ones["b"]) for _ in range(1000)]
    assert sum(left) / len(left) == pytest.approx(0.3, abs=0.05)


def plain_chances(net, features, kept, target, names):
    """q from the samples that lost nothing, with whole features, in plain Python."""
    place = {n: slice(5 * i, 5 * i + 5) for i, n in enumerate(names)}
    mass = dict.fromkeys(names, 0.0)
    for i, y in enumerate(target.tolist()):
        for n in names:
            own = net.head.weight[:, place[n]] @ features[n][i] + net.head.bias / len(names)
            mass[n] += own.softmax(0)[y].item() if kept[i] else 0.0
    ratio = {n: sum(mass[n] / mass[o] for o in names if o != n) / (len(names) - 1) for n in names}
    grown = {n: 0.5 * (1 + 0.5 * torch.tensor(r - 1).tanh().item()) for n, r in ratio.items()}
    return [min(grown[n], 1) if ratio[n] > 1 else 0.0 for n in names]


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
def test_the_next_step_drops_by_this_steps_scores(names):
    net, method = made("opm", names, network=Concatenated)
    fractions = []
    for inputs, target in batches(names, 4, 40):
        features = {n: encoder(inputs[n]) for n, encoder in net.encoders.items()}
        step = stepped(net, method, inputs, target)
        kept = [all(step.features[n][i].any() for n in names) for i in range(40)]
        fractions.append(sum(kept) / 40)
        expected = plain_chances(net, features, kept, target, names)
        record = method.backward(functional.cross_entropy(step.logits, target), step)
        assert method.drop.tolist() == pytest.approx(expected, abs=1e-6)
        assert [q.item() for q in record["drop"].values()] == pytest.approx(expected, abs=1e-6)
    assert fractions[0] == 1  # nothing is known before the first step
    assert max(fractions[1:]) < 1


@pytest.mark.parametrize(("drop", "then"), [(1 - 2**-20, 1 - 2**-20), (1.0, 0.0)])
def test_a_step_without_a_whole_sample_changes_nothing_unless_none_could_follow(drop, then):
    torch.manual_seed(0)
    net, method = made("opm", ("a", "b"), network=Concatenated)
    method.drop.copy_(torch.tensor([drop, 0.0]))
    inputs, target = next(batches("ab", 1, 8))
    step = stepped(net, method, inputs, target)
    assert not step.features["a"].any()
    record = method.backward(functional.cross_entropy(step.logits, target), step)
    assert method.drop.tolist() == [then, 0]
    assert all(value.isfinite() for each in record.values() for value in each.values())


def test_a_step_whose_features_were_not_masked_is_refused():
    """Otherwise a loop that forgets `mask` would train without the method, and log what it never dropped."""
    net, method = made("opm", ("a", "b"))
    inputs, target = next(batches("ab", 1, 8))
    step = stepped(net, method, inputs, target)
    method.penalty(step)
    with pytest.raises(RuntimeError, match="penalty was called without mask: call mask on the features before they"):
        method.penalty(step)


def test_it_begins_in_its_epoch():
    net, method = made("opm", start_epoch=2)
    inputs, target = next(batches("abc", 1, 16))
    for epoch, acts in ((0, False), (1, False), (2, True)):
        step = stepped(net, method, inputs, target, epoch=epoch)
        assert bool(method.backward(functional.cross_entropy(step.logits, target), step)) == acts
        assert bool(method.drop.any()) == acts


def test_segmentation_counts_pixels():
    torch.manual_seed(0)
    encoders = {"a": nn.Conv2d(1, 2, 1), "b": nn.Conv2d(1, 3, 1)}
    head, x, target = nn.Conv2d(5, 4, 1), torch.randn(2, 1, 3, 3), torch.randint(4, (2, 6, 6))
    method, features = OPM(Parts(encoders), head), {n: encoder(x) for n, encoder in encoders.items()}
    fused = torch.cat(list(features.values()), 1)
    step = Step(features, fused, head(fused), target)
    method.mask(features)
    method.penalty(step)
    record = method.modulate_(step)
    assert all(0 < score < 1 for score in record["score"].values())
    halves = OPM(Parts(encoders), head)
    for rows in (slice(0, 1), slice(1, 2)):
        piece = replace(step, fused=fused[rows], logits=step.logits[rows], target=target[rows])
        masked = halves.mask({n: f[rows] for n, f in features.items()})
        halves.penalty(replace(piece, features=masked))
    again = halves.modulate_(step)["score"]
    assert {n: s.item() for n, s in again.items()} == pytest.approx({n: s.item() for n, s in record["score"].items()})


def test_off_is_none():
    assert specs.OPM(kind="opm", q_base=0.0).effective().kind == "none"
    assert specs.OPM(kind="opm", execute=0.0).effective().kind == "none"
    assert specs.OPM(kind="opm").effective().kind == "opm"
