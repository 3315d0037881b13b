"""MSLR: rates against a plain restatement, what acts on Adam, and what is refused."""

from __future__ import annotations

import pytest
import torch
from modulation_toy import Net, batches
from probe_toy import Given, Looking, apply, mean_logit, worth
from torch import nn

from cggm_pipeline.modulations import MSLR, Parts, accuracy
from cggm_pipeline.modulations._unimodal import unimodal_logits

SCORES = {"a": [0.2, 0.3, 0.5, 0.4, 0.8], "b": [0.6, 0.6, 0.5, 0.9, 0.3], "c": [0.1, 0.2, 0.1, 0.4, 0.4]}


def made(names="ab", **options):
    return MSLR(Parts({name: nn.Linear(2, 1) for name in names}), nn.Linear(7, 3), mean_logit, **options)


def rates(method):
    return {name: rate.item() for name, rate in method.rates().items()}


@pytest.mark.parametrize("names", ["ab", "ba", "cab"])
@pytest.mark.parametrize("window", [1, 2, 3])
def test_dynamic_follows_the_ratio_to_the_scores_before(names, window):
    """lr(t) / lr(0) = s(t-1) / mean of the `window` scores before it; 1 as long as there are fewer."""
    base = {"a": 2.0, "b": 0.5, "c": 1.0}
    method = made(names, window=window, rates={name: base[name] for name in "ab"})
    for epoch in range(5):
        method.end_epoch(epoch, Given(valid=[worth({name: SCORES[name][epoch] for name in names})]))
        for name in names:
            before = SCORES[name][max(0, epoch - window) : epoch]
            ratio = SCORES[name][epoch] / (sum(before) / len(before)) if len(before) == window else 1.0
            assert rates(method)[name] == pytest.approx(base[name] * ratio, rel=1e-6)


def test_keep_and_smooth():
    given = {"a": 0.5, "b": 2.0}
    assert rates(made("abc", form="keep", rates=given)) == {"a": 0.5, "b": 2.0, "c": 1.0}
    mean = 3.5 / 3
    smooth = rates(made("abc", form="smooth", rates=given, smoothing=0.25))
    assert smooth == pytest.approx({n: 0.75 * r + 0.25 * mean for n, r in {**given, "c": 1.0}.items()})
    assert rates(made(form="smooth", rates=given, smoothing=1.0)) == {"a": 1.25, "b": 1.25}
    assert rates(made(form="smooth", rates=given, smoothing=0.0)) == rates(made(form="keep", rates=given))


@pytest.mark.parametrize("form", ["keep", "smooth"])
def test_without_rates_nothing_is_said(form):
    method = made(form=form)
    method.end_epoch(0, Given(valid=[worth({"a": 0.1, "b": 0.9})]))
    assert method.rates() == {}
    assert method.modulate_(worth({"a": 0.1, "b": 0.9})) == {}


def test_a_score_of_zero_leaves_the_rate():
    method = made(window=1)
    for epoch, score in enumerate([0.0, 0.5, 0.0]):
        method.end_epoch(epoch, Given(valid=[worth({"a": score, "b": 0.5})]))
        assert rates(method) == {"a": [1.0, 1.0, 0.0][epoch], "b": 1.0}


def test_scores_are_those_of_the_whole_validation_split():
    """Over batches of different sizes, from each modality's own logits; modes are put back."""
    torch.manual_seed(0)
    net = Net("ab").double()
    data = [*batches("ab", 1, 5), *batches("ab", 1, 2, seed=1)]
    method = MSLR(Parts(dict(net.encoders.items())), net.head, accuracy)
    method.end_epoch(0, Looking(net, valid=data))
    hits = torch.zeros(2, dtype=torch.float64)
    for step in Looking(net, valid=data).steps("valid"):
        for place, logits in enumerate(unimodal_logits(net.head, ["a", "b"], step)):
            hits[place] += (logits.argmax(1) == step.target).sum()
    torch.testing.assert_close(method.scores[-1], hits / 7)
    assert method.training


def test_rates_act_on_adam_where_scaled_gradients_do_not():
    """One step of Adam is lr long whatever the gradient's size: AGM's release scales gradients and changes nothing."""
    moved = {}
    for way in ("rates", "gradients"):
        torch.manual_seed(0)
        parts = {name: nn.Linear(3, 2) for name in "ab"}
        method = MSLR(Parts(parts), nn.Linear(7, 3), mean_logit, form="keep", rates={"a": 0.25})
        groups = [{"params": list(part.parameters()), "modality": name} for name, part in parts.items()]
        optimizer = torch.optim.Adam(groups, lr=1e-2, eps=1e-30, fused=True)
        before = {name: part.weight.detach().clone() for name, part in parts.items()}
        for name, part in parts.items():
            for p in part.parameters():
                p.grad = torch.randn_like(p) * (0.25 if way == "gradients" and name == "a" else 1.0)
        apply(optimizer, method) if way == "rates" else optimizer.step()
        assert [group["lr"] for group in optimizer.param_groups] == [1e-2, 1e-2]
        moved[way] = {n: (part.weight - before[n]).abs().mean().item() for n, part in parts.items()}
    assert moved["rates"] == pytest.approx({"a": 0.0025, "b": 0.01}, rel=1e-3)
    assert moved["gradients"] == pytest.approx({"a": 0.01, "b": 0.01}, rel=1e-3)


def test_a_checkpoint_goes_on():
    method, other = made(window=2), made(window=2)
    for epoch in range(5):
        probe = Given(valid=[worth({name: SCORES[name][epoch] for name in "ab"})])
        if epoch == 3:
            other.load_state_dict(method.state_dict())
        method.end_epoch(epoch, probe)
        if epoch >= 3:
            other.end_epoch(epoch, probe)
    assert rates(other) == rates(method) != {"a": 1.0, "b": 1.0}


def test_without_a_probe_rates_stay():
    method = made(rates={"a": 0.5})
    method.end_epoch(0)
    assert rates(method) == {"a": 0.5, "b": 1.0}


def test_refused():
    with pytest.raises(ValueError, match="rates names audio, text; the modalities are a, b"):
        made(rates={"text": 1.0, "a": 2.0, "audio": 3.0})
    with pytest.raises(ValueError, match=r"rates has \{'b': 0.0\}; allowed: more than 0"):
        made(rates={"a": 1.0, "b": 0.0})
    with pytest.raises(ValueError, match="form is 'fast'; allowed: keep, smooth, dynamic"):
        made(form="fast")
    with pytest.raises(ValueError, match=r"smoothing is 1\.5"):
        made(smoothing=1.5)
    with pytest.raises(ValueError, match="balancing needs at least 2"):
        made("a")
    with pytest.raises(ValueError, match='split "valid" has no sample'):
        made().end_epoch(0, Given(valid=[]))
