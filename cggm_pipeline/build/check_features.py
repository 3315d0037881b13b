"""Does a dataset of features become what it declares? Checked on the meta device: shapes and names, no data."""

from __future__ import annotations

import torch

from cggm_pipeline.build.check import fake, shapes_meet
from cggm_pipeline.build.encoders import build_encoder
from cggm_pipeline.build.place import at
from cggm_pipeline.errors import BuildError
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.features import Features


def check_features(dataset: Dataset, source: Features, upstream: Dataset) -> str:
    """Build the encoders of a dataset of features on the meta device and pass one fake batch through each.

    Returns a line for each encoder with its number of parameters. Raises BuildError with the key that has to change.
    Hub weights are not fetched; weight files must exist, but are not read.
    """
    lines = []
    with at("source"), torch.device("meta"):
        for name, modality in source.modalities.items():
            encoder = build_encoder(name, modality, source.data, upstream, seed=0).eval()
            with at(f"modalities.{name}.encoder"), shapes_meet(), torch.no_grad():
                found = tuple(encoder(fake(modality, upstream.modalities[name])).tensor.shape[1:])
            declared = dataset.modalities[name].shape
            fits = len(found) == len(declared)
            if not fits or any(here not in (None, size) for size, here in zip(found, declared, strict=True)):
                raise BuildError(
                    f"modalities.{name}.encoder: its features have shape {list(found)}, modalities.{name}.shape says "
                    f"{[size if size is not None else 'null' for size in declared]}"
                )
            lines.append((f"encoders.{name}", sum(parameter.numel() for parameter in encoder.parameters())))
    wide = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{wide}}  {count:>13,}" for name, count in lines)
