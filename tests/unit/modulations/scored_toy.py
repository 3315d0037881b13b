"""OPM, AGM, MLB, ARL and InfoReg on the small network, for their tests."""

from __future__ import annotations

import torch
from modulation_toy import Classifier, Encoders, Net, step_of
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import AGM, ARL, MLB, OPM, InfoReg, Parts

MAKE = {
    "opm": lambda parts, head, classifiers, **options: OPM(parts, head, **options),
    "agm": lambda parts, head, classifiers, **options: AGM(parts, functional.cross_entropy, **options),
    "mlb": lambda parts, head, classifiers, **options: MLB(parts, classifiers, functional.cross_entropy, **options),
    "arl": lambda parts, head, classifiers, **options: ARL(parts, head, functional.cross_entropy, **options),
    "info_reg": lambda parts, head, classifiers, **options: InfoReg(parts, head, functional.cross_entropy, **options),
}
FORMS = {
    "opm": ("opm", {}),
    "agm": ("agm", {}),
    "mlb": ("mlb", {}),
    "arl": ("arl", {}),
    "arl-released": ("arl", {"form": "released"}),
    "info_reg": ("info_reg", {}),
    "info_reg-released": ("info_reg", {"form": "released", "beta": 0.95}),
}


class Concatenated(Net):
    """z is the concatenation of the features, so that the head has a block for each modality."""

    def __init__(self, names):
        super().__init__(names)
        self.head, self.fusion = nn.Linear(sum(e[0].out_features for _, e in self.encoders.items()), 3), nn.Identity()

    def fuse(self, features):
        return torch.cat([features[n] for n in sorted(features)], 1)


def made(kind, names=("a", "b", "c"), dtype=torch.float64, seed=0, network=Net, **options):
    """A network and a method, the same bits for the same seed, whatever the order of `names`."""
    torch.manual_seed(seed)
    net = network(sorted(names)).to(dtype)
    classifiers = {n: Classifier().to(dtype) for n in sorted(names)}
    net.encoders = Encoders({n: net.encoders[n] for n in names})
    parts = Parts(dict(net.encoders.items()))
    return net, MAKE[kind](parts, net.head, {n: classifiers[n] for n in names}, **options)


def stepped(net, method, inputs, target, **more):
    """The step of one forward pass with the method's mask."""
    features = method.mask({n: encoder(inputs[n]) for n, encoder in sorted(net.encoders.items())})
    fused = net.fuse(features)
    return step_of(net, inputs, target, outputs=(features, fused, net.head(fused)), **more)


def train(net, method, optimizer, data, epochs=1):
    """Plain steps in epochs of equal length; the records."""
    data, records = list(data), []
    length = max(1, len(data) // epochs)
    for epoch, start in enumerate(range(0, len(data), length)):
        method.start_epoch(epoch)
        for inputs, target in data[start : start + length]:
            step = stepped(net, method, inputs, target, epoch=epoch)
            optimizer.zero_grad()
            records.append(method.backward(functional.cross_entropy(step.logits, target), step))
            optimizer.step()
        method.end_epoch(epoch)
    return records


def gradients(net, method, inputs, target, **more):
    """(record, each encoder's gradients) of one step."""
    step = stepped(net, method, inputs, target, **more)
    net.zero_grad()
    record = method.backward(functional.cross_entropy(step.logits, target), step)
    return record, {n: [p.grad.clone() for p in encoder.parameters()] for n, encoder in net.encoders.items()}
