"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from cggm_pipeline.errors import DataError


def write_whole(path: Path, text: str) -> None:
    """UTF-8 text through a temporary file in the same folder. DataError where it cannot be written; `path` is then
    as it was."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise DataError(
            f"{path} could not be written: {error.strerror or error}. Free some space or mend the rights"
        ) from error


def _umask() -> int:
    """The process's mask: mkstemp makes files that nobody else may read, a report is for others."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
