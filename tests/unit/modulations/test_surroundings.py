"""What stands between computing and applying in a real loop: scalers, micro-batches, checkpoints, the device."""

from __future__ import annotations

import io

import pytest
import torch
from modulation_toy import ALL, batches, build, furthest, optimizer_of, state, step_of, train
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from cggm_pipeline.modulations import CGGM, Parts

NAMES = ("a", "b", "c")
EACH = pytest.mark.parametrize("key", ALL)


@EACH
def test_gradient_scaler(key):
    """Unscale before `modulate_`: within 1e-9 in float64 of the plain run after 10 steps."""
    kind, options = ALL[key]
    results = []
    for enabled in (True, False):
        net, method = build(kind, **options)
        optimizer = optimizer_of(net, method)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16, enabled=enabled)
        torch.manual_seed(1)
        for inputs, target in batches(NAMES, 10, 8):
            step = step_of(net, inputs, target)
            optimizer.zero_grad()
            scaler.scale(functional.cross_entropy(step.logits, target) + method.penalty(step)).backward()
            scaler.unscale_(optimizer)
            method.modulate_(step)
            torch.nn.utils.clip_grad_norm_(net.parameters(), 0.8)
            scaler.step(optimizer)
            scaler.update()
        results.append(state(net, method))
    assert furthest(*results) < 1e-9


@pytest.mark.parametrize(
    "key", ["none", "unimodal_losses", "ogm_ge", "cggm-magnitude", "cggm-released-magnitude", "cggm-stable-magnitude"]
)
def test_accumulation_equals_the_plain_step(key):
    """Micro-batches of 6, 6 and 4 samples are one batch of 16, for all methods that act once per step (lam = 0)."""
    more = {
        "ogm_ge": ("ogm_ge", {"noise": False}),
        "cggm-released-magnitude": ("cggm", {"preset": "released", "lam": 0}),
        "cggm-stable-magnitude": ("cggm", {"preset": "stable", "lam": 0}),
    }
    kind, options = {**ALL, **more}[key]
    results = []
    for micro in (1, 3):
        net, method = build(kind, **options)
        optimizer = optimizer_of(net, method)
        for inputs, target in batches(NAMES, 10, 16):
            optimizer.zero_grad()
            for rows in torch.arange(16).chunk(micro):
                step = step_of(net, {n: x[rows] for n, x in inputs.items()}, target[rows])
                total = functional.cross_entropy(step.logits, target[rows]) + method.penalty(step)
                (total * (len(rows) / 16)).backward()
            method.modulate_(step)
            optimizer.step()
        results.append(state(net, method))
    assert furthest(*results) < 1e-9


@pytest.mark.parametrize("preset", ["paper", "released", "stable"])
def test_accumulation_with_a_direction_term_runs(preset):
    """With lam > 0 the direction term is each micro-batch's own; eps and B are still the whole step's."""
    records = []
    for micro in (1, 2):
        net, method = build("cggm", preset=preset)
        inputs, target = next(batches(NAMES, 1, 16))
        for rows in torch.arange(16).chunk(micro):
            step = step_of(net, {n: x[rows] for n, x in inputs.items()}, target[rows])
            ((functional.cross_entropy(step.logits, target[rows]) + method.penalty(step)) / micro).backward()
        records.append(method.modulate_(step))
    for key in ("eps", "B"):
        for name in NAMES:
            torch.testing.assert_close(records[0][key][name], records[1][key][name], rtol=1e-12, atol=0)


