"""What CGGM promises beside its equations: what is off does nothing, what is asked wrongly is refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from modulation_toy import Classifier, batches, build, furthest, optimizer_of, state, step_of, train
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import CGGM, Parts, accuracy
from cggm_pipeline.modulations._paper import GainRatio

scores = st.lists(st.integers(0, 64).map(lambda k: k / 64), min_size=2, max_size=5)


@given(scores, st.data())
def test_sum_of_coefficients(first, data):
    """sum B_i = M - sum(d) / (sum(d) + 1e-8): M - 1, or M where sum(d) is exactly 0."""
    second = data.draw(st.lists(st.integers(0, 64).map(lambda k: k / 64), min_size=len(first), max_size=len(first)))
    ratio = GainRatio(len(first), torch.device("cpu"))
    ratio.advance_(torch.tensor(first, dtype=torch.float64), torch.tensor(0.5))
    found = ratio(torch.tensor(second, dtype=torch.float64))
    gain = sum(second) - sum(first)
    if gain == 0:
        assert found.sum().item() == pytest.approx(len(first), abs=1e-6)
    else:
        assert found.sum().item() == pytest.approx(len(first) - 1, abs=1e-6)


@given(scores)
def test_the_first_step_starts_from_zero(first):
    found = GainRatio(len(first), torch.device("cpu"))(torch.tensor(first, dtype=torch.float64))
    total = sum(first) + 1e-8
    assert found.tolist() == pytest.approx([(total - one) / total for one in first], rel=1e-9)


@pytest.mark.parametrize("preset", ["paper", "released", "stable"])
@settings(max_examples=10, deadline=None)
@given(names=st.permutations(["a", "b", "c", "d"]), seed=st.integers(0, 3))
def test_permutation_equivariance(preset, names, seed):
    """The order in which modalities are given changes no bit."""
    results = []
    for order in (sorted(names), names):
        net, method = build("cggm", order, seed=seed, preset=preset)
        train(net, method, optimizer_of(net, method), batches(sorted(names), 3, 8, seed=seed))
        results.append(state(net, method))
    assert furthest(*results) == 0


@pytest.mark.parametrize("preset", ["paper", "released", "stable"])
def test_rho_0_lam_0_leaves_the_encoders(preset):
    net, method = build("cggm", preset=preset, rho=0.0, lam=0.0)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    train(net, method, optimizer_of(net, method), batches("abc", 5, 8))
    after = net.state_dict()
    assert all(torch.equal(before[k], after[k]) == k.startswith("encoders") for k in before)


@pytest.mark.parametrize("preset", ["paper", "released", "stable"])
def test_rho_none_lam_0_is_none_bit_for_bit(preset):
    results = []
    for kind, options in (("none", {}), ("cggm", {"preset": preset, "rho": None, "lam": 0.0})):
        net, method = build(kind, **options)
        assert not list(method.parameters())
        train(net, method, optimizer_of(net, method), batches("abc", 5, 8))
        results.append(state(net, method))
    assert furthest(*results) == 0


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_classifiers_do_not_reach_the_encoders(preset):
    """rho None and a tiny lam: the encoders follow joint training, although classifiers train beside them."""
    results = []
    for kind, options in (("none", {}), ("cggm", {"preset": preset, "rho": None, "lam": 1e-300})):
        net, method = build(kind, **options)
        train(net, method, optimizer_of(net, method), batches("abc", 5, 8))
        results.append(net.state_dict())
    assert furthest(*results) < 1e-12


def test_stable_teaches_the_encoders_and_never_turns_them_round():
    net, method = build("cggm", preset="stable")
    records = train(net, method, optimizer_of(net, method), batches("abc", 20, 8))
    for record in records:
        assert all(0 < b.item() <= 1 for b in record["B"].values())
    net, method = build("cggm", preset="stable")
    train(net, method, optimizer_of(net, method), batches("abc", 9, 8))  # the first step has no score to go by
    net.zero_grad()
    inputs, target = next(batches("abc", 1, 8))
    method.penalty(step_of(net, inputs, target)).backward()
    assert all(p.grad.abs().sum() > 0 for p in net.encoders.parameters())


def test_stable_is_a_weighted_mean_of_joint_and_own_gradient():
    """grad(encoder i) = rho (B_i dL/dtheta_i + (1 - B_i) dL_i/dtheta_i), B and the guidance being the record's."""
    net, method = build("cggm", preset="stable", rho=1.2)
    optimizer = optimizer_of(net, method)
    data = list(batches("abc", 6, 16))
    train(net, method, optimizer, data[:5])
    step = step_of(net, *data[5])
    joint = functional.cross_entropy(step.logits, step.target)
    optimizer.zero_grad()
    expected = {}
    for name, encoder in net.encoders.items():
        own = functional.cross_entropy(method.classifiers[name](step.features[name]), step.target)
        expected[name] = [
            torch.autograd.grad(loss, list(encoder.parameters()), retain_graph=True) for loss in (joint, own)
        ]
    record = method.backward(joint, step)
    assert len({round(b.item(), 3) for b in record["B"].values()}) == 3
    for name, encoder in net.encoders.items():
        b = record["B"][name]
        assert b.item() == pytest.approx(1 / (1 + record["guidance"][name].item()))
        for parameter, whole, own in zip(encoder.parameters(), *expected[name], strict=True):
            torch.testing.assert_close(parameter.grad, 1.2 * (b * whole + (1 - b) * own))


