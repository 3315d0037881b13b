"""The objects of a JSON file one by one, with the place of each: a file of gigabytes needs no gigabytes of memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cggm_pipeline.errors import DataError

PIECE = 2**20
LARGEST = 64 * PIECE
SCAN = json.JSONDecoder()
BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True)
class Entry:
    """One object of a file: its content, the line where it starts, and which bytes it takes."""

    content: dict[str, Any]
    line: int
    start: int
    size: int


def read_objects(path: Path, name: str) -> Iterator[Entry]:
    """The objects of a JSON array of objects, or of JSON lines. `name` stands for the file in messages.

    DataError with FILE:LINE where the file is missing, not UTF-8, not JSON, ends early, or holds anything else.
    """
    try:
        with path.open("rb") as stream:
            yield from _Reader(stream, name).entries()
    except OSError as error:
        raise DataError(f"{name}: error: it cannot be read: {error.strerror}") from error


def read_again(path: Path, start: int, size: int) -> dict[str, Any]:
    """The object that stood at these bytes. ValueError where the file has changed since."""
    with path.open("rb") as stream:
        stream.seek(start)
        content: dict[str, Any] = json.loads(stream.read(size))
    return content


class _Reader:
    """The text that was read; `at` is where the rest begins, and `line` and `start` say where that is in the file."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.stream = stream
        self.name = name
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.text = ""
        self.at = 0
        self.line = 1
        self.start = 0
        self.done = False

    def entries(self) -> Iterator[Entry]:
        self._more(PIECE)
        self._skip(len(self.text) - len(self.text.removeprefix("\ufeff")))
        array = self._next() == "["
        self._skip(self.at + array)
        while self._next() not in ("", "]"):
            content, end = self._object()
            yield Entry(content, self.line, self.start, len(self.text[self.at : end].encode()))
            self._skip(end)
        if array != (self._next() == "]") or self._after():
            raise self._fault("the list of objects ends early, or something follows it")

    def _next(self) -> str:
        """The character where the next object starts, "" at the end of the file."""
        while True:
            self._skip(BETWEEN.match(self.text, self.at).end())  # type: ignore[union-attr]
            if self.at < len(self.text) or self.done:
                return self.text[self.at : self.at + 1]
            self._more(PIECE)

    def _after(self) -> bool:
        self._skip(self.at + 1)
        return bool(self._next())

    def _object(self) -> tuple[dict[str, Any], int]:
        """The object at the start of the rest, and where it ends; more is read where the text ends before it does."""
        while True:
            try:
                content, end = SCAN.raw_decode(self.text, self.at)
            except RecursionError as error:
                raise self._fault("it is nested too deeply") from error
            except ValueError as error:
                if self.done or len(self.text) - self.at > LARGEST:
                    raise self._fault(f"it is not a JSON object ({error})") from error
                self._more(len(self.text) - self.at)
                continue
            if not isinstance(content, dict):
                raise self._fault(f"a {type(content).__name__} where an object {{..}} is expected")
            return content, end

    def _more(self, number: int) -> None:
        data = self.stream.read(max(number, PIECE))
        try:
            self.text = self.text[self.at :] + self.decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise self._fault("it is not UTF-8") from error
        self.at = 0
        self.done = not data

    def _skip(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.start += len(self.text[self.at : end].encode())
        self.at = end

    def _fault(self, message: str) -> DataError:
        return DataError(f"{self.name}:{self.line}: error: {message}. Expected: a list of objects, or one on each line")
