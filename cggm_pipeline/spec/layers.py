"""Layers: a composed document is a stack of parts of files, the last on top, and every problem finds its file again.

An experiment is its `extends` chain; a row of a table is the base's chain, the table's seeds and the row's overrides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from cggm_pipeline.errors import Problem
from cggm_pipeline.spec.load import Document, Keys, On

Data = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a value was set: line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Finding:
    """A fault of a composed document at `path`, before it is known which file has to be mended.

    `also` are the other keys that take part in the fault: the one that was set last is where it is shown.
    """

    path: Keys
    message: str
    allowed: str = ""
    hint: str = ""
    on: On = "value"
    also: tuple[Keys, ...] = ()


@dataclass(frozen=True)
class Layer:
    """The part of `document` at `prefix`, put at `below` in the composed document, without its `dropped` keys."""

    document: Document
    prefix: Keys = ()
    below: Keys = ()
    dropped: frozenset[str] = frozenset({"extends"})

    def data(self) -> Any:
        """What this layer contributes."""
        part = self.document.data
        for key in self.prefix:
            part = part[key]
        if not self.below and isinstance(part, dict):
            part = {key: value for key, value in part.items() if key not in self.dropped}
        for key in reversed(self.below):
            part = {key: part}
        return part

    def keys(self, path: Keys) -> Keys | None:
        """Where `path` of the composed document stands in this layer's file; null where it does not."""
        if path[: len(self.below)] != self.below or (path and path[0] in self.dropped):
            return None
        keys = self.prefix + path[len(self.below) :]
        return keys if self.document.find(keys) is not None else None


def merge(under: Any, over: Any) -> Any:
    """`over` on `under`: mappings merge, all else replaces; a mapping whose `kind` changes is replaced whole."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    if "kind" in over and "kind" in under and over["kind"] != under["kind"]:
        return over
    return {**under, **{key: merge(under[key], value) if key in under else value for key, value in over.items()}}


class Stack:
    """The layers of one composed document, the later on top of the earlier."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        self.data: Any = self.layers[0].data()
        for layer in self.layers[1:]:
            self.data = merge(self.data, layer.data())

    def locate(self, path: Keys) -> tuple[int, Keys]:
        """The topmost layer that sets `path` (or, where none does, its nearest ancestor), and the keys there."""
        while True:
            for index in range(len(self.layers) - 1, -1, -1):
                keys = self.layers[index].keys(path)
                if keys is not None:
                    return index, keys
            path = path[:-1]

    def problem(self, finding: Finding) -> Problem:
        """The finding in the file that has to be mended."""
        path = self._latest((finding.path, *finding.also)) or finding.path
        index, keys = self.locate(path)
        on: On = finding.on if path == finding.path else "value"
        document = self.layers[index].document
        return document.problem(keys, finding.message, on=on, allowed=finding.allowed, hint=finding.hint)

    def _latest(self, paths: Sequence[Keys]) -> Keys | None:
        """The path that the topmost layer sets; of several, the first; null where all of them are defaults."""
        for layer in reversed(self.layers):
            for path in paths:
                if layer.keys(path) is not None:
                    return path
        return None

    def written(self, path: Keys) -> str:
        """What stands at `path`, as its author wrote it."""
        index, keys = self.locate(path)
        return self.layers[index].document.written(keys)

    def beside(self, path: Keys) -> list[str]:
        """The keys that stand in the same mapping of the same file."""
        index, keys = self.locate(path)
        found = self.layers[index].document.find(keys[:-1])
        return [key.value for key, _ in found[1].value] if found and isinstance(found[1], yaml.MappingNode) else []

    def place(self, path: Keys) -> Place:
        """Where `path` was set."""
        index, keys = self.locate(path)
        document = self.layers[index].document
        line, column, _ = document.mark(keys, "value")
        return Place(document.file, line, column)

    def origin(self) -> dict[str, Place]:
        """The place of every value that some file sets, by dotted key; what is missing here is a default."""
        return {".".join(map(str, path)): self.place(path) for path in _leaves(self.data, ())}


def _leaves(data: Any, path: Keys) -> Iterator[Keys]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path
