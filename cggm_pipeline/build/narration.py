"""What a person sees while data are prepared: a bar on a terminal, a line at the end, nothing else on stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


def say(line: str) -> None:
    """A line on stderr, as it is."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(line, markup=False)


@contextmanager
def counting(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar with the time left, on a terminal; the function it gives is told how many more are done."""
    console = Console(stderr=True)
    layout = (TextColumn("  {task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = Progress(*layout, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(label, total=total)

    def advance(steps: int) -> None:
        bar.start()  # at the first step: before it, others may have a bar of their own
        bar.advance(task, steps)

    try:
        yield advance
    finally:
        bar.stop()
