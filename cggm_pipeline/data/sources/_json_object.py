"""One JSON object from a file that a person fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cggm_pipeline.errors import DataError

LARGEST = 2**25


def read_object(path: Path, name: str) -> dict[str, Any]:
    """The object. DataError where the file is missing, larger than 32 MiB, no JSON or no object; `name` in messages."""
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{name}: error: it has {path.stat().st_size:,} bytes; allowed are {LARGEST:,}")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{name}: error: it is no readable JSON ({error}); fetch the file again") from error
    if not isinstance(content, dict):
        raise DataError(f"{name}: error: it holds a {type(content).__name__}, not an object; fetch the file again")
    return content
