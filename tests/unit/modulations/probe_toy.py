"""Probes for the tests of methods that look at the network between two epochs."""

from __future__ import annotations

import torch
from modulation_toy import step_of

from cggm_pipeline.modulations import Step
from cggm_pipeline.modulations.base import Probe


class Given(Probe):
    """Steps that are written down: split to list of steps."""

    def __init__(self, epochs=10, **splits):
        self.epochs, self.splits, self.shares = epochs, splits, []

    def steps(self, split, share=1.0):
        self.shares.append(share)
        with torch.no_grad():
            yield from self.splits[split]

    def rehearse(self, method, epochs):
        raise AssertionError("nothing here is rehearsed")


class Looking(Given):
    """The network's own steps: split to list of (inputs, target)."""

    def __init__(self, net, epochs=10, **splits):
        super().__init__(epochs, **splits)
        self.net = net

    def steps(self, split, share=1.0):
        with torch.no_grad():
            yield from (step_of(self.net, inputs, target) for inputs, target in self.splits[split])


def worth(alone, together=0.0, without=None, size=4):
    """A step whose logits are all equal to a score: of each modality alone, without each, and of all together."""
    names, target = list(alone), torch.zeros(size, dtype=torch.long)

    def rerun(zeroed):
        left = [name for name in names if name not in zeroed]
        value = alone[left[0]] if len(left) == 1 else without[zeroed[0]]
        return torch.full((size, 3), value)

    features = {name: torch.full((size, 1), alone[name]) for name in names}
    return Step(features, torch.zeros(size, 7), torch.full((size, 3), together), target, rerun=rerun)


def mean_logit(logits, target):
    """Stands for a score or a loss: what `worth` has written into the logits."""
    return logits.mean()


def apply(optimizer, method):
    """An optimiser's step with each group's rate multiplied by what the method says, as the training loop does it."""
    rates, lrs = method.rates(), [group["lr"] for group in optimizer.param_groups]
    for group, lr in zip(optimizer.param_groups, lrs, strict=True):
        group["lr"] = lr * rates.get(group.get("modality"), 1.0)
    optimizer.step()
    for group, lr in zip(optimizer.param_groups, lrs, strict=True):
        group["lr"] = lr
