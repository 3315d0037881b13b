"""OGM-GE against a value table worked out by hand, one line per case, and its gradients against the equations."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import OGMGE, Parts, Step
from cggm_pipeline.modulations.ogm_ge import ratio_to_others, slowing

TABLE = [
    # form       alpha  s_m                 r_m                    k_m
    ("cvpr22", 0.8, (3, 1), (3, 1 / 3), (0.016325142, 1)),  # 1 - tanh 2.4
    ("cvpr22", 0.1, (3, 1), (3, 1 / 3), (0.708687388, 1)),  # 1 - tanh 0.3
    ("cvpr22", 0.8, (1, 1), (1, 1), (1, 1)),  # nobody is ahead
    ("cvpr22", 0.0, (1, 2), (0.5, 2), (1, 1)),  # alpha 0 changes nothing
    ("cvpr22", 1.0, (4, 2, 1), (3, 1.25, 0.375), (0.004945246, 0.151716360, 1)),  # 1 - tanh 3, 1 - tanh 1.25
    ("tpami24", 0.8, (3, 1), (3, 1 / 3), (0.228777936, 1)),  # 1 - 0.8 tanh 2
    ("tpami24", 0.1, (3, 1), (3, 1 / 3), (0.903597242, 1)),  # 1 - 0.1 tanh 2
    ("tpami24", 0.8, (1, 1), (1, 1), (1, 1)),  # continuous at r = 1
    ("tpami24", 2.0, (3, 1), (3, 1 / 3), (0, 1)),  # 1 - 2 tanh 2 < 0: floor 0
    ("tpami24", 0.8, (4, 2, 1), (3, 1.25, 0.375), (0.228777936, 0.804065070, 1)),  # 1 - 0.8 tanh 0.25
    ("tpami24", 0.8, (1, 0), (math.inf, 0), (0.2, 1)),  # the other modality says nothing
]


@pytest.mark.parametrize(("form", "alpha", "mass", "ratio", "factor"), TABLE)
def test_value_table(form, alpha, mass, ratio, factor):
    found = ratio_to_others(torch.tensor(mass, dtype=torch.float64))
    if math.inf not in ratio:
        assert found.tolist() == pytest.approx(ratio, rel=1e-12)
    assert slowing(found, alpha, form).tolist() == pytest.approx(factor, abs=1e-9)


def network(fusion):
    torch.manual_seed(0)
    encoders = {"a": nn.Linear(4, 5).double(), "b": nn.Linear(3, 2).double()}
    head = nn.Linear(7 if fusion == "concat" else 6, 3).double()
    mix = nn.Identity() if fusion == "concat" else nn.Sequential(nn.Linear(7, 6), nn.Tanh()).double()
    x = {"a": torch.randn(9, 4).double(), "b": torch.randn(9, 3).double()}
    target = torch.randint(3, (9,))

    def logits(zeroed=()):
        features = {n: encoders[n](x[n]) * (n not in zeroed) for n in encoders}
        fused = mix(torch.cat(list(features.values()), 1))
        return features, fused, head(fused)

    return encoders, head, target, logits


@pytest.mark.parametrize("fusion", ["concat", "mixed"])
@pytest.mark.parametrize("form", ["cvpr22", "tpami24"])
def test_gradients(form, fusion):
    encoders, head, target, forward = network(fusion)
    features, fused, logits = forward()
    functional.cross_entropy(logits, target).backward()
    plain = {n: [p.grad.clone() for p in encoders[n].parameters()] for n in encoders}

    if fusion == "concat":
        place = {"a": slice(0, 5), "b": slice(5, 7)}
        own = {n: features[n] @ head.weight[:, place[n]].T + head.bias / 2 for n in encoders}
    else:
        own = {"a": forward({"b"})[2], "b": forward({"a"})[2]}
    s = {n: sum(own[n][i].softmax(0)[y].item() for i, y in enumerate(target.tolist())) for n in encoders}
    r = {"a": s["a"] / s["b"], "b": s["b"] / s["a"]}
    rule = {"cvpr22": lambda q: 1 - math.tanh(0.8 * q), "tpami24": lambda q: max(0, 1 - 0.8 * math.tanh(q - 1))}[form]
    k = {n: rule(q) if q > 1 else 1 for n, q in r.items()}
    assert min(k.values()) < 1

    ogm = OGMGE(Parts(encoders), head, alpha=0.8, form=form, noise=False)
    head.zero_grad()
    for encoder in encoders.values():
        encoder.zero_grad()
    features, fused, logits = forward()
    step = Step(features, fused, logits, target, rerun=lambda names: forward(names)[2])
    record = ogm.backward(functional.cross_entropy(logits, target), step)
    for n, encoder in encoders.items():
        assert record["factor"][n].item() == pytest.approx(k[n], rel=1e-6)
        for p, g in zip(encoder.parameters(), plain[n], strict=True):
            torch.testing.assert_close(p.grad, k[n] * g, rtol=1e-6, atol=1e-12)


def test_noise_has_each_tensors_own_deviation():
    """N(0, std(g)) with the std of the gradient before scaling, on every tensor, also where k = 1."""
    torch.manual_seed(0)
    encoders = {"a": nn.Linear(200, 100), "b": nn.Linear(200, 100)}
    head = nn.Linear(200, 2)
    ogm = OGMGE(Parts(encoders), head, alpha=0.8, form="tpami24")
    x, target = torch.randn(64, 200), torch.randint(2, (64,))

    def gradients(method):
        features = {"a": 5 * encoders["a"](x), "b": encoders["b"](x)}
        fused = torch.cat(list(features.values()), 1)
        for module in (*encoders.values(), head):
            module.zero_grad()
        logits = head(fused)
        record = method.backward(functional.cross_entropy(logits, target), Step(features, fused, logits, target))
        return record, {n: [p.grad.clone() for p in encoder.parameters()] for n, encoder in encoders.items()}

    _, plain = gradients(OGMGE(Parts(encoders), head, alpha=0.0, noise=False))
    record, noisy = gradients(ogm)
    for name in encoders:
        for g, n in zip(plain[name], noisy[name], strict=True):
            noise = n - record["factor"][name].float() * g
            assert noise.std().item() == pytest.approx(g.std().item(), rel=0.01 if g.ndim == 2 else 0.25)
            assert abs(noise.mean().item()) < 4 * g.std().item() / math.sqrt(g.numel())
