"""A bar on a terminal, where raw data take minutes to look through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def shown(items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
    """The items, counted on stderr with the time left, if their number is known; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(items, f"  {label}", total=total, console=console, transient=True, disable=not console.is_terminal)
