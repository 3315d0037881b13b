"""A small multimodal network and its classifiers, for the tests of the modulations."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import CGGM, OGMGE, NoModulation, Parts, Step, UnimodalLosses, accuracy

INPUTS, WIDTH, FUSED, CLASSES = 4, 5, 6, 3


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(WIDTH, FUSED), nn.Linear(FUSED, CLASSES)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


class Encoders(nn.Module):
    """nn.ModuleDict without its reserved names."""

    def __init__(self, modules):
        super().__init__()
        self._modules.update(modules)

    def __getitem__(self, name):
        return self._modules[name]

    def items(self):
        return self._modules.items()


class Net(nn.Module):
    def __init__(self, names):
        super().__init__()
        self.encoders = Encoders({n: nn.Sequential(nn.Linear(INPUTS, WIDTH), nn.Tanh()) for n in names})
        self.fusion, self.head = nn.Linear(WIDTH * len(names), FUSED), nn.Linear(FUSED, CLASSES)

    def fuse(self, features):
        return torch.tanh(self.fusion(torch.cat([features[n] for n in sorted(features)], 1)))

    def forward(self, inputs):
        features = {n: encoder(inputs[n]) for n, encoder in self.encoders.items()}
        fused = self.fuse(features)
        return features, fused, self.head(fused)


def batches(names, count, size, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        inputs = {n: torch.randn(size, INPUTS, generator=generator).to(dtype) for n in names}
        yield inputs, sum(inputs[n][:, :CLASSES] * (i + 1) for i, n in enumerate(sorted(names))).argmax(1)


def build(kind, names=("a", "b", "c"), dtype=torch.float64, seed=0, **options):
    """A network and a method, the same bits for the same seed, whatever the order of `names`."""
    torch.manual_seed(seed)
    net = Net(sorted(names))
    classifiers = {n: Classifier() for n in sorted(names)}
    net.encoders = Encoders({n: net.encoders[n] for n in names})
    classifiers = {n: classifiers[n] for n in names}
    parts = Parts(dict(net.encoders.items()))
    net.to(dtype)
    for classifier in classifiers.values():
        classifier.to(dtype)
    make = {
        "none": lambda: NoModulation(),
        "unimodal_losses": lambda: UnimodalLosses(classifiers, functional.cross_entropy, **options),
        "ogm_ge": lambda: OGMGE(parts, net.head, **options),
        "cggm": lambda: CGGM(parts, classifiers, net.head, functional.cross_entropy, accuracy, **options),
    }
    return net, make[kind]()


def step_of(net, inputs, target, outputs=None, **more):
    features, fused, logits = outputs or net(inputs)

    def rerun(zeroed):
        return net.head(net.fuse({n: f * (n not in zeroed) for n, f in features.items()}))

    return Step(features, fused, logits, target, rerun=rerun, **more)


def optimizer_of(net, method, lr=1e-2):
    groups = [{"params": list(net.parameters()), "lr": lr}]
    own = list(method.parameters())
    return torch.optim.Adam([*groups, {"params": own, "lr": lr / 2}] if own else groups)


def train(net, method, optimizer, data):
    """Plain steps; returns the records."""
    records = []
    for inputs, target in data:
        step = step_of(net, inputs, target)
        optimizer.zero_grad()
        records.append(method.backward(functional.cross_entropy(step.logits, target), step))
        optimizer.step()
    return records


def state(net, method):
    return {**{f"net.{k}": v for k, v in net.state_dict().items()}, **method.state_dict()}


def furthest(one, other):
    assert one.keys() == other.keys()
    return max((one[key].double() - other[key].double()).abs().max().item() for key in one)


ALL = {
    "none": ("none", {}),
    "unimodal_losses": ("unimodal_losses", {}),
    "ogm_ge": ("ogm_ge", {}),
    "ogm_ge-cvpr22": ("ogm_ge", {"form": "cvpr22"}),
    "cggm-paper": ("cggm", {"preset": "paper"}),
    "cggm-released": ("cggm", {"preset": "released"}),
    "cggm-stable": ("cggm", {"preset": "stable"}),
    "cggm-normalised": ("cggm", {"preset": "paper", "normalise": True}),
    "cggm-magnitude": ("cggm", {"preset": "paper", "lam": 0}),
    "cggm-direction": ("cggm", {"preset": "paper", "rho": None}),
}
