"""Many faults of one data set in one error: a person mends a CSV once, not line by line."""

from __future__ import annotations

from cggm_pipeline.errors import DataError

SHOWN = 20


class Problems:
    """Faults with their places, in the order found. The first 20 are kept in words, the rest are counted.

    The same line twice in a row is one fault: a case that cannot be read fails for each of its slices.
    """

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._last: str | None = None
        self.count = 0

    def add(self, place: str, message: str) -> None:
        """Note `PLACE: error: MESSAGE`; a place is FILE:LINE, a file, or a sample."""
        line = f"{place}: error: {message}" if place else f"error: {message}"
        if line == self._last:
            return
        self._last = line
        self.count += 1
        if len(self._shown) < SHOWN:
            self._shown.append(line)

    def check(self) -> None:
        """Raise a DataError with everything noted so far, if anything was."""
        if self.count:
            more = self.count - len(self._shown)
            raise DataError("\n".join([*self._shown, *([f"and {more:,} more problems like these"] if more else [])]))
