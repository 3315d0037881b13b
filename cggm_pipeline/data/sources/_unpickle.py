"""Pickles of strangers, read without running anything in them: numbers, text, dict, list, tuple and numpy arrays.

A pickle is a program for a small machine. The machine here has only the instructions that build plain containers; every
name that a pickle may look up is in `Unpickler.names`, and stands for a function of ours, never for numpy's own.
"""

from __future__ import annotations

import os
import pickle
import pickletools
from collections.abc import Callable, Mapping
from pathlib import Path
from struct import error as StructError
from typing import Any, BinaryIO

from cggm_pipeline.data.sources._stored import (
    Dtype,
    ForbiddenError,
    Stored,
    empty,
    from_buffer,
    scalar,
    started,
)
from cggm_pipeline.errors import DataError

HANDLED = """
PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT
STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8
BYTEARRAY8 EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS GLOBAL
STACK_GLOBAL REDUCE BUILD PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
"""
BROKEN = (
    *(pickle.UnpicklingError, EOFError, MemoryError, StructError, AssertionError, OverflowError),
    *(ValueError, TypeError, AttributeError, LookupError, NotImplementedError),
)
OTHERS = {
    b"PK": "a zip archive (torch.save? a download to unpack?)",
    b"\x1f\x8b": "packed with gzip: unpack it first",
    b"7z\xbc\xaf": "packed with 7z: unpack it first",
    b"Rar!": "packed with rar: unpack it first",
    b"\x89HDF": "an HDF5 file",
    b"<": "a web page (a sign-in, or a message of the server)",
    b"version https://git-lfs": "what Git LFS leaves in place of a file: `git lfs pull` fetches it",
}
"""What people fetch in place of a pickle, by how it begins."""
CORES = ("core", "_core")
"""numpy 1 and numpy 2 call the same rooms numpy.core and numpy._core."""


class Unpickler(pickle._Unpickler):
    """The interpreter of the standard library in Python, whose table of instructions can be cut down (C's cannot).

    It is as fast, since a file of arrays has few instructions. Strings that Python 2 wrote are read as Latin-1, the
    only way in which their bytes survive.
    """

    stack: list[Any]

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(Bounded(stream), encoding="latin1")
        self.budget = os.fstat(stream.fileno()).st_size
        self.names: Mapping[tuple[str, str], Any] = {
            ("numpy", "ndarray"): "numpy.ndarray",
            ("numpy", "dtype"): Dtype,
            ("_codecs", "encode"): self.encoded,
            ("__builtin__", "bytes"): empty,
            **{(f"numpy.{core}.multiarray", "_reconstruct"): started for core in CORES},
            **{(f"numpy.{core}.multiarray", "scalar"): scalar for core in CORES},
            **{(f"numpy.{core}.numeric", "_frombuffer"): from_buffer for core in CORES},
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.names:
            raise ForbiddenError(f"{module}.{name}"[:200])
        return self.names[module, name]

    def encoded(self, text: str, encoding: str) -> bytes:
        """`_codecs.encode`, which writes bytes into old protocols; in all not more than the file holds."""
        self.budget -= len(text)
        if encoding != "latin1" or self.budget < 0:
            raise ForbiddenError(f"text in {encoding!r}" if encoding != "latin1" else "more bytes than the file has")
        return text.encode("latin1")

    def call(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        if not callable(function) or function not in self.names.values():
            raise ForbiddenError(f"a call of {type(function).__name__}")
        self.stack[-1] = function(*arguments)

    def fill(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Dtype | Stored):
            raise ForbiddenError(f"attributes of {type(self.stack[-1]).__name__}")
        self.stack[-1].fill(state)


def _dispatch() -> dict[int, Callable[[Any], None]]:
    handled: dict[str, Callable[[Any], None]] = {
        opcode.name: pickle._Unpickler.dispatch[ord(opcode.code)]
        for opcode in pickletools.opcodes
        if opcode.name in HANDLED.split()
    }
    handled.update(REDUCE=Unpickler.call, BUILD=Unpickler.fill)
    known = {ord(opcode.code): handled.get(opcode.name, refused(opcode.name)) for opcode in pickletools.opcodes}
    return {code: known.get(code, unknown) for code in range(256)}


def unknown(_: Any) -> None:
    """What runs where a byte is no instruction at all."""
    raise pickle.UnpicklingError("it has bytes that no pickle has")


def refused(instruction: str) -> Callable[[Any], None]:
    """What runs in place of an instruction that is not handled."""

    def refuse(_: Any) -> None:
        raise ForbiddenError(f"the instruction {instruction}")

    return refuse


Unpickler.dispatch = _dispatch()


class Bounded:
    """A file that ends where it ends: a pickle that claims more is truncated, and no memory is taken for the claim."""

    def __init__(self, stream: BinaryIO) -> None:
        self.left = os.fstat(stream.fileno()).st_size
        self.stream = stream

    def read(self, number: int) -> bytes:
        if number > self.left:
            raise EOFError(f"it ends {number - self.left:,} bytes too early")
        self.left -= number
        return self.stream.read(number)

    def readinto(self, buffer: bytearray) -> int:
        data = self.read(len(buffer))
        buffer[:] = data
        return len(data)

    def readline(self) -> bytes:
        line = self.stream.readline()
        self.left -= len(line)
        if not line.endswith(b"\n"):
            raise EOFError("it ends in the middle of a line")
        return line


def _other(start: bytes) -> str:
    """What a file that begins like this is instead of a pickle; "" where it may be one."""
    if not start:
        return "empty"
    return next((what for mark, what in OTHERS.items() if start.lstrip().startswith(mark)), "")


def unpickled(path: Path, name: str) -> Any:
    """What the pickle `path` holds: dict, list, tuple, str, bytes, numbers, None and, for numpy arrays, `Stored`.

    The file is read once and needs about its own size of memory (twice that for protocol 2 and older, which Python 2
    wrote). `name` stands for it in messages. DataError where it is missing, damaged, or asks for anything else.
    """
    if path.exists() and not path.is_file():
        raise DataError(f"{name}: error: it is not a file. Put the pickle itself there")
    try:
        with path.open("rb") as stream:
            if other := _other(stream.read(64)):
                raise DataError(f"{name}: error: it is {other}, not a pickle")
            stream.seek(0)
            return Unpickler(stream).load()
    except ForbiddenError as error:
        raise DataError(
            f"{name}: error: this pickle asks for {error}, which no data file of this kind needs. It may be hostile; "
            "nothing of it was run. Get the file again from its publisher, and compare its checksum"
        ) from None
    except BROKEN as error:
        raise DataError(
            f"{name}: error: it is no whole pickle ({type(error).__name__}: {str(error)[:200]}). "
            "Perhaps the download broke off: compare its size with the publisher's, and get it again"
        ) from None
    except OSError as error:
        raise DataError(f"source.path: {name} cannot be read: {error.strerror}") from error
