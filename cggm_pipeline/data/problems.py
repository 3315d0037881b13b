"""Many faults of one data set in one error: a person mends a CSV once, not line by line."""

from __future__ import annotations

from cggm_pipeline.errors import DataError

SHOWN = 20


class Problems:
    """Faults with their places, in the order found. The first 20 are kept in words, the rest are counted."""

    def __init__(self) -> None:
        self._shown: list[str] = []
        self.count = 0

    def add(self, place: str, message: str) -> None:
        """Note `PLACE: error: MESSAGE`; a place is FILE:LINE, a file, or a sample."""
        self.count += 1
        if len(self._shown) < SHOWN:
            self._shown.append(f"{place}: error: {message}" if place else f"error: {message}")

    def check(self) -> None:
        """Raise a DataError with everything noted so far, if anything was."""
        if self.count:
            more = self.count - len(self._shown)
            raise DataError("\n".join([*self._shown, *([f"and {more:,} more problems like these"] if more else [])]))
