"""A dataset document to prepared data. The torch-free module of build: nothing here needs a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

import numpy as np

from cggm_pipeline.build.documents import prepared_folder
from cggm_pipeline.build.narration import counting, say
from cggm_pipeline.build.raw_files import changes, changes_since, note_left_out, remember, remembered
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.data import pins, splits
from cggm_pipeline.data.content import Content
from cggm_pipeline.data.manifest import File, Form
from cggm_pipeline.data.prepared import read_manifest
from cggm_pipeline.data.problems import SHOWN, Problems
from cggm_pipeline.data.sources.base import Raw, Source
from cggm_pipeline.data.targets import Target
from cggm_pipeline.data.units import Units, units
from cggm_pipeline.data.writing import hashed, write
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
    "mask": "cggm_pipeline.data.targets:Mask",
}
LARGE = 10**9
"""From this size on, in bytes, a person is told how much will be written."""


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
    kind: Target = implementation(TARGETS[dataset.target.kind])(**dataset.target.arguments())
    target, classes = kind.encode(raw, problems)
    problems.check()
    split = raw.kept(pinned(dataset, name, root, raw, target, classes))
    _say_left_out(raw, name, root)
    splits.check(raw.ids, split, target, classes)
    if target is not None and classes:
        target = raw.told(target, split, len(classes))
    content = Content(name, raw, forms, target, classes, split, kind.mask)
    folder, number = prepared_folder(name, root), sum(map(bool, split))
    _say_size(content)
    files: dict[str, File] = {}
    with counting(f"prepare {name}", number) as advance:
        manifest = write(folder, content, advance, files.update)
    for line in raw.notes:
        say(f"  prepare {name}: {line}")
    before = remembered(name, root)
    for line in changes(before, files) if before else ():
        say(f"  prepare {name}: raw file {line}")
    remember(name, files, root)
    what = f"{len(classes)} classes" if classes else f"{manifest.width} value{'s' * (manifest.width != 1)}"
    say(f"  prepare {name}: {number:,} samples, {len(forms)} modalities, {what}  {monotonic() - start:.0f} s")
    return folder


def _say_left_out(raw: Raw, name: str, root: Path) -> None:
    """Which damaged samples are in no split: never in silence."""
    if raw.left_out:
        path = note_left_out(raw.left_out, name, root).relative_to(root).as_posix()
        say(f"  prepare {name}: {len(raw.left_out):,} damaged samples are left out; all of them: {path}")
        for line in raw.left_out[:SHOWN]:
            say(f"    {line}")


def _say_size(content: Content) -> None:
    """How much will be written, where it is much: a person may want to stop it."""
    size, unknown = content.estimate()
    if size > LARGE:
        rest = f", and what {' and '.join(unknown)} takes (its size varies)" if unknown else ""
        say(f"  prepare {content.dataset}: about {size / 1e9:,.1f} GB on disk{rest}")


def check_raw(dataset: Dataset, name: str, root: Path) -> list[str]:
    """Hash the raw files again and say which are not those that the prepared data were made from.

    Raises DataError where nothing was prepared yet, or the raw data cannot be read at all.
    """
    manifest = read_manifest(prepared_folder(name, root))
    raw, _ = read_raw(dataset, name, root, Problems())
    return changes_since(manifest, remembered(name, root), hashed(raw.files))


def read_raw(dataset: Dataset, name: str, root: Path, problems: Problems) -> tuple[Raw, dict[str, Form]]:
    """The source's index of the raw data, and the declared form of each modality. Raises DataError."""
    _present(dataset, name, root)
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
            f"specs/datasets/{name}.yaml: {error}" if str(error).startswith(("source.", "modalities.")) else str(error)
        ) from None


def _present(dataset: Dataset, name: str, root: Path) -> None:
    """DataError where published raw data were not fetched yet, saying where they are and how to get them."""
    for path in dataset.source.raw_paths():
        guidance = dataset.source.guidance(name)
        if guidance and not (root / path).exists():
            raise DataError(f"specs/datasets/{name}.yaml: error: source.path: {path} does not exist\n{guidance}")


def pinned(
    dataset: Dataset, name: str, root: Path, raw: Raw, target: np.ndarray | None, classes: Sequence[str]
) -> list[str]:
    """The split of every sample, from the pinned file; where there is none yet, it is drawn and pinned.

    Where samples have groups, the groups are drawn and pinned, and a sample is where its group is.
    """
    split: splits.Split = implementation(SPLITS[dataset.split.kind])(**dataset.split.arguments())
    path, whole = pinned_split(name, root), units(raw.ids, raw.groups, target, raw.splits)
    if not path.exists():
        drawn = split.draw(whole.keys, whole.target, whole.published)
        splits.check(raw.ids, whole.spread(drawn), target, classes)
        pins.write(path, split, whole.keys, drawn)
    found = pins.read(path, split, whole.keys)
    splits.check(raw.ids, whole.spread(found), target, classes)
    if isinstance(split, splits.Published):
        _as_published(path, split, whole, found)
    return whole.spread(found)


def _as_published(path: Path, split: splits.Published, whole: Units, found: list[str]) -> None:
    """DataError where the pinned file moved a sample (or group) that the source had put elsewhere."""
    published = whole.published or [""] * len(found)
    cut = set() if split.valid is None else {("train", "valid")}
    moved = [
        f"{key} ({there} published, {here} pinned)"
        for key, there, here in zip(whole.keys, published, found, strict=True)
        if there != here and (there, here) not in cut
    ]
    if moved:
        raise DataError(
            f"{path}: error: {len(moved):,} samples are in another split than the source publishes: "
            f"{', '.join(moved[:5])}\n  Delete {path.name} to take over the published split (results will change)"
        )
