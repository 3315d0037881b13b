"""OPM, AGM, MLB, ARL and InfoReg between computing and applying: micro-batches, checkpoints, the device.

That two processes train as one is shown by tests/contracts/test_modulation_processes.py.
"""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import torch
from modulation_toy import batches, furthest, optimizer_of, state
from scored_toy import FORMS, Concatenated, Net, gradients, made, stepped, train
from test_surroundings import HostSync
from torch.nn import functional

from cggm_pipeline.modulations import Step, _distributed
from cggm_pipeline.modulations._tally import Tally

NAMES = ("a", "b", "c")
EACH = pytest.mark.parametrize("key", FORMS)
ONCE = pytest.mark.parametrize("key", ["mlb", "arl", "arl-released", "info_reg", "info_reg-released"])
"""Those whose coefficients act once per step; OPM draws and AGM weighs each micro-batch by itself."""


@EACH
@pytest.mark.parametrize("network", [Net, Concatenated])
@pytest.mark.parametrize("names", [("a", "b"), NAMES, ("a", "b", "c", "d")])
def test_the_order_of_modalities_does_not_matter(key, network, names):
    kind, options = FORMS[key]
    results = []
    for order in (names, names[::-1]):
        net, method = made(kind, order, network=network, **options)
        torch.manual_seed(1)
        train(net, method, optimizer_of(net, method), batches(sorted(names), 4, 8), epochs=2)
        results.append(state(net, method))
    assert furthest(*results) == 0
    assert all(value.isfinite().all() for value in results[0].values())


@ONCE
def test_micro_batches_are_one_batch(key):
    kind, options = FORMS[key]
    results = []
    for micro in (1, 3):
        net, method = made(kind, **options)
        optimizer = optimizer_of(net, method)
        for inputs, target in batches(NAMES, 6, 16):
            optimizer.zero_grad()
            for rows in torch.arange(16).chunk(micro):
                step = stepped(net, method, {n: x[rows] for n, x in inputs.items()}, target[rows])
                total = method.objective(functional.cross_entropy(step.logits, target[rows]), step)
                (total * (len(rows) / 16)).backward()
            method.modulate_(step)
            optimizer.step()
        results.append(state(net, method))
    assert furthest(*results) < 1e-9


@pytest.mark.parametrize("key", ["opm", "agm"])
def test_scores_are_the_whole_steps(key):
    """What is remembered after a step is the same with micro-batches, where none of them has been acted on yet."""
    remembered = []
    for micro in (1, 3):
        net, method = made(key)
        inputs, target = next(batches(NAMES, 1, 16))
        for rows in torch.arange(16).chunk(micro):
            step = stepped(net, method, {n: x[rows] for n, x in inputs.items()}, target[rows])
            method.objective(functional.cross_entropy(step.logits, target[rows]), step)
        method.modulate_(step)
        remembered.append({name: buffer.clone() for name, buffer in method.named_buffers()})
    assert furthest(*remembered) < 1e-7
    assert max(buffer.max() for buffer in remembered[0].values()) > 0


@EACH
def test_a_step_whose_samples_do_not_count_is_in_no_mean(key):
    kind, options = FORMS[key]
    records = []
    for lent in (False, True):
        net, method = made(kind, **options)
        (inputs, target), (others, theirs) = batches(NAMES, 2, 8)
        step = stepped(net, method, inputs, target)
        method.objective(functional.cross_entropy(step.logits, target), step).backward()
        if lent:
            method.objective(step.logits.sum(), replace(stepped(net, method, others, theirs), samples=0))
        records.append(method.modulate_(step))
    assert records[0] == records[1]


@EACH
def test_a_checkpoint_continues_bit_for_bit(key):
    """In the middle of the second epoch, where `start_epoch` is called again before the state is there."""
    kind, options = FORMS[key]
    data = list(batches(NAMES, 8, 8))

    def half(net, method, optimizer, steps, epoch):
        for inputs, target in steps:
            step = stepped(net, method, inputs, target, epoch=epoch)
            optimizer.zero_grad()
            method.backward(functional.cross_entropy(step.logits, target), step)
            optimizer.step()

    net, method = made(kind, **options)
    optimizer = optimizer_of(net, method)
    train(net, method, optimizer, data[:3])
    method.start_epoch(1)
    half(net, method, optimizer, data[3:5], 1)
    file = io.BytesIO()
    torch.save([*(part.state_dict() for part in (net, method, optimizer)), torch.get_rng_state()], file)
    half(net, method, optimizer, data[5:], 1)
    method.end_epoch(1)
    straight = state(net, method)

    net, method = made(kind, **options, seed=5)
    optimizer = optimizer_of(net, method)
    file.seek(0)
    *saved, random = torch.load(file, weights_only=True)
    method.start_epoch(1)
    for part, content in zip((net, method, optimizer), saved, strict=True):
        part.load_state_dict(content)
    torch.set_rng_state(random)
    half(net, method, optimizer, data[5:], 1)
    method.end_epoch(1)
    assert furthest(straight, state(net, method)) == 0


