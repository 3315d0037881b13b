"""Forty Adam steps of CGGM against a plain restatement of the equations: every parameter within 1e-6 in float64."""

from __future__ import annotations

import plain_cggm
import pytest
import torch
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import CGGM, Parts, Step, accuracy, sign_accuracy

WIDTH, CLASSES, BATCH, STEPS = 6, 3, 12, 40


class Encoder(nn.Sequential):
    def __init__(self, inputs):
        super().__init__(nn.Linear(inputs, 7), nn.Tanh(), nn.Linear(7, WIDTH))


class Classifier(nn.Module):
    def __init__(self, outputs, fused):
        super().__init__()
        self.body, self.head = nn.Linear(WIDTH, fused), nn.Linear(fused, outputs)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


class Net(nn.Module):
    def __init__(self, names, outputs, fused=8):
        super().__init__()
        self.encoders = nn.ModuleDict({name: Encoder(3 + i) for i, name in enumerate(names)})
        self.fusion, self.head = nn.Linear(WIDTH * len(names), fused), nn.Linear(fused, outputs)

    def forward(self, inputs):
        features = {name: encoder(inputs[name]) for name, encoder in self.encoders.items()}
        fused = torch.tanh(self.fusion(torch.cat(list(features.values()), 1)))
        return features, fused, self.head(fused)


def data(names, task, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        inputs = {name: torch.randn(BATCH, 3 + i, generator=generator).double() for i, name in enumerate(names)}
        signal = sum(x[:, :3] * (0.5 + i) for i, x in enumerate(inputs.values()))
        yield inputs, (signal.argmax(1) if task == "classification" else signal[:, :1])


def plain(module, prefix=""):
    return {f"{prefix}{i}": p.detach().clone().requires_grad_() for i, p in enumerate(module.parameters())}


def as_plain(net, classifiers):
    weights = {}
    for name, encoder in net.encoders.items():
        weights |= plain(encoder, f"{name}.")
    weights |= plain(net.fusion, "fusion.") | plain(net.head, "head.")
    own = {}
    for name, classifier in classifiers.items():
        own |= plain(classifier, f"{name}.")
    return weights, own


@pytest.mark.parametrize("preset", ["paper", "released"])
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("modalities", [2, 3, 4])
def test_forty_steps(modalities, task, preset):
    torch.manual_seed(modalities)
    names = ["audio", "image", "text", "video"][:modalities]
    outputs = CLASSES if task == "classification" else 1
    net = Net(names, outputs).double()
    classifiers = {name: Classifier(outputs, 8).double() for name in names}
    weights, own = as_plain(net, classifiers)
    batches = list(data(names, task, seed=10 * modalities))
    weights, own, history = plain_cggm.train(weights, own, names, batches, task=task, preset=preset, rho=1.3, lam=0.2)

    loss_of = functional.cross_entropy if task == "classification" else functional.mse_loss
    score = accuracy if task == "classification" else sign_accuracy
    cggm = CGGM(Parts(net.encoders), classifiers, net.head, loss_of, score, preset=preset, rho=1.3, lam=0.2)
    adam = torch.optim.Adam([{"params": net.parameters(), "lr": 1e-2}, {"params": cggm.parameters(), "lr": 5e-3}])
    for (inputs, target), (expected, direction) in zip(batches, history, strict=True):
        features, fused, logits = net(inputs)
        adam.zero_grad()
        record = cggm.backward(loss_of(logits, target), Step(features, fused, logits, target))
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.8)
        adam.step()
        for name in names:
            assert record["B"][name].item() == pytest.approx(expected[name], rel=1e-6)
        assert record["l_gm"].item() == pytest.approx(direction, rel=1e-6)

    assert any(b < 0 for step, _ in history for b in step.values())  # the hard steps are among them
    assert any(abs(b) > 1e5 for step, _ in history for b in step.values())
    found, found_own = as_plain(net, classifiers)
    for key, value in weights.items():
        assert (found[key] - value).abs().max() < 1e-6, key
    for key, value in own.items():
        assert (found_own[key] - value).abs().max() < 1e-6, key
