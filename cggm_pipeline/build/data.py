"""A dataset document to prepared data. The torch-free module of build: nothing here needs a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

import numpy as np

from cggm_pipeline.build.documents import prepared_folder
from cggm_pipeline.build.narration import counting, say
from cggm_pipeline.build.raw_files import changes, remember, remembered
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.data import pins, splits
from cggm_pipeline.data.manifest import File, Form
from cggm_pipeline.data.prepared import read_manifest
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources.base import Raw, Source
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.dataset import Dataset

SPLITS: Mapping[str, str] = {
    "published": "cggm_pipeline.data.splits:Published",
    "random": "cggm_pipeline.data.splits:Random",
    "stratified": "cggm_pipeline.data.splits:Stratified",
}
TARGETS: Mapping[str, str] = {
    "classes": "cggm_pipeline.data.targets:Classes",
    "values": "cggm_pipeline.data.targets:Values",
}


def pinned_split(name: str, root: Path) -> Path:
    """The committed file that says who is in which split."""
    return root / "specs" / "splits" / f"{name}.csv"


def prepare(dataset: Dataset, name: str, root: Path) -> Path:
    """Read the raw data, split them as pinned (or draw and pin), check them against the document, write them whole.

    Returns the prepared folder, data/prepared/NAME. Says on stderr what was done, and which raw files are not those of
    the last time. Raises DataError with every fault that was found; what stood in the folder stays then.
    """
    start = monotonic()
    problems = Problems()
    raw, forms = read_raw(dataset, name, root, problems)
    target, classes = implementation(TARGETS[dataset.target.kind])(**dataset.target.arguments()).encode(raw, problems)
    problems.check()
    split = pinned(dataset, name, root, raw, target, classes)
    folder = prepared_folder(name, root)
    with counting(f"prepare {name}", len(raw.ids)) as advance:
        manifest = write(folder, Content(name, raw, forms, target, classes, split), advance)
    before = remembered(name, root)
    for line in changes(before, manifest.raw) if before else ():
        say(f"  prepare {name}: raw file {line}")
    remember(manifest, root)
    number = f"{len(classes)} classes" if classes else f"{manifest.width} value(s)"
    say(f"  prepare {name}: {len(raw.ids):,} samples, {len(forms)} modalities, {number}  {monotonic() - start:.0f} s")
    return folder


def check_raw(dataset: Dataset, name: str, root: Path) -> list[str]:
    """Hash the raw files again and say which are not those that the prepared data were made from.

    Raises DataError where nothing was prepared yet, or the raw data cannot be read at all.
    """
    manifest = read_manifest(prepared_folder(name, root))
    raw, _ = read_raw(dataset, name, root, Problems())
    return changes(manifest.raw, {key: File.of(path) for key, path in raw.files.items()})


def read_raw(dataset: Dataset, name: str, root: Path, problems: Problems) -> tuple[Raw, dict[str, Form]]:
    """The source's index of the raw data, and the declared form of each modality. Raises DataError."""
    forms = {key: Form(shape.shape, shape.dtype) for key, shape in dataset.modalities.items()}
    source: Source = implementation(TABLES["sources"][dataset.source.kind])(**dataset.source.arguments())
    if set(forms) != set(source.modalities):
        raise DataError(
            f"dataset {name}: it declares the modalities {', '.join(forms)}; "
            f"its source has {', '.join(source.modalities)}"
        )
    try:
        return source.read(root, forms, problems), forms
    except DataError as error:
        raise DataError(
            f"specs/datasets/{name}.yaml: {error}" if str(error).startswith("source.") else str(error)
        ) from None


def pinned(dataset: Dataset, name: str, root: Path, raw: Raw, target: np.ndarray, classes: Sequence[str]) -> list[str]:
    """The split of every sample, from the pinned file; where there is none yet, it is drawn and pinned."""
    split: splits.Split = implementation(SPLITS[dataset.split.kind])(**dataset.split.arguments())
    path = pinned_split(name, root)
    if not path.exists():
        drawn = split.draw(raw.ids, target, raw.splits)
        splits.check(raw.ids, drawn, target, classes)
        pins.write(path, split, raw.ids, drawn)
    found = pins.read(path, split, raw.ids)
    splits.check(raw.ids, found, target, classes)
    if isinstance(split, splits.Published):
        _as_published(path, split, raw, found)
    return found


def _as_published(path: Path, split: splits.Published, raw: Raw, found: list[str]) -> None:
    """DataError where the pinned file moved a sample that the source had put elsewhere."""
    published = raw.splits or [""] * len(found)
    cut = set() if split.valid is None else {("train", "valid")}
    moved = [
        f"{key} ({there} published, {here} pinned)"
        for key, there, here in zip(raw.ids, published, found, strict=True)
        if there != here and (there, here) not in cut
    ]
    if moved:
        raise DataError(
            f"{path}: error: {len(moved):,} samples are in another split than the source publishes: "
            f"{', '.join(moved[:5])}\n  Delete {path.name} to take over the published split (results will change)"
        )
