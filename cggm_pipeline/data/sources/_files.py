"""The raw files of a source that has many, by name; their paths are made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from cggm_pipeline.data.cells import below
from cggm_pipeline.errors import DataError


def inside(folder: Path, name: str) -> Path:
    """The file of the source's folder. DataError where a link leads out of it."""
    try:
        return Path(below(folder, name, "the folder of source.path"))
    except ValueError as error:
        raise DataError(f"source.path: {error}") from error


def first_of(folder: Path, shown: str, names: Sequence[str], page: str) -> str:
    """The first of these files or folders that is there. DataError where none is: `page` says how to get them."""
    for name in names:
        if (folder / name).exists():
            return name
    raise DataError(f"source.path: {shown} has no {' or '.join(names)}; see {page}")


class FilesBelow(Mapping[str, Path]):
    """`listed` files, and those `below` a folder, which is called `shown` in their names; each once."""

    def __init__(self, listed: Mapping[str, Path], folder: Path, shown: str, below: Iterable[str]) -> None:
        self._listed = dict(listed)
        self._folder, self._shown = folder, f"{shown}/"
        self._below = dict.fromkeys(below)

    def __getitem__(self, name: str) -> Path:
        if name in self._listed:
            return self._listed[name]
        rest = name.removeprefix(self._shown)
        if rest == name or rest not in self._below:
            raise KeyError(name)
        return self._folder / rest

    def __iter__(self) -> Iterator[str]:
        yield from self._listed
        yield from (name for rest in self._below if (name := self._shown + rest) not in self._listed)

    def __len__(self) -> int:
        return sum(1 for _ in self)
