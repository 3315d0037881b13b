"""Prepared data as batches: which modalities, which transforms, in memory or from disk."""

from __future__ import annotations

from math import prod

import numpy as np
import torch

from cggm_pipeline.build.place import at
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.build.transforms import build_augmentations, build_transforms
from cggm_pipeline.data.batches import Batches, Resident, Streamed
from cggm_pipeline.data.gaps import Gaps
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
    seed: int | None = None,
    device: torch.device | str = "cpu",
    statistics: Manifest | None = None,
) -> Batches:
    """One split with the modalities, transforms and missing patterns of an experiment, on `device`.

    `seed`: of the run, from which the split's missing pattern is drawn (null: new data, which lack what they lack).
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
        gaps=None if seed is None else build_gaps(experiment, prepared, split, seed),
        device=device,
    )


def build_gaps(experiment: Experiment, prepared: Prepared, split: str, seed: int) -> Gaps:
    """What the samples of a split lack by the experiment's pattern for it."""
    spec = getattr(experiment.missing, split)
    with at(f"missing.{split}"):
        pattern = implementation(TABLES["patterns"][spec.kind])(list(experiment.used()), **spec.arguments())
    redraw = experiment.missing.redraw and split == "train"
    return Gaps(pattern, prepared.split(split), split, seed=seed, redraw=redraw)


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
