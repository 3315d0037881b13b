"""A shifted dataset: another dataset with noise, written once and read like any other. Torch-free."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from cggm_pipeline.build.documents import prepared_folder
from cggm_pipeline.build.narration import counting, say
from cggm_pipeline.build.raw_files import changes
from cggm_pipeline.data.content import Content
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.prepared import Prepared, read_manifest
from cggm_pipeline.data.shifted import Shifted as Samples
from cggm_pipeline.data.upstream import upstream_files
from cggm_pipeline.data.writing import hashed, write
from cggm_pipeline.errors import BuildError, DataError
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.shifted import Shifted


def prepare(dataset: Dataset, name: str, root: Path) -> Path:
    """Write data/prepared/NAME from data/prepared/UPSTREAM whole or not at all: same samples, splits and targets.

    Raises DataError where the upstream is not prepared, or is not as the document declares it.
    """
    start = monotonic()
    source = _source(dataset)
    prepared = Prepared.open(prepared_folder(source.data, root))
    manifest = prepared.manifest
    forms = {key: Form(shape.shape, shape.dtype) for key, shape in dataset.modalities.items()}
    if forms != dict(manifest.modalities):
        raise DataError(
            f"specs/datasets/{name}.yaml: error: modalities are not those of data/prepared/{source.data} "
            f"(allowed: {', '.join(f'{key} {form}' for key, form in manifest.modalities.items())})"
        )
    raw = Samples(prepared, source.noise, source.seed, shuffle=source.shuffle)
    target = None if manifest.mask else raw.target
    folder = prepared_folder(name, root)
    with counting(f"shift {name}", len(raw.ids)) as advance:
        write(folder, Content(name, raw, forms, target, manifest.classes, raw.splits, mask=manifest.mask), advance)
    noise = ", ".join(f"{key} {level:g} sd" for key, level in source.noise.items())
    say(f"  shift {name}: {len(raw.ids):,} samples of {source.data}, noise: {noise}  {monotonic() - start:.0f} s")
    return folder


def check_raw(dataset: Dataset, name: str, root: Path) -> list[str]:
    """Hash the upstream's manifest again and say whether it is not the one that data/prepared/NAME was made from.

    Raises DataError where nothing was prepared yet.
    """
    source = _source(dataset)
    manifest = read_manifest(prepared_folder(name, root))
    upstream = prepared_folder(source.data, root)
    read_manifest(upstream)
    return changes(manifest.raw, hashed(upstream_files(upstream)))


def _source(dataset: Dataset) -> Shifted:
    if not isinstance(dataset.source, Shifted):
        raise BuildError(f"source: {dataset.source.kind} is no shifted dataset; `stages/prepare.py` prepares raw data")
    return dataset.source
