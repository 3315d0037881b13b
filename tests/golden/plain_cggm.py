"""CGGM written down once more, naively, from the equations: nothing here comes from the package.

Parameters are plain tensors in dicts, the optimiser is Adam as in its paper, every number that decides something is a
Python float, and the direction term goes through a true double backward pass over the whole network.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional


def encode(weights, name, x):
    hidden = torch.tanh(x @ weights[f"{name}.0"].T + weights[f"{name}.1"])
    return hidden @ weights[f"{name}.2"].T + weights[f"{name}.3"]


def network(weights, names, inputs):
    features = {name: encode(weights, name, inputs[name]) for name in names}
    fused = torch.tanh(torch.cat([features[name] for name in names], 1) @ weights["fusion.0"].T + weights["fusion.1"])
    return features, fused, fused @ weights["head.0"].T + weights["head.1"]


def classifier(weights, name, feature):
    hidden = torch.tanh(feature @ weights[f"{name}.0"].T + weights[f"{name}.1"])
    return hidden @ weights[f"{name}.2"].T + weights[f"{name}.3"]


def task_loss(task, logits, target):
    if task == "classification":
        return functional.cross_entropy(logits, target)
    return ((logits - target) ** 2).mean()


def task_score(task, logits, target):
    right = 0
    for row, truth in zip(logits.tolist(), target.tolist(), strict=True):
        if task == "classification":
            right += row.index(max(row)) == truth
        else:
            right += (row[0] > 0) == (truth[0] > 0)
    return right / len(target)


def cosine(a, b):
    return (a * b).sum() / ((a * a).sum().sqrt() * (b * b).sum().sqrt())


class Adam:
    def __init__(self, rate):
        self.rate, self.t, self.m, self.v = rate, 0, {}, {}

    def step(self, weights, gradients):
        self.t += 1
        for key, g in gradients.items():
            self.m[key] = 0.9 * self.m.get(key, 0) + 0.1 * g
            self.v[key] = 0.999 * self.v.get(key, 0) + 0.001 * g * g
            m, v = self.m[key] / (1 - 0.9**self.t), self.v[key] / (1 - 0.999**self.t)
            weights[key] = (weights[key] - self.rate * m / (v.sqrt() + 1e-8)).detach().requires_grad_()


def clipped(gradients, limit):
    norm = math.sqrt(sum((g * g).sum().item() for g in gradients.values()))
    return {key: g * min(1.0, limit / (norm + 1e-6)) for key, g in gradients.items()}


def train(weights, classifiers, names, batches, *, task, preset, rho, lam, clip=0.8):
    """Train; returns the weights of the network, of the classifiers, and per step all B and L_gm."""
    adam, own_adam = Adam(1e-2), Adam(5e-3)
    previous = dict.fromkeys(names, 0.0)
    late = torch.zeros_like(weights["head.0"])
    history = []
    for inputs, target in batches:
        features, _, logits = network(weights, names, inputs)
        loss = task_loss(task, logits, target)

        own_logits = {name: classifier(classifiers, name, features[name].detach()) for name in names}
        own_losses = {name: task_loss(task, own_logits[name], target) for name in names}

        score = {name: task_score(task, own_logits[name], target) for name in names}
        gain = {name: score[name] - previous[name] for name in names}
        total = sum(gain.values()) + 1e-8
        b = {name: (total - gain[name]) / total for name in names}
        previous = score

        if preset == "paper":
            g = torch.autograd.grad(loss, weights["head.0"], create_graph=True)[0]
            direction = 0
            for name in names:
                own = torch.autograd.grad(own_losses[name], classifiers[f"{name}.2"], retain_graph=True)[0]
                direction = direction + (abs(b[name]) - b[name] * cosine(g, own)) / len(names)
            loss = loss + lam * direction
        gradients = dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))
        if preset == "released":
            gradients["head.0"] = gradients["head.0"] + lam * late
            w = weights["head.0"].detach().clone().requires_grad_()
            direction = 0
            for name in names:
                own = classifiers[f"{name}.2"].detach()
                direction = direction + (abs(b[name]) - b[name] * cosine(w, own)) / len(names)
            late = torch.autograd.grad(direction, w)[0]

        history.append((b, direction.item()))
        for key in gradients:
            for name in names:
                if key.split(".")[0] == name:
                    gradients[key] = gradients[key] * (rho * b[name])
        own_total = sum(own_losses.values())
        own_gradients = dict(zip(classifiers, torch.autograd.grad(own_total, list(classifiers.values())), strict=True))
        own_adam.step(classifiers, own_gradients)
        adam.step(weights, clipped(gradients, clip))
    return weights, classifiers, history
