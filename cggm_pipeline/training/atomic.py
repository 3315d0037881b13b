"""Files that are written whole or not at all: a temporary file in the same folder, fsync, rename."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from cggm_pipeline.errors import TrainingError


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`; on any failure `path` is as it was. A full disk is a TrainingError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        os.fchmod(handle, 0o666 & ~_umask())
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        if isinstance(error, OSError):
            raise _unwritten(path, error) from error
        raise
    sync_folder(path.parent)


def write_text(path: Path, content: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, content.encode())


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` last through a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's mask for new files, which `mkstemp` ignores; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _unwritten(path: Path, error: OSError) -> TrainingError:
    return TrainingError(
        f"{path}: could not be written ({error.strerror or error}); what stood there before is unchanged. "
        "Free some space or make the folder writable, then run the same command again to go on"
    )
