"""The raw files of a source that has many, by name; their paths are made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


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
