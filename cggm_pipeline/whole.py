"""Files that are written whole or not at all: a temporary file in the same folder, fsync, rename."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from cggm_pipeline.errors import OutputError


def write_whole(path: Path, content: bytes | memoryview | str) -> None:
    """Write `content` (text as UTF-8) to `path`, making its folder. On any failure `path` is as it was; an operating
    system's refusal, a full disk among them, is an OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        sync(path.parent)
    except OSError as error:
        raise OutputError(
            f"{path}: could not be written ({error.strerror or error}); what stood there before is unchanged. "
            "Free some space or make the folder writable, then run the same command again"
        ) from error


def sync(path: Path) -> None:
    """Put a file's content, or the names in a folder, on the disk, so that they outlast a power failure."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's mask for new files, which `mkstemp` ignores; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
