"""How many tokens a modality's features have, for parts of a network that mix time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from cggm_pipeline.build.encoders import encoded_shape
from cggm_pipeline.build.place import at
from cggm_pipeline.encoders.base import Encoder
from cggm_pipeline.evaluation.predictors.plain import evaluating
from cggm_pipeline.layers.features import Input
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment

IDS = ("text", "int64")


class Lengths(Mapping[str, int | None]):
    """Tokens by modality: 1 for vectors; None for pyramids and where the data leave an axis open.

    A modality's tokens are counted when they are first asked for, by passing one sample of zeros through its encoder in
    evaluation mode and without a graph: whoever never asks pays nothing.
    """

    def __init__(self, encoders: Mapping[str, Encoder], experiment: Experiment, dataset: Dataset) -> None:
        self._encoders, self._experiment, self._dataset = encoders, experiment, dataset
        self._found: dict[str, int | None] = {}

    def __getitem__(self, name: str) -> int | None:
        if name not in self._found:
            self._found[name] = self._count(name, self._encoders[name])
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._encoders)

    def __len__(self) -> int:
        return len(self._encoders)

    def _count(self, name: str, encoder: Encoder) -> int | None:
        if encoder.layout != "tokens":
            return 1 if encoder.layout == "vector" else None
        form = self._dataset.modalities[name]
        shape = encoded_shape(self._experiment.modalities[name], form.shape)
        sizes = [size for size in shape if size is not None]
        if len(sizes) < len(shape):
            return None
        values = torch.zeros(1, *sizes, dtype=torch.int64 if form.dtype in IDS else torch.float32)
        with at(f"modalities.{name}.encoder"), evaluating(encoder):
            number: int = encoder(Input(values)).tensor.shape[1]
        return number
