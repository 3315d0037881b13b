"""The small networks of the ablation: an encoder per modality, a concatenation, one linear head."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from cggm_pipeline.modulations import Step

WIDTH = 32  # of a modality's features


class Classifier(nn.Module):
    """The per-modality classifier: a linear layer, behind a hidden one where the fusion has a hidden one."""

    def __init__(self, fused: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Identity() if fused == WIDTH else nn.Sequential(nn.Linear(WIDTH, fused), nn.ReLU())
        self.head = nn.Linear(fused, classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(self.body(features))


class Network(nn.Module):
    """Vectors get an MLP, images two convolutions. `hidden`: the width of a hidden layer in the fusion, or None.

    Initialised by `seed` alone, the same whatever the method.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], classes: int, *, hidden: int | None, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.names = sorted(shapes)
        self.encoders = nn.ModuleDict({name: encoder(shapes[name]) for name in self.names})
        width = WIDTH * len(shapes)
        self.fusion = nn.Identity() if hidden is None else nn.Sequential(nn.Linear(width, hidden), nn.ReLU())
        self.head = nn.Linear(hidden or width, classes)
        self.classifiers = {name: Classifier(hidden or WIDTH, classes) for name in self.names}
        self.blocks = {n: slice(i * WIDTH, (i + 1) * WIDTH) for i, n in enumerate(self.names)} if not hidden else None

    def features(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: self.encoders[name](inputs[name]) for name in self.names}

    def fuse(self, features: Mapping[str, Tensor]) -> Tensor:
        return self.fusion(torch.cat([features[name] for name in self.names], 1))

    def step(self, inputs: Mapping[str, Tensor], target: Tensor) -> Step:
        features = self.features(inputs)
        fused = self.fuse(features)

        def rerun(zeroed: Collection[str]) -> Tensor:
            kept = {n: torch.zeros_like(h) if n in zeroed else h for n, h in features.items()}
            return self.head(self.fuse(kept))

        return Step(features, fused, self.head(fused), target, blocks=self.blocks, rerun=rerun)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return self.head(self.fuse(self.features(inputs)))


def encoder(shape: tuple[int, ...]) -> nn.Module:
    """(B, *shape) -> (B, 32), not negative."""
    if len(shape) == 1:
        return nn.Sequential(nn.Linear(shape[0], 64), nn.ReLU(), nn.Linear(64, WIDTH), nn.ReLU())
    channels, height, width = shape
    flat = 16 * (height // 4) * (width // 4)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(flat, WIDTH), nn.ReLU(),
    )  # fmt: skip
