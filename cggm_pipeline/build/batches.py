"""Prepared data as batches: which modalities, which transforms, in memory or from disk."""

from __future__ import annotations

from math import prod

import numpy as np
import torch

from cggm_pipeline.build.transforms import build_augmentations, build_transforms
from cggm_pipeline.data.batches import Batches, Resident, Streamed
from cggm_pipeline.data.manifest import Form, Manifest
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.experiment import Experiment

RESIDENT_BYTES = 2**30
"""Splits up to this size are kept on the device; larger ones are streamed. Both give the same batches, bit for bit."""


def build_batches(
    experiment: Experiment,
    prepared: Prepared,
    split: str,
    *,
    device: torch.device | str = "cpu",
    statistics: Manifest | None = None,
) -> Batches:
    """One split with the modalities and transforms of an experiment, on `device`.

    `statistics`: whose training statistics `normalise` takes (null: the data's own; for new data: the trained run's).
    """
    known = prepared.manifest.modalities
    missing = [name for name in experiment.used() if name not in known]
    if missing:
        raise DataError(
            f"{prepared.folder}: error: the prepared data have no modality {', '.join(missing)} (they have "
            f"{', '.join(known)})\n  Prepare them again: `dvc repro prepare` or `cggm prepare {experiment.data}`"
        )
    manifest = statistics or prepared.manifest
    kind = Resident if _bytes(experiment, prepared, split) <= RESIDENT_BYTES else Streamed
    transforms = {name: build_transforms(experiment, name, manifest) for name in experiment.used()}
    return kind(
        prepared.split(split),
        modalities=list(experiment.used()),
        transforms=transforms,
        augment=build_augmentations(experiment),
        device=device,
    )


def _bytes(experiment: Experiment, prepared: Prepared, split: str) -> int:
    """About how much memory a split takes: what is on disk, or images of varying size as they are after their resize.

    Masks count, in both: a byte per pixel.
    """
    manifest = prepared.manifest
    sample = sum(_sample(experiment, name, manifest.modalities[name]) for name in experiment.used())
    sample += prod(manifest.mask) if manifest.mask else 0
    return max(manifest.files[f"{split}.arrow"].size, manifest.counts[split] * sample)


def _sample(experiment: Experiment, name: str, form: Form) -> int:
    sizes = [size for size in form.shape if size is not None]
    if form.image and len(sizes) < len(form.shape):
        resized = [spec.size for spec in experiment.modalities[name].transforms if spec.kind == "resize"]
        return 4 * (form.shape[0] or 0) * prod(resized[0]) if resized else 0
    return 0 if None in form.shape or form.dtype == "text" else prod(sizes) * np.dtype(form.dtype).itemsize