@EACH
def test_a_checkpoint_continues_bit_for_bit(key):
    kind, options = ALL[key]
    data = list(batches(NAMES, 8, 8))
    net, method = build(kind, **options)
    optimizer = optimizer_of(net, method)
    train(net, method, optimizer, data[:4])
    file = io.BytesIO()
    parts = (net, method, optimizer)
    torch.save([*(part.state_dict() for part in parts), torch.get_rng_state()], file)
    train(net, method, optimizer, data[4:])
    straight = state(net, method)

    net, method = build(kind, **options, seed=5)
    optimizer = optimizer_of(net, method)
    file.seek(0)
    *saved, random = torch.load(file, weights_only=True)
    for part, content in zip((net, method, optimizer), saved, strict=True):
        part.load_state_dict(content)
    torch.set_rng_state(random)
    train(net, method, optimizer, data[4:])
    assert furthest(straight, state(net, method)) == 0


class HostSync(TorchDispatchMode):
    """Refuses what waits for the device: reading a number, or a shape that depends on numbers."""

    forbidden = ("_local_scalar_dense", "is_nonzero", "nonzero", "equal", "masked_select", "unique")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix("aten::")
        assert name not in self.forbidden, f"{name} waits for the device"
        return func(*args, **(kwargs or {}))


def test_the_watch_sees_a_host_synchronisation():
    for read in (torch.Tensor.item, bool, float, torch.nonzero):
        with pytest.raises(AssertionError, match="waits for the device"), HostSync():
            read(torch.ones(()))


@EACH
def test_no_host_synchronisation(key):
    kind, options = ALL[key]
    net, method = build(kind, **options)
    for inputs, target in batches(NAMES, 2, 8):
        step = step_of(net, inputs, target)
        with HostSync():
            method.backward(functional.cross_entropy(step.logits, target), step)


@EACH
def test_bfloat16_autocast(key):
    """Under autocast the direction term is computed in float32; coefficients and cosines stay near the plain ones."""
    kind, options = ALL[key]
    records = []
    for enabled in (False, True):
        net, method = build(kind, dtype=torch.float32, **options)
        inputs, target = next(batches(NAMES, 1, 64, dtype=torch.float32))
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            step = step_of(net, inputs, target)
            loss = functional.cross_entropy(step.logits, target) + method.penalty(step)
        loss.backward()
        records.append(method.modulate_(step))
        assert all(torch.isfinite(p.grad).all() for p in net.parameters())
    for name, cosine in records[0].get("cos", {}).items():
        assert abs(cosine - records[1]["cos"][name]) < 0.02


def test_scores_are_exact_under_autocast():
    """A score may be a mean in the dtype of the logits: those are never half precision."""
    net, method = build("cggm", dtype=torch.float32, preset="paper")
    score = lambda u, y: (u.argmax(1) == y).to(u.dtype).mean()  # noqa: E731
    method = CGGM(Parts(dict(net.encoders.items())), {n: method.classifiers[n] for n in NAMES}, net.head,
                  functional.cross_entropy, score, preset="paper")  # fmt: skip
    inputs, target = next(batches(NAMES, 1, 99, dtype=torch.float32))
    with torch.autocast("cpu", torch.bfloat16):
        step = step_of(net, inputs, target)
        method.penalty(step).backward()
    record = method.modulate_(step)
    for value in record["eps"].values():
        assert abs(value * 99 - (value * 99).round()) < 1e-4


def test_parts_are_checked():
    shared = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="'a' and 'b' share a parameter of shape"):
        Parts({"a": shared, "b": shared})
    with pytest.raises(ValueError, match="modality 'a' has no trainable parameter"):
        Parts({"a": torch.nn.ReLU()})
    frozen = torch.nn.Linear(2, 2).requires_grad_(False)
    with pytest.raises(ValueError, match="no trainable parameter"):
        Parts({"a": frozen})
    parts = Parts({"a": shared, "b": torch.nn.Linear(2, 3)})
    assert parts.gradient_norm("a").item() == 0
    shared(torch.ones(1, 2)).sum().backward()
    assert parts.gradient_norm("a").item() == pytest.approx(6**0.5)  # four ones and two ones
    parts.scale_({"a": torch.tensor(2.0), "b": torch.tensor(2.0)})
    assert shared.weight.grad.tolist() == [[2, 2], [2, 2]]
