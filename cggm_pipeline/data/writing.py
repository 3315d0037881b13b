"""The prepared form, written: Arrow files and a manifest, whole or not at all, the same bytes each time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from cggm_pipeline.data import threads
from cggm_pipeline.data.columns import Column, column
from cggm_pipeline.data.content import Content
from cggm_pipeline.data.layout import mask_column, schema, target_type
from cggm_pipeline.data.manifest import SPLITS, File, Folder, Manifest, by_folder
from cggm_pipeline.data.output import replaced
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.progress import shown
from cggm_pipeline.data.reading import Sample, read
from cggm_pipeline.data.statistics import Moments
from cggm_pipeline.errors import DataError

__all__ = ["Content", "hashed", "write"]

CHUNK_BYTES = 16 * 2**20
CHUNK_ROWS = 65536


@dataclass
class Tally:
    """What is counted while samples pass: faults, moments of the training split, pixels per split and class."""

    moments: Mapping[str, Moments]
    problems: Problems = field(default_factory=Problems)
    pixels: dict[str, np.ndarray] = field(default_factory=dict)


def write(
    folder: Path,
    content: Content,
    advance: Callable[[int], None] = lambda _: None,
    note: Callable[[Mapping[str, File]], None] = lambda _: None,
) -> Manifest:
    """Write a prepared folder; `advance` is told how many samples were done, and `note` at the end every raw file.

    Samples are read by several threads; the bytes do not depend on their number, and memory holds a few units of the
    raw data, whatever their number. Raises DataError with every sample that could not be read or is not as declared,
    where the disk is full or has not the room, and where another process is writing the same folder. What stood at
    `folder` stays in each of these cases.
    """
    columns = {name: column(form) for name, form in content.forms.items()}
    with replaced(folder) as temporary:
        _check_room(temporary, content)
        stamps = np.array([stamp(path) for path in content.raw.files.values()])
        raw = hashed(content.raw.files)
        tally = Tally({name: Moments(form) for name, form in content.forms.items() if form.dtype != "text"})
        for split in SPLITS:
            with closing(_samples(content, columns, split, tally, advance)) as rows:
                _write_split(temporary / f"{split}.arrow", content, columns, rows)
        tally.problems.check()
        _unchanged(stamps, content.raw.files)
        manifest = _manifest(content, {**by_folder(raw), **content.origins}, tally, temporary)
        (temporary / "manifest.json").write_text(manifest.dump(), encoding="utf-8")
    note(raw)
    return manifest


def hashed(paths: Mapping[str, Path]) -> dict[str, File]:
    """Size and SHA-256 of files, by their names in order; several are read at a time."""
    names = sorted(paths)
    files = threads.in_order(lambda name: File.of(paths[name]), names)
    return dict(zip(names, shown(files, "hash raw files", len(names)), strict=True))


def _check_room(folder: Path, content: Content) -> None:
    needed, _ = content.estimate()
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder.parent}: error: the prepared data take at least {needed / 1e9:,.1f} GB, and the disk has "
            f"{free / 1e9:,.1f} GB left. Free some space, or declare a smaller dtype (float16) or fewer samples"
        )


def _samples(
    content: Content, columns: Mapping[str, Column], split: str, tally: Tally, advance: Callable[[int], None]
) -> Generator[Sample]:
    """Every sample of a split, counted; faults are noted, and the sample is left out (nothing is kept then)."""
    pixels = np.zeros(len(content.classes), np.int64)
    with closing(read(content, columns, split, measure=split == "train")) as samples:
        for sample in samples:
            advance(1)
            for fault in sample.faults:
                tally.problems.add(content.raw.place(sample.index), fault)
            if tally.problems.count:
                continue
            for name, part in sample.parts.items():
                tally.moments[name].merge(part)
            if sample.mask is not None:
                pixels += np.bincount(sample.mask.reshape(-1), minlength=len(pixels))
            yield sample
    tally.pixels[split] = pixels


def _write_split(path: Path, content: Content, columns: Mapping[str, Column], rows: Iterator[Sample]) -> None:
    groups = content.raw.groups
    kind = target_type(content.width, content.mask)
    layout = schema(columns, list(content.gaps), kind, content.dataset, grouped=groups is not None)
    with opened(path) as stream, pa.ipc.new_file(stream, layout) as file:
        for chunk in _chunks(rows):
            indices = np.array([sample.index for sample in chunk])
            arrays = [pa.array([content.raw.ids[i] for i in indices]), _target(content, chunk, indices)]
            if groups is not None:
                arrays.append(pa.array([groups[i] for i in indices], pa.utf8()))
            for name, col in columns.items():
                arrays.append(col.pack([sample.values[name] for sample in chunk]))
                if name in content.gaps:
                    arrays.append(pa.array(~content.gaps[name][indices]))
            file.write_batch(pa.RecordBatch.from_arrays(arrays, schema=layout))


def opened(path: Path) -> BinaryIO:
    """A new file; the one door through which samples reach the disk."""
    return path.open("wb")


def _target(content: Content, chunk: Sequence[Sample], indices: np.ndarray) -> pa.Array:
    if content.mask is not None:
        return mask_column(content.mask).pack([sample.mask for sample in chunk])
    assert content.target is not None
    target = content.target[indices]
    flat = pa.array(np.ascontiguousarray(target).reshape(-1))
    return flat if target.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, target.shape[1])


def _chunks(rows: Iterator[Sample]) -> Iterator[list[Sample]]:
    """Rows in pieces of about CHUNK_BYTES: a record batch each, so that no split need fit into memory."""
    chunk: list[Sample] = []
    weight = 0
    for row in rows:
        chunk.append(row)
        weight += row.weight
        if weight >= CHUNK_BYTES or len(chunk) == CHUNK_ROWS:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _unchanged(before: np.ndarray, paths: Mapping[str, Path]) -> None:
    """The hashes were taken first and the samples read later: both must be of the same files, stamped `before`."""
    pairs = zip(before.tolist(), paths.items(), strict=True)
    changed = [name for known, (name, path) in pairs if list(stamp(path)) != known]
    if changed:
        raise DataError(f"raw files changed while they were read: {', '.join(changed[:10])}. Prepare again")


def _manifest(content: Content, raw: Mapping[str, File | Folder], tally: Tally, folder: Path) -> Manifest:
    members = {split: content.members(split) for split in SPLITS}
    return Manifest(
        dataset=content.dataset,
        modalities=dict(content.forms),
        counts={split: len(indices) for split, indices in members.items()},
        absent={
            split: {name: int(gap[indices].sum()) for name, gap in content.gaps.items()}
            for split, indices in members.items()
        },
        classes=tuple(content.classes),
        width=content.width,
        class_counts={split: _counts(content, tally, split) for split in SPLITS} if content.classes else {},
        statistics={name: moments.result() for name, moments in tally.moments.items()},
        raw=raw,
        files={f"{split}.arrow": File.of(folder / f"{split}.arrow") for split in SPLITS},
        mask=content.mask,
        grouped=content.raw.groups is not None,
        banner=content.raw.banner,
    )


def _counts(content: Content, tally: Tally, split: str) -> tuple[int, ...]:
    """Samples per class, or pixels where the target is a mask."""
    if content.target is None:
        return tuple(tally.pixels[split].tolist())
    return tuple(np.bincount(content.target[content.members(split)], minlength=len(content.classes)).tolist())
