"""A dataset of features: another dataset behind frozen encoders, computed once and read from disk ever after."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from math import prod
from pathlib import Path
from time import monotonic

import numpy as np
import torch

from cggm_pipeline.build.documents import dataset_named, prepared_folder
from cggm_pipeline.build.encoders import build_encoder
from cggm_pipeline.build.frozen import Frozen, digest
from cggm_pipeline.build.narration import counting, say
from cggm_pipeline.build.place import at
from cggm_pipeline.build.raw_files import changes
from cggm_pipeline.build.transforms import build_transforms
from cggm_pipeline.data.batches import Streamed
from cggm_pipeline.data.manifest import SPLITS, File, Form
from cggm_pipeline.data.prepared import Prepared, read_manifest
from cggm_pipeline.data.upstream import upstream_files
from cggm_pipeline.data.writing import Content, hashed, write
from cggm_pipeline.encoders.base import Encoder
from cggm_pipeline.errors import BuildError, DataError
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.features import Features

SEED = 0
"""Of the weights that no file gives (pretrained: false)."""


def prepare(dataset: Dataset, name: str, root: Path, *, device: torch.device | str | None = None) -> Path:
    """Write data/prepared/NAME from data/prepared/UPSTREAM whole or not at all: same samples, splits, targets.

    `device`: where the encoders run; null: a GPU where there is one. Says on stderr how much disk it will take before
    it writes, and refuses where that does not fit. Raises DataError where the upstream is not prepared or a feature is
    not as declared (its shape, finite in its dtype), BuildError where an encoder cannot be built.
    """
    start = monotonic()
    source = _source(dataset)
    prepared = Prepared.open(prepared_folder(source.data, root))
    forms = {key: Form(shape.shape, shape.dtype) for key, shape in dataset.modalities.items()}
    folder = prepared_folder(name, root)
    _announce(name, source, prepared, forms, folder)
    encoders = _encoders(source, forms, root)
    origins = {f"encoders/{key}": digest(encoder) for key, encoder in encoders.items()}
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    raw = _behind(source, prepared, {key: encoder.to(place) for key, encoder in encoders.items()}, forms, place)
    with counting(f"features {name}", len(raw.ids)) as advance:
        write(folder, _content(name, raw, forms, origins), advance)
    say(f"  features {name}: {len(raw.ids):,} samples, {', '.join(forms)}, on {place}  {monotonic() - start:.0f} s")
    return folder


def check_raw(dataset: Dataset, name: str, root: Path) -> list[str]:
    """Hash the upstream's manifest and the encoders' weights again, and say which are not those of data/prepared/NAME.

    Raises DataError where nothing was prepared yet.
    """
    source = _source(dataset)
    manifest = read_manifest(prepared_folder(name, root))
    forms = {key: Form(shape.shape, shape.dtype) for key, shape in dataset.modalities.items()}
    upstream = prepared_folder(source.data, root)
    read_manifest(upstream)
    now = hashed(upstream_files(upstream))
    now |= {f"encoders/{key}": digest(encoder) for key, encoder in _encoders(source, forms, root).items()}
    return changes(manifest.raw, now)


def expected(source: Features, prepared: Prepared, forms: Mapping[str, Form]) -> dict[str, int | None]:
    """Bytes of each modality on disk: exact where its shape is fixed, at most where its length varies, or unknown."""
    samples = sum(prepared.manifest.counts.values())
    return {name: _bytes(source, prepared, name, form, samples) for name, form in forms.items()}


def _bytes(source: Features, prepared: Prepared, name: str, form: Form, samples: int) -> int | None:
    step = prod(size for size in form.shape if size is not None) * np.dtype(form.dtype).itemsize
    if None not in form.shape:
        return samples * step
    transforms, read = source.modalities[name].transforms, prepared.manifest.modalities[name]
    longest = [transform.max_length for transform in transforms if transform.kind in ("tokenise", "hash_words")]
    if longest:
        return samples * longest[0] * step
    if read.dtype == "text" or any(transform.shape(read.shape) != read.shape for transform in transforms):
        return None
    stored = sum(file.size for file in prepared.manifest.files.values())
    return stored // (prod(size for size in read.shape if size is not None) * np.dtype(read.dtype).itemsize) * step


def _announce(name: str, source: Features, prepared: Prepared, forms: Mapping[str, Form], folder: Path) -> None:
    """Say what is to be expected on disk. DataError where it does not fit."""
    sizes = expected(source, prepared, forms)
    there = next(path for path in folder.parents if path.exists())
    needed, free = sum(size or 0 for size in sizes.values()), shutil.disk_usage(there).free
    parts = [f"{key} {forms[key]}: {_said(size, forms[key])}" for key, size in sizes.items()]
    samples = sum(prepared.manifest.counts.values())
    say(f"  features {name}: {samples:,} samples; {'; '.join(parts)}; together {_gb(needed)}, free {_gb(free)}")
    if needed > free:
        raise DataError(
            f"{folder}: error: the features need up to {_gb(needed)}, and the disk has {_gb(free)} left\n  Free some "
            "space, or declare float16, or output: first (one token for each sample)"
        )


def _said(size: int | None, form: Form) -> str:
    if size is None:
        return "unknown before they are computed"
    return f"{'at most ' * (None in form.shape)}{_gb(size)}"


def _gb(size: int) -> str:
    scale, unit = next((step for step in ((1e9, "GB"), (1e6, "MB")) if size >= step[0] / 10), (1e3, "kB"))
    return f"{size / scale:,.1f} {unit}"


def _source(dataset: Dataset) -> Features:
    if not isinstance(dataset.source, Features):
        raise BuildError(f"source: {dataset.source.kind} is raw data; `stages/prepare.py` prepares them")
    return dataset.source


def _encoders(source: Features, forms: Mapping[str, Form], root: Path) -> dict[str, Encoder]:
    """The encoders in evaluation mode, on the CPU."""
    upstream = dataset_named(source.data, root)
    made: dict[str, Encoder] = {}
    with at("source"):
        for name in forms:
            encoder = build_encoder(name, source.modalities[name], source.data, upstream, seed=SEED)
            if encoder.layout == "pyramid" or encoder.widths[0] != forms[name].shape[-1]:
                raise BuildError(
                    f"modalities.{name}.encoder: it gives {encoder.layout} features of width {encoder.widths[0]}, but "
                    f"the dataset declares {forms[name]}"
                )
            made[name] = encoder.eval().requires_grad_(False)
    return made


def _behind(
    source: Features,
    prepared: Prepared,
    encoders: Mapping[str, Encoder],
    forms: Mapping[str, Form],
    device: torch.device,
) -> Frozen:
    with at("source"):
        transforms = {name: build_transforms(source, name, prepared.manifest) for name in encoders}
    batches = {
        split: Streamed(prepared.split(split), modalities=list(encoders), transforms=transforms, device=device)
        for split in SPLITS
    }
    return Frozen(prepared, encoders, batches, forms, batch_size=source.batch_size)


def _content(name: str, raw: Frozen, forms: Mapping[str, Form], origins: Mapping[str, File]) -> Content:
    manifest = raw.prepared.manifest
    whole = [raw.prepared.split(split) for split in SPLITS]
    target = None if manifest.mask else np.concatenate([split.target for split in whole])
    return Content(name, raw, forms, target, manifest.classes, raw.splits, mask=manifest.mask, origins=origins)
