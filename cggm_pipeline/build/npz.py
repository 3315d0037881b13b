"""Arrays as the content of an npz file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np


def npz(**arrays: Any) -> bytes:
    """The content of an npz file with these arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()
