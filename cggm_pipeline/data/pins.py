"""The pinned split: specs/splits/DATASET.csv, a line `id,split` per sample, or per group where samples have groups.

The header says what it was drawn from.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from cggm_pipeline.data.manifest import SPLITS
from cggm_pipeline.data.splits import Split
from cggm_pipeline.data.targets import shortened
from cggm_pipeline.errors import DataError
from cggm_pipeline.whole import write_whole


def header(split: Split, number: int) -> str:
    """The first line of the file: everything the split depends on besides the ids and targets themselves."""
    parameters = " ".join(f"{name}={value}" for name, value in split.parameters().items())
    return f"# cggm split: kind={split.kind} {parameters}{' ' if parameters else ''}ids={number}"


def write(path: Path, split: Split, ids: Sequence[str], splits: Sequence[str]) -> None:
    """Pin a split: sorted by id, whole or not at all."""
    lines = [
        header(split, len(ids)),
        f"# Drawn once by `cggm prepare {path.stem}`, then pinned: commit it. Delete it to draw again.",
        "id,split",
    ]
    text = io.StringIO()
    text.write("\n".join(lines) + "\n")
    csv.writer(text, lineterminator="\n").writerows(sorted(zip(ids, splits, strict=True)))
    write_whole(path, text.getvalue())


def read(path: Path, split: Split, ids: Sequence[str]) -> list[str]:
    """The pinned split of every id. DataError where the file is not for these ids and these parameters."""
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the pinned split cannot be read: {error}") from error
    pinned = _parse(path, lines)
    advice = f"Delete {path.name} and run `cggm prepare {path.stem}` to draw the split again (results will change)"
    expected = header(split, len(ids))
    missing = sorted(set(ids) - set(pinned))
    strange = sorted(set(pinned) - set(ids))
    changes = []
    if lines[0] != expected:
        changes.append(f"it was drawn for\n    {lines[0]}\n  the dataset now says\n    {expected}")
    if missing:
        changes.append(f"{len(missing):,} ids of the data are not in it: {shortened(missing, 5)}")
    if strange:
        changes.append(f"{len(strange):,} of its ids are not in the data: {shortened(strange, 5)}")
    if changes:
        raise DataError(
            f"{path}: error: the pinned split is not that of the data: " + "; ".join(changes) + f"\n  {advice}"
        )
    return [pinned[key] for key in ids]


def _parse(path: Path, lines: Sequence[str]) -> Mapping[str, str]:
    body = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if lines[body : body + 1] != ["id,split"]:
        raise DataError(f"{path}:{body + 1}: error: expected comment lines, then `id,split`, then one line per sample")
    pinned: dict[str, str] = {}
    for number, row in enumerate(csv.reader(lines[body + 1 :]), body + 2):
        if len(row) != 2 or row[1] not in SPLITS or row[0] in pinned:
            raise DataError(
                f"{path}:{number}: error: {','.join(row)!r} is not `id,split`: a new id, and one of {', '.join(SPLITS)}"
            )
        pinned[row[0]] = row[1]
    return pinned
