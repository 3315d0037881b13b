"""A small problem with a distribution shift: two modalities, four classes, and target inputs that are moved."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from cggm_pipeline.data.input import Input
from cggm_pipeline.encoders.mlp import MLP
from cggm_pipeline.evaluation.predictors.plain import evaluating
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.fusions.concat import Concat
from cggm_pipeline.network import Network

NAMES = ("a", "b")
FEATURES, CLASSES = 8, 4


def small_network(*, seed=0, batch_norm=True, out=CLASSES, names=NAMES, hidden=16):
    """Encoders with normalisation (or none), a projection and a linear head."""
    torch.manual_seed(seed)
    encoders = {name: MLP((FEATURES,), hidden=[hidden, hidden], batch_norm=batch_norm) for name in names}
    widths = dict.fromkeys(names, hidden)
    return Network(encoders, Zeros(widths), Concat(widths, width=hidden), nn.Linear(hidden, out))


class Normed(nn.Module):
    """A fusion with layer normalisation, whose z is the normalised mean of the features."""

    blocks, subsets, dense = None, False, False

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, features):
        first = next(iter(features.values()))
        mean = torch.stack([features[name].tensor for name in sorted(features)]).mean(0)
        return first.map(lambda _: self.norm(mean))


def layer_normed(*, seed=0, out=CLASSES, names=NAMES, hidden=16):
    """A network without batch normalisation, whose normalisation is that of a layer."""
    torch.manual_seed(seed)
    encoders = {name: MLP((FEATURES,), hidden=[hidden]) for name in names}
    return Network(encoders, Zeros(dict.fromkeys(names, hidden)), Normed(hidden), nn.Linear(hidden, out))


def samples(number, *, seed, shift=0.0):
    """Inputs and classes; `shift`: how far every modality's inputs are moved, each along a direction of its own."""
    fixed, drawn = torch.Generator().manual_seed(99), torch.Generator().manual_seed(seed)
    centres = {name: 1.2 * torch.randn(CLASSES, FEATURES, generator=fixed) for name in NAMES}
    moves = {name: torch.randn(FEATURES, generator=fixed) for name in NAMES}
    target = torch.randint(CLASSES, (number,), generator=drawn)
    noise = {name: torch.randn(number, FEATURES, generator=drawn) for name in NAMES}
    return {name: Input(centres[name][target] + noise[name] + shift * moves[name]) for name in NAMES}, target


def cut(inputs, rows):
    """The inputs of these rows."""
    return {
        name: Input(given.values[rows], None, None if given.present is None else given.present[rows])
        for name, given in inputs.items()
    }


def batches(inputs, size):
    """Batches of inputs, in order."""
    number = len(next(iter(inputs.values())).values)
    return [cut(inputs, slice(first, first + size)) for first in range(0, number, size)]


def trained_network(*, steps=80, seed=0):
    """The small network after some steps on source data."""
    network = small_network(seed=seed)
    inputs, target = samples(512, seed=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for step in range(steps):
        rows = torch.arange(64 * step, 64 * step + 64) % 512
        optimizer.zero_grad()
        F.cross_entropy(network(cut(inputs, rows)).logits, target[rows]).backward()
        optimizer.step()
    network.zero_grad()
    return network


def asked(predictor, network, given):
    """The logits of each batch of one pass."""
    with evaluating(network):
        ask = predictor.open(network)
        return [ask(inputs) for inputs in given]


def accuracy(predictor, network, given, target):
    return (torch.cat(asked(predictor, network, given)).argmax(1) == target).double().mean().item()
