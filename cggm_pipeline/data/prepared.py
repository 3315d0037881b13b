"""The prepared form, read: memory-mapped Arrow files beside a manifest. Needs neither torch nor specs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cggm_pipeline.data.columns import Column, column
from cggm_pipeline.data.layout import mask_column, schema, target_type
from cggm_pipeline.data.manifest import SPLITS, File, Form, Manifest
from cggm_pipeline.errors import DataError

__all__ = ["Form", "Manifest", "Prepared", "Split"]


class Split:
    """The samples of one split, by position 0 <= i < len. Arrays stay on disk until they are taken.

    `mask`: (H, W) where the target is a class per pixel.
    """

    def __init__(
        self,
        batches: Sequence[pa.RecordBatch],
        columns: Mapping[str, Column],
        gaps: Sequence[str],
        mask: tuple[int, int] | None = None,
    ) -> None:
        self._batches = batches
        self.columns = dict(columns)
        self._gaps = frozenset(gaps)
        self._starts = np.concatenate([[0], np.cumsum([len(batch) for batch in batches])]).astype(np.int64)
        self._chunks = {name: [col.chunk(b.column(name)) for b in batches] for name, col in columns.items()}
        self._masks = None if mask is None else mask_column(mask)
        if self._masks is not None:
            self._mask_chunks = [self._masks.chunk(batch.column("target")) for batch in batches]

    def __len__(self) -> int:
        return int(self._starts[-1])

    @cached_property
    def ids(self) -> list[str]:
        """The samples' ids."""
        return [key for batch in self._batches for key in batch.column("id").to_pylist()]

    @cached_property
    def groups(self) -> list[str] | None:
        """The group of every sample, those of a group one after the other; None where the data have no groups."""
        if not self._batches or "group" not in self._batches[0].schema.names:
            return None
        return [key for batch in self._batches for key in batch.column("group").to_pylist()]

    def targets(self, indices: np.ndarray | Sequence[int]) -> np.ndarray:
        """The targets of these samples: (B,) int64 class indices, (B, width) float32, or (B, H, W) uint8 masks."""
        if self._masks is None:
            targets: np.ndarray = self.target[self._rows(indices)]
            return targets
        return np.asarray(self._picked(self._masks, self._mask_chunks, self._rows(indices)))

    @cached_property
    def target(self) -> np.ndarray:
        """The targets of all samples; masks stay on disk, ask `targets` for them."""
        if self._masks is not None:
            raise TypeError("masks are not kept in memory; Split.targets(rows) reads them")
        arrays = [batch.column("target") for batch in self._batches]
        return np.concatenate(
            [
                a.flatten().to_numpy().reshape(len(a), -1) if pa.types.is_fixed_size_list(a.type) else a.to_numpy()
                for a in arrays
            ]
        )

    def present(self, name: str) -> np.ndarray | None:
        """(n,) bool, False where a sample lacks the modality; None where the data set has no such gap."""
        if name not in self._gaps:
            return None
        return np.concatenate([b.column(f"{name}.present").to_numpy(zero_copy_only=False) for b in self._batches])

    def take(self, name: str, indices: np.ndarray | Sequence[int]) -> np.ndarray | list[np.ndarray]:
        """The values of these samples: (B, *shape), or where sizes vary a list of arrays.

        Text comes as its UTF-8 bytes, (T,) uint8; images of varying size are decoded, (C, H, W) uint8. A sample that
        lacks the modality has zeros (one step, one pixel).
        """
        return self._picked(self.columns[name], self._chunks[name], self._rows(indices))

    def _rows(self, indices: np.ndarray | Sequence[int]) -> np.ndarray:
        rows = np.asarray(indices, np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"positions {rows.min()} to {rows.max()} of a split of {len(self)}")
        return rows

    def _picked(self, col: Column, chunks: Sequence[Any], rows: np.ndarray) -> np.ndarray | list[np.ndarray]:
        if len(chunks) == 1 and not col.varies:
            return chunks[0][rows]  # type: ignore[no-any-return]
        number = np.searchsorted(self._starts, rows, side="right") - 1
        within = rows - self._starts[number]
        picked = [col.pick(chunks[n], row)[0] for n, row in zip(number.tolist(), within[:, None], strict=True)]
        return picked if col.varies else np.stack(picked)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample for a person to look at: id, target, and every modality (text as a string, None where absent)."""
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of a split of {len(self)}")
        sample: dict[str, Any] = {"id": self.ids[index], "target": self.targets([index])[0]}
        for name, col in self.columns.items():
            present = self.present(name)
            value = self.take(name, [index])[0]
            text = col.form.dtype == "text"
            there = present is None or bool(present[index])
            sample[name] = (value.tobytes().decode() if text else value) if there else None
        return sample


class Prepared:
    """A prepared folder that agrees with its manifest."""

    def __init__(self, folder: Path, manifest: Manifest, splits: Mapping[str, Split]) -> None:
        self.folder = folder
        self.manifest = manifest
        self._splits = dict(splits)

    def split(self, name: str) -> Split:
        """The split "train", "valid" or "test"."""
        return self._splits[name]

    @classmethod
    def open(cls, folder: Path | str, *, verify: bool = False) -> Prepared:
        """Open a prepared folder and compare it with its manifest: sizes, columns, row counts; `verify`: every byte.

        Raises DataError naming the file that is missing, truncated or damaged, and the command that repairs it.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        try:
            columns = {name: column(form) for name, form in manifest.modalities.items()}
            kind = target_type(manifest.width, manifest.mask)
            layout = schema(columns, sorted(manifest.gaps), kind, manifest.dataset, grouped=manifest.grouped)
        except (pa.ArrowException, TypeError, ValueError, OverflowError, DataError) as error:
            raise damaged(folder / "manifest.json", str(error)) from error
        splits = {}
        for name in SPLITS:
            path = folder / f"{name}.arrow"
            _same_bytes(path, manifest.files.get(path.name), verify)
            try:
                splits[name] = _open_split(path, layout, columns, manifest)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise damaged(path, str(error)) from error
            if len(splits[name]) != manifest.counts.get(name):
                raise damaged(
                    path, f"it has {len(splits[name])} samples, the manifest says {manifest.counts.get(name)}"
                )
        return cls(folder, manifest, splits)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a prepared folder. DataError where it is missing or damaged."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise damaged(path, "it does not exist" if folder.is_dir() else "the data set is not prepared yet")
    try:
        return Manifest.parse(path.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def damaged(path: Path, why: str) -> DataError:
    """The error that says which file is not usable and how to make it again."""
    name = path.parent.name
    return DataError(f"{path}: error: {why}\n  Prepare the data again: `dvc repro prepare` or `cggm prepare {name}`")


def _same_bytes(path: Path, expected: File | None, verify: bool) -> None:
    if expected is None or not path.is_file():
        raise damaged(path, "it does not exist, or the manifest does not know it")
    size = path.stat().st_size
    if size != expected.size:
        raise damaged(path, f"it is truncated or changed: {size:,} bytes, the manifest says {expected.size:,}")
    if verify and File.of(path) != expected:
        raise damaged(path, "its SHA-256 is not that of the manifest")


def _open_split(path: Path, layout: pa.Schema, columns: Mapping[str, Column], manifest: Manifest) -> Split:
    file = pa.ipc.open_file(pa.memory_map(str(path)))
    if not file.schema.equals(layout, check_metadata=True):
        raise ValueError("its columns are not those of the manifest")
    batches = [file.get_batch(number) for number in range(file.num_record_batches)]
    for batch in batches:
        batch.validate()
    return Split(batches, columns, sorted(manifest.gaps), manifest.mask)
