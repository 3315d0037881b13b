"""The text of a spec, and its YAML nodes: UTF-8, at most 1 MiB, one document, no aliases, no deep nesting."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from pathlib import Path

import yaml

from cggm_pipeline.errors import Problem, SpecError

Mark = tuple[int, int, int]
"""Line and column, both from 1, and the number of characters to underline."""

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_TOLD = 100
_SURELY_SHALLOW = 1000
_UNREADABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_MAX_SHOWN = 160
_MAX_MESSAGE = 500


class Parser(yaml.CBaseLoader):
    """libyaml's parser; the tag of a node is "plain" or "quoted", and anything else where its author wrote a tag."""

    def resolve(self, kind: object, value: object, implicit: object) -> str:
        plain = implicit[0] if isinstance(implicit, tuple) else implicit
        return "plain" if plain else "quoted"

    def descend_resolver(self, current: object, index: object) -> None:
        """Paths pick no tags."""

    def ascend_resolver(self) -> None:
        """Paths pick no tags."""


@lru_cache(maxsize=8)
def _lines(text: str) -> list[str]:
    return text.splitlines()


def text_of(path: Path, file: str) -> str:
    """A file's text. SpecError where there is none, it is too large, or not UTF-8."""
    return _decode(file, _bytes(path, file))


def root_of(text: str, file: str) -> yaml.Node:
    """The root node of a text. SpecError where it is not one shallow YAML document without aliases."""
    if bad := _UNREADABLE.search(text):
        mark = _mark_at(text, bad.start())
        raise SpecError(
            [located(file, text, mark, "", f"{unreadable(text)} may not stand in a spec", hint="remove it")]
        )
    try:
        refused = _deep(text, file) or _alias(text, file)
        root = None if refused else Parser(text).get_single_node()
    except yaml.YAMLError as error:
        refused, root = _syntax(error, text, file), None
    if root is None:
        empty = located(file, text, (1, 1, 1), "", "the file is empty", hint="start with `version: 1`")
        raise SpecError([refused or empty])
    return root


def located(file: str, text: str, mark: Mark, key: str, message: str, *, allowed: str = "", hint: str = "") -> Problem:
    """A problem at a mark of a text, with the line shown and its part underlined."""
    line, column, width = mark
    lines = _lines(text)
    whole = lines[line - 1] if 0 < line <= len(lines) and column <= _MAX_SHOWN else ""
    source = printable(whole if len(whole) <= _MAX_SHOWN else whole[: _MAX_SHOWN - 1] + "…")
    width = max(1, min(width, len(source.rstrip()) - column + 1))
    message, allowed, hint = (short(part, _MAX_MESSAGE) for part in (message, allowed, hint))
    return Problem(file, line, column, printable(key), message, allowed, hint, source.rstrip(), width)


def unreadable(text: str) -> str:
    """The first character that no reader sees (controls, turned writing directions), in words; empty without one."""
    bad = _UNREADABLE.search(text)
    return f"the character U+{ord(bad[0]):04X}" if bad else ""


def capped(problems: Iterable[Problem]) -> list[Problem]:
    """The first hundred: finding the place of one takes time, and a person mends no hundred at once."""
    return list(islice(problems, MAX_TOLD))


def printable(text: str) -> str:
    """The text with everything that does not print (tabs, escapes) as a blank, so that columns stay where they are."""
    return "".join(character if character.isprintable() else " " for character in text)


def short(text: str, most: int = 60) -> str:
    """The text for a message: printable, and cut where it is long."""
    text = printable(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def mark_of(node: yaml.Node) -> Mark:
    """Where a node stands; what it covers of its first line."""
    start, end = node.start_mark, node.end_mark
    width = end.column - start.column if end.line == start.line else _MAX_SHOWN
    return start.line + 1, start.column + 1, max(width, 1)


def _bytes(path: Path, file: str) -> bytes:
    try:
        with open(path, "rb", opener=_open) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise SpecError([Problem(file, 0, 0, "", "is not a file")])
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SpecError([Problem(file, 0, 0, "", "there is no such file")]) from None
    except (OSError, ValueError) as error:
        message = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise SpecError([Problem(file, 0, 0, "", message)]) from None
    if len(raw) > MAX_BYTES:
        message = f"larger than {MAX_BYTES >> 20} MiB"
        raise SpecError([Problem(file, 1, 1, "", message, hint="a spec is a page, not data")])
    return raw


def _open(path: str, flags: int) -> int:
    """Not blocking: a pipe that is named like a spec must not hold the program up."""
    return os.open(path, flags | os.O_NONBLOCK)


def _decode(file: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        mark = _mark_at(before, len(before))
        message = f"the byte 0x{raw[error.start]:02X} is not UTF-8"
        raise SpecError([Problem(file, mark[0], mark[1], "", message, hint="save the file as UTF-8")]) from None


def _syntax(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    lines = text.splitlines() or [""]
    context = getattr(error, "context_mark", None)
    if line >= len(lines) and context is not None:
        line, column = context.line, context.column
    if line >= len(lines):
        line, column = len(lines) - 1, len(lines[-1])
    source = lines[line] if line < len(lines) else ""
    opened = f" (for what began in line {context.line + 1})" if context is not None and context.line != line else ""
    message = f"not YAML: {getattr(error, 'problem', None) or 'it cannot be read'}{opened}"
    hint, width = "quote text that holds : # [ ] { } , or &", 1
    indent = source[: len(source) - len(source.lstrip())]
    if "\t" in indent or source[column : column + 1] == "\t":
        column = indent.index("\t") if "\t" in indent else column
        message, hint = "a tab: YAML is indented and spaced with blanks", "replace the tab by blanks"
    elif "single document" in str(getattr(error, "context", "")):
        message, hint, width = "a second document starts here", "one file, one document: remove the `---`", 3
    return located(file, text, (line + 1, column + 1, width), "", message, hint=hint)


def _deep(text: str, file: str) -> Problem | None:
    # libyaml composes recursively: a hundred thousand brackets overflow the C stack. Its events do not.
    # No document nests deeper than its brackets and columns allow (a block needs a column for each two levels).
    longest = max(map(len, text.splitlines()), default=0)
    if text.count("[") + text.count("{") + 2 * longest <= _SURELY_SHALLOW:
        return None
    depth = 0
    for event in yaml.parse(text, Parser):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return located(file, text, _event_mark(event, 1), "", f"nested more than {MAX_DEPTH} levels deep")
    return None


def _alias(text: str, file: str) -> Problem | None:
    for event in yaml.parse(text, Parser) if "*" in text else ():
        if isinstance(event, yaml.AliasEvent):
            name = str(event.anchor)
            message = f"the alias *{short(name)}: a spec has no aliases"
            return located(
                file, text, _event_mark(event, len(name) + 1), "", message, hint="write it out, or use `extends`"
            )
    return None


def _event_mark(event: yaml.Event, width: int) -> Mark:
    mark = event.start_mark
    return (1, 1, 1) if mark is None else (mark.line + 1, mark.column + 1, width)


def _mark_at(text: str, index: int) -> Mark:
    line = text.count("\n", 0, index)
    return line + 1, index - (text.rfind("\n", 0, index) + 1) + 1, 1
