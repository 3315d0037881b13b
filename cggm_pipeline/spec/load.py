"""One YAML file, read whole: its plain data, and the place of every key and value in it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import yaml

from cggm_pipeline.errors import Problem
from cggm_pipeline.spec.scalars import Scalar, value_of
from cggm_pipeline.spec.text import MAX_DEPTH, Mark, capped, located, mark_of, root_of, short, text_of, unreadable

Keys = tuple[str | int, ...]
On = Literal["key", "value"]


class Document:
    """A file as `data` (plain mappings, lists, scalars) with places. `problems`: what did not stop the reading."""

    def __init__(self, path: Path, file: str, text: str, root: yaml.Node) -> None:
        self.path, self.file, self.text, self.root = path, file, text, root
        self._faults: list[tuple[yaml.Node, str, str]] = []
        self.data: Any = self._plain(root, 0)
        self.problems: list[Problem] = capped(self._told(*fault) for fault in self._faults)

    def _plain(self, node: yaml.Node, depth: int) -> Any:
        if node.tag not in ("plain", "quoted"):
            self._faults.append((node, f"the tag {short(node.tag)}: a spec has no tags", "remove it"))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if depth > MAX_DEPTH:
            self._faults.append((node, f"nested more than {MAX_DEPTH} levels deep", ""))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        return [self._plain(item, depth + 1) for item in node.value]

    def _scalar(self, node: yaml.ScalarNode) -> Scalar:
        self._readable(node)
        if node.style or node.tag != "plain":
            return str(node.value)
        value = value_of(node.value)
        if isinstance(value, float) and not math.isfinite(value):
            self._faults.append((node, f"{short(node.value)} is not a finite number", ""))
        return value

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if key.tag not in ("plain", "quoted"):
                self._faults.append((key, f"the tag {short(key.tag)}: a spec has no tags", "remove it"))
            if not isinstance(key, yaml.ScalarNode):
                self._faults.append((key, "a key must be a word, not a list or a mapping", ""))
            elif key.value in data:
                self._faults.append((key, "stands twice", "remove one of them"))
            else:
                self._readable(key)
                data[key.value] = self._plain(value, depth + 1)
        return data

    def _readable(self, node: yaml.ScalarNode) -> None:
        """Escapes ("\\0", "\\e") put what the text may not hold into a value, from there into pages and terminals."""
        if node.style == '"' and (bad := unreadable(node.value)):
            self._faults.append((node, f"{bad} may not stand in a spec, escaped or not", "remove it"))

    def _told(self, node: yaml.Node, message: str, hint: str) -> Problem:
        keys = _way(self.root, node, ())
        if keys and message == "stands twice":
            message += f", first in line {self.mark(keys, 'key')[0]}"
        return located(self.file, self.text, mark_of(node), dotted(keys or ()), message, hint=hint)

    def find(self, keys: Keys) -> tuple[yaml.Node | None, yaml.Node] | None:
        """The key's node and the value's node at `keys`, or null where the document has no such place."""
        name: yaml.Node | None = None
        node = self.root
        for key in keys:
            found = _step(node, key)
            if found is None:
                return None
            name, node = found
        return name, node

    def mark(self, keys: Keys, on: On = "value") -> Mark:
        """Where `keys` stand; the nearest ancestor's place where they do not."""
        found = self.find(keys)
        while found is None:
            keys, on = keys[:-1], "key"
            found = self.find(keys)
        key, value = found
        return mark_of(key if on == "key" and key is not None else value)

    def written(self, keys: Keys) -> str:
        """What stands at `keys`, as its author wrote it, short enough for a message."""
        found = self.find(keys)
        node = found[1] if found else None
        if isinstance(node, yaml.ScalarNode):
            plain = node.tag == "plain" and not node.style
            return (short(node.value) or "null (nothing)") if plain else repr(short(node.value))
        return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"

    def problem(self, keys: Keys, message: str, *, on: On = "value", allowed: str = "", hint: str = "") -> Problem:
        """A problem at `keys`, with its line of the file."""
        mark = self.mark(keys, on)
        return located(self.file, self.text, mark, dotted(keys), message, allowed=allowed, hint=hint)


def dotted(keys: Keys) -> str:
    """`("modalities", "text", "encoder")` as `modalities.text.encoder`; what does not print is escaped, long is cut."""
    return ".".join(short(key if isinstance(key, str) and key.isprintable() else repr(key)) for key in keys)


def read(path: Path, file: str | None = None) -> Document:
    """Read one document. `file` is the name it has in messages. Raises SpecError where it is not one YAML document."""
    shown = file or str(path)
    return parse(text_of(path, shown), path, shown)


def parse(text: str, path: Path, file: str) -> Document:
    """A document from its text. Raises SpecError."""
    return Document(path, file, text, root_of(text, file))


def _way(node: yaml.Node, wanted: yaml.Node, keys: Keys) -> Keys | None:
    """The keys that lead from `node` to `wanted`, which is a value or a key below it."""
    if node is wanted:
        return keys
    if not isinstance(node, yaml.CollectionNode) or len(keys) > MAX_DEPTH:
        return None
    mapping = isinstance(node, yaml.MappingNode)
    for index, item in enumerate(node.value):
        key, value = item if mapping else (None, item)
        below: Keys = (*keys, str(key.value) if isinstance(key, yaml.ScalarNode) else index)
        if key is wanted:
            return below
        if found := _way(value, wanted, below):
            return found
    return None


def _step(node: yaml.Node, key: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                return name, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return None, node.value[key]
    return None