def test_the_penalty_is_lam_l_gm_plus_the_classifiers_losses():
    net, method = build("cggm", preset="paper", lam=0.3)
    inputs, target = next(batches("abc", 1, 8))
    step = step_of(net, inputs, target)
    penalty = method.penalty(step)
    own = sum(functional.cross_entropy(method.classifiers[n](step.features[n]), target) for n in "abc")
    (functional.cross_entropy(step.logits, target) + penalty).backward()
    record = method.modulate_(step)
    assert penalty.item() == pytest.approx((0.3 * record["l_gm"] + own).item(), rel=1e-9)
    assert record["l_gm"] != 0


def test_the_released_penalty_holds_the_value_of_the_step_before():
    net, method = build("cggm", preset="released", lam=0.3, rho=None)
    data = list(batches("abc", 2, 8))
    (before,) = train(net, method, optimizer_of(net, method), data[:1])
    step = step_of(net, *data[1])
    own = sum(functional.cross_entropy(method.classifiers[n](step.features[n]), step.target) for n in "abc")
    assert method.penalty(step).item() == pytest.approx((0.3 * before["l_gm"] + own).item(), rel=1e-9)


def test_normalise_makes_neutral_one():
    results = []
    for normalise, rho in ((False, 1.5), (True, 1.0)):  # M = 3: M / (M - 1) = 1.5
        net, method = build("cggm", preset="paper", rho=rho, normalise=normalise)
        train(net, method, optimizer_of(net, method), batches("abc", 5, 8))
        results.append(state(net, method))
    assert furthest(*results) < 1e-9


def test_network_and_head_are_not_ours():
    net, method = build("cggm", preset="paper")
    ours = {id(p) for p in method.parameters()}
    assert not ours & {id(p) for p in net.parameters()}
    assert ours == {id(p) for n in "abc" for p in method.classifiers[n].parameters()}
    assert set(method.state_dict()) == {
        *(f"classifiers.{n}.{k}" for n in "abc" for k in Classifier().state_dict()),
        "coefficients.previous",
    }


ANY = ("type", "values", "keys", "training")


def test_any_name_can_be_a_modality():
    net, method = build("cggm", ANY, preset="paper")
    (record,) = train(net, method, optimizer_of(net, method), batches(ANY, 1, 8))
    assert set(record["B"]) == set(ANY)
    classifiers = method.classifiers
    assert not method.eval().classifiers.training
    assert not classifiers["training"].training
    assert method.train().classifiers["training"].training
    with pytest.raises(ValueError, match=r"'a.b' cannot name a modality"):
        make(names=["a.b", "c"], classifiers={"a.b": Classifier(), "c": Classifier()})


