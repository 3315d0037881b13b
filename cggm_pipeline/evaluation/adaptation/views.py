"""The second view of contrastive adaptation: the same samples without one modality, which is drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random

import torch

from cggm_pipeline.data.batch import there
from cggm_pipeline.data.sampling import derived_seed
from cggm_pipeline.layers.features import Input


def drawn(
    modalities: Collection[str], *where: object, number: int = 1, drop: Mapping[str, float] | None = None
) -> list[str]:
    """Which modality each of `number` views lacks, from a generator of its own, seeded by `where` (seed, batch, ...).

    `drop`: how often each is drawn, in proportion, those that are not named never (None: all equally often). The order
    of the modalities does not matter.
    """
    names = sorted(modalities)
    weights = None if drop is None else [drop.get(name, 0.0) for name in names]
    return Random(derived_seed("drop", *where)).choices(names, weights, k=number)


def without(inputs: Mapping[str, Input], modality: str) -> dict[str, Input]:
    """The inputs where `modality` is absent, as it is in a sample that lacks it; who has no other modality keeps it."""
    others = torch.stack([there(given) for name, given in inputs.items() if name != modality]).any(0)
    return {**inputs, modality: inputs[modality].lacking(others)}
