"""One training: a plain torch loop with three lines of cggm_pipeline.modulations in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from methods import Make
from real_data import Data
from sklearn.linear_model import RidgeClassifier
from small_networks import Network
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Protocol:
    """`clip` bounds the norm of the network's gradients after modulation, as in the paper's protocol."""

    epochs: int
    batch_size: int
    hidden: int | None = None
    lr: float = 1e-3
    clip: float = 0.8


PROTOCOLS: Mapping[str, Protocol] = {
    "digits_two_view": Protocol(epochs=30, batch_size=64),
    "mfeat": Protocol(epochs=40, batch_size=32),
    "avdigits": Protocol(epochs=20, batch_size=64),
    "digit_sums": Protocol(epochs=20, batch_size=64, hidden=64),
}


@dataclass(frozen=True)
class Outcome:
    """Accuracies of the epoch that is best on validation; `negative`: the share of the B_i below 0."""

    valid: float
    test: float
    probes: Mapping[str, float]
    negative: float


class Held:
    """One split as tensors."""

    def __init__(self, data: Data, split: str) -> None:
        self.inputs = {name: torch.from_numpy(values) for name, values in data.views[split].items()}
        self.target = torch.from_numpy(np.asarray(data.targets[split], dtype=np.int64))

    def rows(self, at: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        return {name: values[at] for name, values in self.inputs.items()}, self.target[at]


def run(data: Data, protocol: Protocol, make: Make, seed: int) -> Outcome:
    """Train, select on validation, look at the test split once."""
    train, valid, test = (Held(data, split) for split in ("train", "valid", "test"))
    shapes = {name: tuple(values.shape[1:]) for name, values in train.inputs.items()}
    network = Network(shapes, int(train.target.max()) + 1, hidden=protocol.hidden, seed=seed)
    method = make(network)
    optimizer = torch.optim.Adam([*network.parameters(), *method.parameters()], lr=protocol.lr)
    best, kept, factors = -1.0, network.state_dict(), []
    for epoch in range(protocol.epochs):
        order = torch.randperm(len(train.target), generator=torch.Generator().manual_seed(1000 * seed + epoch))
        for at in order.split(protocol.batch_size):
            step = network.step(*train.rows(at))
            optimizer.zero_grad()
            record = method.backward(functional.cross_entropy(step.logits, step.target), step)
            torch.nn.utils.clip_grad_norm_(network.parameters(), protocol.clip)
            optimizer.step()
            factors.append(torch.stack([*record["B"].values()]) if "B" in record else torch.ones(1))
        found = correct(network, valid)
        if found > best:
            best, kept = found, {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(kept)
    negative = (torch.stack(factors) < 0).double().mean().item()
    return Outcome(best, correct(network, test), probes(network, train, test), negative)


@torch.no_grad()
def correct(network: Network, held: Held) -> float:
    """The share of right classes."""
    return (network(held.inputs).argmax(1) == held.target).double().mean().item()


@torch.no_grad()
def probes(network: Network, train: Held, test: Held) -> dict[str, float]:
    """Test accuracy of a ridge classifier on each encoder's frozen features, fitted on the training split."""
    seen, unseen = network.features(train.inputs), network.features(test.inputs)
    return {
        name: float(RidgeClassifier().fit(seen[name], train.target).score(unseen[name], test.target))
        for name in network.names
    }