def test_record_is_complete_and_on_the_device():
    net, method = build("cggm", preset="paper")
    (record,) = train(net, method, optimizer_of(net, method), batches("abc", 1, 8))
    assert set(record) == {"eps", "B", "grad_norm", "cos", "l_gm"}
    for key in ("eps", "B", "grad_norm", "cos"):
        assert set(record[key]) == set("abc")
        assert all(isinstance(v, torch.Tensor) and v.ndim == 0 for v in record[key].values())


def make(**changes):
    parts = Parts({n: nn.Linear(4, 5) for n in changes.pop("names", "ab")})
    classifiers = changes.pop("classifiers", {n: Classifier() for n in "ab"})
    head = changes.pop("head", nn.Linear(6, 3))
    return CGGM(parts, classifiers, head, functional.cross_entropy, accuracy, **({"preset": "paper"} | changes))


class Headless(nn.Module):
    pass


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "plain"}, "preset is 'plain'; allowed: paper, released, stable"),
        ({"rho": -1.0}, "rho is -1.0, lam is 0.2; allowed: rho at least 0 or None"),
        ({"lam": -0.1}, "rho is 1.3, lam is -0.1; allowed"),
        ({"classifiers": {"a": Classifier()}}, r"parts has \['a', 'b'\], classifiers has \['a'\]"),
        ({"names": "a", "classifiers": {"a": Classifier()}}, "only 'a' was given; balancing needs at least 2"),
        ({"head": nn.Linear(6, 4)}, "classifier 'a' ends in 3 outputs, the head in 4"),
        ({"head": nn.Linear(9, 3)}, r"heads read {'a': 6, 'b': 6}, the head reads 9: each must read 9, or"),
        ({"head": nn.Conv2d(6, 3, 3)}, "allowed is a 1x1 convolution"),
        ({"head": nn.Conv2d(6, 3, 1, padding=1)}, "allowed is a 1x1 convolution"),
        ({"head": nn.ReLU()}, "head is ReLU; allowed is one nn.Linear or one 1x1 convolution"),
        (
            {"classifiers": {n: Headless() for n in "ab"}},
            r"the head of classifier 'a' is missing \(no attribute `head`\)",
        ),
    ],
)
def test_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_preset_has_no_default():
    with pytest.raises(TypeError, match="preset"):
        CGGM(Parts({"a": nn.Linear(1, 1)}), {}, nn.Linear(1, 1), functional.cross_entropy, accuracy)


def test_modulate_without_penalty_is_refused():
    net, method = build("cggm", preset="paper")
    inputs, target = next(batches("abc", 1, 8))
    with pytest.raises(RuntimeError, match="call penalty before backward"):
        method.modulate_(step_of(net, inputs, target))


def test_a_score_on_the_host_is_refused():
    net, method = build("cggm", preset="paper")
    method = CGGM(Parts(net.encoders), method.classifiers, net.head, functional.cross_entropy, lambda u, y: 0.5,
                  preset="paper")  # fmt: skip
    inputs, target = next(batches("abc", 1, 8))
    with pytest.raises(TypeError, match="must return a scalar tensor"):
        method.penalty(step_of(net, inputs, target))


def test_a_missing_modality_is_named():
    net, method = build("cggm", preset="paper")
    inputs, target = next(batches("abc", 1, 8))
    step = step_of(net, inputs, target)
    del step.features["b"]
    with pytest.raises(ValueError, match=r"step.features has \['a', 'c'\], but no 'b'"):
        method.penalty(step)


def test_a_gradient_of_zero_has_no_direction():
    """A perfect fit: g = 0. cos and slope are 0, nothing becomes infinite."""
    net, method = build("cggm", preset="paper")
    nn.init.zeros_(net.fusion.weight)
    nn.init.zeros_(net.fusion.bias)  # z = 0, so dL/dW = 0
    (record,) = train(net, method, optimizer_of(net, method), batches("abc", 1, 8))
    assert all(c.item() == 0 for c in record["cos"].values())
    assert all(torch.isfinite(v).all() for v in state(net, method).values())
