"""The folds of MMIN: per split, the names of its utterances and their labels, in two .npy files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cggm_pipeline.data.sources._npy import read_npy
from cggm_pipeline.errors import DataError

SPLITS: Mapping[str, str] = {"train": "trn", "valid": "val", "test": "tst"}
PARTS = ("int2name", "label")


@dataclass(frozen=True)
class Utterance:
    """Who is in which split of a fold, and the index of the emotion."""

    id: str
    label: str
    split: str


def file_name(split: str, part: str) -> str:
    """The file that has the names ("int2name") or the labels ("label") of a split."""
    return f"{SPLITS[split]}_{part}.npy"


FILES = tuple(file_name(split, part) for split in SPLITS for part in PARTS)
"""The files of a fold's folder."""


def read_fold(folder: Path, place: str) -> list[Utterance]:
    """Every utterance of the fold in `folder`, in the order of the files; `place` stands for the folder in messages.

    Names are (N), (N, 1) or (N, 2) byte strings, the first column counts; labels are (N) class indices or one-hot rows.
    DataError where a file is missing or hostile, and where the two of a split do not fit each other.
    """
    found = []
    for split in SPLITS:
        ids, labels = (read_npy(folder / name, f"{place}/{name}") for name in (file_name(split, p) for p in PARTS))
        found += _split(ids, labels, place, split)
    return found


def _split(ids: np.ndarray, labels: np.ndarray, place: str, split: str) -> list[Utterance]:
    place_of_ids, place_of_labels = (f"{place}/{file_name(split, what)}" for what in PARTS)
    if ids.dtype.kind not in "SU" or ids.ndim not in (1, 2) or not ids.size:
        raise DataError(
            f"{place_of_ids}: error: it holds {ids.dtype} of shape {list(ids.shape)}, expected the names of utterances "
            "as (N), (N, 1) or (N, 2) byte strings"
        )
    column = ids if ids.ndim == 1 else ids[:, 0]
    try:
        names = [name.decode("ascii") if isinstance(name, bytes) else str(name) for name in column.tolist()]
    except UnicodeDecodeError as error:
        raise DataError(f"{place_of_ids}: error: the name of an utterance is not ASCII ({error})") from error
    bad = next((name for name in names if not name or not name.isprintable()), None)
    if bad is not None:
        raise DataError(f"{place_of_ids}: error: {bad!r} is not the name of an utterance")
    indices = indices_of(place_of_labels, labels)
    if len(indices) != len(names):
        raise DataError(f"{place_of_labels}: error: {len(indices):,} labels for {len(names):,} utterances")
    return [Utterance(name, str(index), split) for name, index in zip(names, indices, strict=True)]


def indices_of(place: str, labels: np.ndarray) -> list[int]:
    """Class indices from (N) whole numbers or (N, classes) one-hot rows."""
    if labels.dtype.kind not in "fiub" or labels.ndim not in (1, 2):
        raise DataError(
            f"{place}: error: it holds {labels.dtype} of shape {list(labels.shape)}, expected labels as (N) indices or "
            "(N, classes) one-hot rows"
        )
    if labels.ndim == 2:
        wrong = np.flatnonzero(((labels != 0) & (labels != 1)).any(1) | (labels.sum(1) != 1))
        if len(wrong):
            raise DataError(f"{place}: error: row {wrong[0]} is not one-hot: {labels[wrong[0]].tolist()}")
        return [int(index) for index in labels.argmax(1).tolist()]
    wrong = np.flatnonzero(~np.isfinite(labels) | (labels < 0) | (labels != np.floor(labels)))
    if len(wrong):
        raise DataError(f"{place}: error: label {wrong[0]} is {labels[wrong[0]]}, not a class index")
    return [int(index) for index in labels.tolist()]
