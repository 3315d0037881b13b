"""UEA BasicMotions: accelerometer and gyroscope of a smart watch, in the .ts files of aeon."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cggm_pipeline.data.cells import NUMBER, below
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources.base import Raw, Source, Value, raw_path
from cggm_pipeline.errors import DataError

FILES: Mapping[str, str] = {"train": "BasicMotions_TRAIN.ts", "test": "BasicMotions_TEST.ts"}
AXES, STEPS = 6, 100


class BasicMotions(Source):
    """`path`: the folder with BasicMotions_TRAIN.ts and BasicMotions_TEST.ts; each is a split.

    A line is a case: six dimensions separated by ":", each 100 values separated by ",", and the class at the end.
    `accelerometer` are the first three dimensions, `gyroscope` the others, (100, 3) each.
    """

    def __init__(self, *, path: str = "data/raw/basicmotions") -> None:
        self.path = path

    @property
    def modalities(self) -> tuple[str, ...]:
        return ("accelerometer", "gyroscope")

    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """Read both files, which are small."""
        folder = Path(os.path.realpath(raw_path(root, self.path)))
        raw = _Motions(self.path)
        for split, file in FILES.items():
            name = f"{self.path}/{file}"
            try:
                path = Path(below(folder, file, "the folder of source.path"))
                text = path.read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                raise DataError(f"{name}: error: it cannot be read ({error}); see docs/data/basicmotions.md") from error
            raw.files[name] = path
            raw.add(text, name, split, problems)
        return raw


class _Motions(Raw):
    def __init__(self, path: str) -> None:
        self.path = path
        self.files: dict[str, Path] = {}
        self.ids: list[str] = []
        self.labels: list[str] = []
        self.splits: list[str] = []
        self.places: list[str] = []
        self.values: list[np.ndarray] = []

    def add(self, text: str, name: str, split: str, problems: Problems) -> None:
        """The cases of a file; faulty lines go to `problems`."""
        lines, classes = _cases(text, name)
        for number, line in lines:
            try:
                values, label = _case(line, classes)
            except ValueError as error:
                problems.add(f"{name}:{number}", str(error))
                continue
            self.ids.append(f"{split}-{self.splits.count(split):03d}")
            self.labels.append(label)
            self.splits.append(split)
            self.places.append(f"{name}:{number}")
            self.values.append(values)

    def place(self, index: int) -> str:
        return self.places[index]

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        return {"accelerometer": self.values[index][:, :3], "gyroscope": self.values[index][:, 3:]}


def _cases(text: str, name: str) -> tuple[list[tuple[int, str]], Sequence[str]]:
    """The lines behind @data with their numbers, and the classes that @classLabel names. # begins a comment line."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    start = next((index for index, (_, line) in enumerate(lines) if line.lower() == "@data"), None)
    heads = [line.split() for _, line in lines[:start] if line.lower().startswith("@classlabel")]
    if start is None or len(lines) == start + 1:
        raise DataError(f"{name}: error: it has no cases behind a line @data; fetch the file again")
    if not heads or heads[0][1:2] != ["true"] or len(heads[0]) < 4:
        raise DataError(f"{name}: error: it has no line '@classLabel true CLASS CLASS ..'; fetch the file again")
    return lines[start + 1 :], heads[0][2:]


def _case(line: str, classes: Sequence[str]) -> tuple[np.ndarray, str]:
    """The values (100, 6) float64 and the class of a case. ValueError where it is not such a line."""
    *dimensions, label = line.split(":")
    if label.strip() not in classes:
        raise ValueError(f"{label[:50]!r} is none of the classes {', '.join(classes)[:200]}")
    rows = [dimension.split(",") for dimension in dimensions]
    if [len(row) for row in rows] != [STEPS] * AXES:
        lengths = ", ".join(str(len(row)) for row in rows[:10])
        raise ValueError(f"it has {len(rows)} dimensions of {lengths} values; a case has {AXES} of {STEPS}")
    for value in (value.strip() for row in rows for value in row):
        if not NUMBER.fullmatch(value):
            raise ValueError(f"{value[:50]!r} is not a number")
    return np.array(rows, np.float64).T, label.strip()
