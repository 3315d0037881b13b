"""MSES: when an encoder rests, what it goes back to, and that nothing moves it afterwards."""

from __future__ import annotations

import pytest
import torch
from probe_toy import Given, apply, mean_logit, worth
from torch import nn

from cggm_pipeline.modulations import MSES


def build(names="ab", **options):
    """Encoders with running statistics, and classifiers that hand on what `worth` has written into the features."""
    torch.manual_seed(0)
    encoders = {name: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)) for name in names}
    classifiers = {name: nn.Linear(1, 1) for name in names}
    for classifier in classifiers.values():
        nn.init.ones_(classifier.weight)
        nn.init.zeros_(classifier.bias)
    return encoders, MSES(encoders, classifiers, mean_logit, **options)


def stir(encoders):
    """Stands for an epoch of training."""
    with torch.no_grad():
        for encoder in encoders.values():
            for tensor in [*encoder.parameters(), encoder[1].running_mean]:
                tensor += torch.randn_like(tensor)


def state(encoder):
    return {name: value.clone() for name, value in encoder.state_dict().items()}


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def rests(method):
    return {name for name, rate in method.rates().items() if rate == 0}


LOSSES = {"a": [1.0, 0.5, 0.6, 0.4, 0.75, 0.9, 0.8, 0.05], "b": [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]}


@pytest.mark.parametrize("names", ["ab", "ba"])
@pytest.mark.parametrize(("smoothing", "patience"), [(0.0, 1), (0.0, 2), (0.6, 1), (0.6, 2), (0.3, 3)])
def test_rests_where_a_plain_restatement_rests(names, smoothing, patience):
    encoders, method = build(names, smoothing=smoothing, patience=patience)
    history, best, stopped = {name: [] for name in names}, dict.fromkeys(names, (9.0, -1)), {}
    for epoch in range(8):
        stir(encoders)
        for name in names:
            history[name].append(state(encoders[name]))
            loss = smoothing * LOSSES[name][max(epoch - 1, 0)] + (1 - smoothing) * LOSSES[name][epoch]
            best[name] = min(best[name], (loss, epoch)) if name not in stopped else best[name]
            if name not in stopped and epoch - best[name][1] > patience:
                stopped[name] = epoch
        method.end_epoch(epoch, Given(valid=[worth({name: LOSSES[name][epoch] for name in names})]))
        assert rests(method) == set(stopped)
        for name in names:
            back = stopped.get(name) == epoch
            assert same(history[name][best[name][1] if back else epoch], encoders[name].state_dict())
    assert "b" not in stopped
    assert ("a" in stopped) == (patience < 3)


def test_nothing_moves_an_encoder_that_rests():
    """Neither gradients nor momentum nor weight decay, under torch's fused optimisers; the other goes on."""
    for kind, options in {torch.optim.SGD: {"momentum": 0.9}, torch.optim.Adam: {}, torch.optim.AdamW: {}}.items():
        encoders, method = build(patience=1, smoothing=0.0)
        groups = [{"params": list(e.parameters()), "modality": name} for name, e in encoders.items()]
        optimizer = kind(groups, lr=1e-2, weight_decay=0.1, fused=True, **options)
        x, target = torch.randn(8, 3), torch.zeros(8, dtype=torch.long)
        before = {}
        for epoch, loss in enumerate([0.5, 0.6, 0.7, 0.8]):
            if rests(method):
                before = {name: [p.clone() for p in encoder.parameters()] for name, encoder in encoders.items()}
            for _ in range(3):
                optimizer.zero_grad()
                sum(encoder(x).square().mean() for encoder in encoders.values()).backward()
                step = worth({"a": loss, "b": 1 - loss}, size=len(target))
                method.penalty(step)
                method.modulate_(step)
                assert {name for name, e in encoders.items() if not e[0].weight.grad.any()} == rests(method)
                apply(optimizer, method)
            method.end_epoch(epoch, Given(valid=[worth({"a": loss, "b": 1 - loss})]))
        assert rests(method) == {"a"}
        unmoved = {n: all(map(torch.equal, before[n], list(encoders[n].parameters()))) for n in encoders}
        assert unmoved == {"a": True, "b": False}


def test_it_rests_for_good():
    _, method = build(patience=1, smoothing=0.0)
    for epoch, loss in enumerate([0.5, 0.6, 0.7, 0.1, 0.05]):
        method.end_epoch(epoch, Given(valid=[worth({"a": loss, "b": loss})]))
    assert rests(method) == {"a", "b"}


def test_a_loss_that_is_not_a_number_is_never_the_best():
    encoders, method = build(patience=1, smoothing=0.0)
    first = state(encoders["a"])
    for epoch, loss in enumerate([float("nan"), float("nan")]):
        stir(encoders)
        method.end_epoch(epoch, Given(valid=[worth({"a": loss, "b": 0.5 - epoch / 10})]))
    assert rests(method) == {"a"}
    assert same(first, encoders["a"].state_dict())


def test_a_checkpoint_goes_on():
    (encoders, method), (others, other) = build(patience=1, smoothing=0.0), build(patience=1, smoothing=0.0)
    for epoch, loss in enumerate([0.5, 0.6, 0.7]):
        if epoch == 2:
            other.load_state_dict(method.state_dict())
        stir(encoders)
        probe = Given(valid=[worth({"a": loss, "b": 1 - loss})])
        method.end_epoch(epoch, probe)
        if epoch == 2:
            other.end_epoch(epoch, probe)
    assert rests(other) == rests(method) == {"a"}
    assert same(state(encoders["a"]), others["a"].state_dict())


def test_classifiers_are_measured_as_they_predict():
    """Dropout of a classifier is off while it is measured, and on again afterwards."""
    encoders, _ = build()
    classifiers = {name: nn.Sequential(nn.Dropout(0.9), nn.Linear(1, 1)) for name in "ab"}
    method = MSES(encoders, classifiers, mean_logit)
    method.end_epoch(0, Given(valid=[worth({"a": 0.5, "b": 0.5})]))
    expected = [(0.5 * classifiers[n][1].weight + classifiers[n][1].bias).item() for n in "ab"]
    assert method.last.tolist() == pytest.approx(expected)
    assert classifiers["a"][0].training


def test_encoders_are_not_its_parameters_and_refusals():
    encoders, method = build()
    ours = {id(p) for p in method.parameters()}
    assert not ours & {id(p) for encoder in encoders.values() for p in encoder.parameters()}
    assert len(ours) == 4
    with pytest.raises(ValueError, match="patience is 0; allowed: at least 1"):
        build(patience=0)
    with pytest.raises(ValueError, match="both need the same modalities"):
        MSES(encoders, {"a": nn.Linear(1, 1)}, mean_logit)
