"""An output folder that is written whole or not at all, by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cggm_pipeline.errors import DataError
from cggm_pipeline.whole import sync

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`, which takes its place when the block ends without an exception.

    DataError where another process is writing the same folder, and where the disk is full or refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            yield from _swapped(folder)
    except OSError as error:
        if error.errno in FULL:
            raise DataError(
                f"{folder}: error: the disk is full ({error.strerror}); nothing was written. Free some space"
            ) from error
        raise DataError(f"{folder}: error: cannot be written: {error.strerror or error} ({error.filename})") from error


def _swapped(folder: Path) -> Iterator[Path]:
    temporary = folder.with_name(f".{folder.name}.new")
    former = folder.with_name(f".{folder.name}.old")
    _recover(folder, temporary, former)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.iterdir():
            sync(file)
        sync(temporary)
        if folder.exists():
            os.rename(folder, former)
        os.rename(temporary, folder)
        sync(folder.parent)
    finally:
        _recover(folder, temporary, former)


def _recover(folder: Path, temporary: Path, former: Path) -> None:
    """Clear away what an interrupted swap left; the lock is ours, so nobody else needs it."""
    if former.exists() and not folder.exists():
        os.rename(former, folder)
    for remains in (temporary, former):
        if remains.exists():
            shutil.rmtree(remains)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The right to write `folder`; it ends with the block or the process. DataError where somebody else has it."""
    path = folder.with_name(f".{folder.name}.lock")
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(
                f"{folder}: error: another process is writing it (it holds {path.name}). Wait for it, or end it"
            ) from error
        yield
