"""Encoders from their specs: of an experiment's modalities, and of a dataset of features."""

from __future__ import annotations

from cggm_pipeline.build.place import at
from cggm_pipeline.build.seeding import drawn_from
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.encoders.base import Encoder, Shape
from cggm_pipeline.errors import BuildError
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.modality import Modality


def build_encoder(name: str, modality: Modality, data: str, dataset: Dataset, *, seed: int) -> Encoder:
    """The encoder of modality `name` over the dataset called `data`; its parameters are drawn from (seed, name).

    Raises BuildError with the spec key.
    """
    if name not in dataset.modalities:
        known = ", ".join(sorted(dataset.modalities))
        raise BuildError(f"modalities.{name}: dataset '{data}' has no modality '{name}' (it has: {known})")
    spec = modality.encoder
    shape = encoded_shape(modality, dataset.modalities[name].shape)
    with at(f"modalities.{name}.encoder"):
        if len(shape) not in spec.ranks:
            ranks = ", ".join(str(rank) for rank in sorted(spec.ranks))
            raise BuildError(f"{spec.kind} reads inputs of rank {ranks}, but '{name}' has shape {shape}")
        with drawn_from(seed, f"encoders.{name}"):
            encoder: Encoder = implementation(TABLES["encoders"][spec.kind])(shape, **spec.arguments())
    return encoder


def encoded_shape(modality: Modality, shape: Shape) -> Shape:
    """The shape that a modality's encoder reads: that of the data, after the transforms."""
    for transform in modality.transforms:
        shape = transform.shape(shape)
    return shape
