"""The prepared form, written: Arrow files and a manifest, whole or not at all, the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from cggm_pipeline.data.columns import Column, column
from cggm_pipeline.data.layout import schema
from cggm_pipeline.data.manifest import SPLITS, File, Form, Manifest, Statistics
from cggm_pipeline.data.output import replaced
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources.base import Raw, Value
from cggm_pipeline.data.statistics import Moments
from cggm_pipeline.errors import DataError

CHUNK_BYTES = 16 * 2**20
CHUNK_ROWS = 65536


@dataclass(frozen=True)
class Content:
    """What is to be written. `target`: (n,) int64 class indices or (n, width) float32; `splits`: one per sample."""

    dataset: str
    raw: Raw
    forms: Mapping[str, Form]
    target: np.ndarray
    classes: Sequence[str]
    splits: Sequence[str]

    def members(self, split: str) -> np.ndarray:
        """The indices of the samples of a split, in the order of the raw data."""
        return np.flatnonzero(np.array(self.splits) == split)

    @property
    def gaps(self) -> Mapping[str, np.ndarray]:
        """For the modalities that some sample lacks: (n,) bool, True where it does."""
        return {
            name: self.raw.absent[name]
            for name in self.forms
            if name in self.raw.absent and self.raw.absent[name].any()
        }


def write(folder: Path, content: Content, advance: Callable[[int], None] = lambda _: None) -> Manifest:
    """Write a prepared folder; `advance` is told how many samples were done.

    Raises DataError with every sample that could not be read or is not as declared, where the disk is full, and where
    another process is writing the same folder. What stood at `folder` stays in each of these cases.
    """
    columns = {name: column(form) for name, form in content.forms.items()}
    stamps = {name: stamp(path) for name, path in content.raw.files.items()}
    raw = {name: File.of(path) for name, path in sorted(content.raw.files.items())}
    with replaced(folder) as temporary:
        moments = {name: Moments(form) for name, form in content.forms.items() if form.dtype != "text"}
        problems = Problems()
        for split in SPLITS:
            rows = _samples(content, columns, split, problems, moments if split == "train" else {}, advance)
            _write_split(temporary / f"{split}.arrow", content, columns, rows)
        problems.check()
        _unchanged(stamps, content.raw.files)
        manifest = _manifest(content, raw, {name: m.result() for name, m in moments.items()}, temporary)
        (temporary / "manifest.json").write_text(manifest.dump(), encoding="utf-8")
    return manifest


Row = tuple[int, Mapping[str, Value]]


def _samples(
    content: Content,
    columns: Mapping[str, Column],
    split: str,
    problems: Problems,
    moments: Mapping[str, Moments],
    advance: Callable[[int], None],
) -> Iterator[Row]:
    """Every sample of a split, checked; faults are noted, and the sample is left out (nothing is kept then)."""
    members = content.members(split)
    for index in members.tolist():
        advance(1)
        try:
            values = content.raw.sample(index, members)
        except ValueError as error:
            problems.add(content.raw.place(index), str(error))
            continue
        row: dict[str, Value] = {}
        for name, col in columns.items():
            try:
                row[name] = None if values[name] is None else col.checked(values[name])
            except ValueError as error:
                problems.add(content.raw.place(index), f"{name}: {error}")
                row[name] = None
        if problems.count:
            continue
        for name, moment in moments.items():
            if row[name] is not None:
                moment.add(columns[name].pixels(row[name]))
        yield index, row


def _write_split(path: Path, content: Content, columns: Mapping[str, Column], rows: Iterator[Row]) -> None:
    layout = schema(columns, list(content.gaps), 0 if content.classes else content.target.shape[1], content.dataset)
    with opened(path) as stream, pa.ipc.new_file(stream, layout) as file:
        for chunk in _chunks(rows):
            indices = np.array([index for index, _ in chunk])
            arrays = [pa.array([content.raw.ids[i] for i in indices]), _target(content.target[indices])]
            for name, col in columns.items():
                arrays.append(col.pack([row[name] for _, row in chunk]))
                if name in content.gaps:
                    arrays.append(pa.array(~content.gaps[name][indices]))
            file.write_batch(pa.RecordBatch.from_arrays(arrays, schema=layout))


def opened(path: Path) -> BinaryIO:
    """A new file; the one door through which samples reach the disk."""
    return path.open("wb")


def _target(target: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(target).reshape(-1))
    return flat if target.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, target.shape[1])


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows in pieces of about CHUNK_BYTES: a record batch each, so that no split need fit into memory."""
    chunk: list[Row] = []
    weight = 0
    for row in rows:
        chunk.append(row)
        weight += sum(value.nbytes if isinstance(value, np.ndarray) else len(value or b"") for value in row[1].values())
        if weight >= CHUNK_BYTES or len(chunk) == CHUNK_ROWS:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _unchanged(before: Mapping[str, tuple[int, int]], paths: Mapping[str, Path]) -> None:
    """The hashes were taken first and the samples read later: both must be of the same files."""
    changed = [name for name, path in paths.items() if stamp(path) != before[name]]
    if changed:
        raise DataError(f"raw files changed while they were read: {', '.join(changed[:10])}. Prepare again")


def _manifest(
    content: Content, raw: Mapping[str, File], statistics: Mapping[str, Statistics], folder: Path
) -> Manifest:
    members = {split: content.members(split) for split in SPLITS}
    number = len(content.classes)
    return Manifest(
        dataset=content.dataset,
        modalities=dict(content.forms),
        counts={split: len(indices) for split, indices in members.items()},
        absent={
            split: {name: int(gap[indices].sum()) for name, gap in content.gaps.items()}
            for split, indices in members.items()
        },
        classes=tuple(content.classes),
        width=0 if number else content.target.shape[1],
        class_counts={
            split: tuple(np.bincount(content.target[indices], minlength=number).tolist())
            for split, indices in members.items()
        }
        if number
        else {},
        statistics=statistics,
        raw=raw,
        files={f"{split}.arrow": File.of(folder / f"{split}.arrow") for split in SPLITS},
    )