@EACH
@pytest.mark.parametrize("network", [Net, Concatenated])
def test_no_host_synchronisation(key, network):
    kind, options = FORMS[key]
    net, method = made(kind, network=network, **options)
    method.start_epoch(0)
    for inputs, target in batches(NAMES, 2, 8):
        with HostSync():
            gradients(net, method, inputs, target)


@EACH
def test_bfloat16_autocast(key):
    """Scores are taken in float32: they stay near the plain ones, and everything is finite."""
    kind, options = FORMS[key]
    records = []
    for enabled in (False, True):
        net, method = made(kind, dtype=torch.float32, **options)
        inputs, target = next(batches(NAMES, 1, 64, dtype=torch.float32))
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            step = stepped(net, method, inputs, target)
            total = method.objective(functional.cross_entropy(step.logits, target), step)
        total.backward()
        records.append(method.modulate_(step))
        assert all(p.grad.isfinite().all() for p in net.parameters())
    for name in NAMES:
        torch.testing.assert_close(records[0]["score"][name], records[1]["score"][name], rtol=0.02, atol=0.02)


@EACH
def test_gradient_scaler(key):
    kind, options = FORMS[key]
    results = []
    for enabled in (True, False):
        net, method = made(kind, **options)
        optimizer = optimizer_of(net, method)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16, enabled=enabled)
        torch.manual_seed(1)
        for inputs, target in batches(NAMES, 6, 8):
            step = stepped(net, method, inputs, target)
            optimizer.zero_grad()
            scaler.scale(method.objective(functional.cross_entropy(step.logits, target), step)).backward()
            scaler.unscale_(optimizer)
            method.modulate_(step)
            scaler.step(optimizer)
            scaler.update()
        results.append(state(net, method))
    assert furthest(*results) < 1e-9


@EACH
def test_equal_modalities_and_zero_gradients_stay_finite(key):
    """The same features for every modality, a head of zeros: equal scores, gradients of 0."""
    kind, options = FORMS[key]
    net, method = made(kind, network=Concatenated, **options)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    for inputs, target in batches(NAMES, 2, 8):
        record, found = gradients(net, method, dict.fromkeys(NAMES, inputs["a"]), target)
        assert all(g.isfinite().all() for own in found.values() for g in own)
        for value in record.values():
            assert all(each.isfinite() for each in value.values())
    score = record["score"]
    assert score["a"] == score["b"] == score["c"] or kind == "mlb"  # whose classifiers differ


@EACH
def test_refused(key):
    kind, options = FORMS[key]
    with pytest.raises(ValueError, match=r"at least 2( modalities)?$"):
        made(kind, ("a",), **options)
    if "form" in options:
        with pytest.raises(ValueError, match="form is 'cvpr22'; allowed: paper, released"):
            made(kind, form="cvpr22")
    net, method = made(kind, **options)
    inputs, target = next(batches(NAMES, 1, 4))
    step = stepped(net, method, inputs, target)
    with pytest.raises(RuntimeError, match="call them before backward"):
        method.modulate_(step)
    if kind != "mlb":
        alone = Step(step.features, step.fused, step.logits, target)
        with pytest.raises(ValueError, match=r"Step\(.*rerun=...\)"):
            method.objective(step.logits.sum(), alone)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("opm", {"q_base": 1.5}, "q_base is 1.5; allowed: 0 to 1"),
        ("opm", {"execute": -0.5}, "execute is -0.5; allowed: 0 to 1"),
        ("opm", {"lam": -1.0}, "lam is -1.0; allowed: at least 0"),
        ("agm", {"alpha": float("nan")}, "alpha is nan; allowed: at least 0"),
        ("agm", {"cap": -1.0}, "cap is -1.0; allowed: at least 0"),
        ("mlb", {"beta_max": 0.5}, "beta_max is 0.5; allowed: at least 1"),
        ("arl", {"temperature": -1.0}, "temperature is -1.0; allowed: at least 0"),
        ("arl", {"gamma": -1.0}, "gamma is -1.0; allowed: at least 0"),
        ("info_reg", {"beta": -1.0}, "beta is -1.0; allowed: at least 0"),
    ],
)
def test_refused_values(kind, options, message):
    with pytest.raises(ValueError, match=message):
        made(kind, **options)


def test_a_tally_is_emptied():
    tally = Tally()
    tally.add(torch.tensor([2.0, 4.0]), 2)
    tally.add(torch.tensor([9.0, float("nan")]), 0)
    tally.add(torch.tensor([1.0, 5.0]), torch.tensor(1))
    assert tally.means().tolist() == [1, 3]
    with pytest.raises(RuntimeError):
        tally.take()


def test_a_tally_is_of_all_processes(monkeypatch):
    """Another process with 6 samples beside our 2: sums and counts are averaged, so their quotient is the mean of 8."""

    def mean_(tensors):
        for tensor in tensors:
            tensor += torch.tensor([30.0, 6.0])
            tensor /= 2

    monkeypatch.setattr(_distributed, "mean_", mean_)
    tally = Tally()
    tally.add(torch.tensor([2.0]), 2)
    assert [value.tolist() for value in tally.sums()] == [[16], 4]
    assert tally.means().item() == 4
