"""Work on many pieces by a few threads, handed over in order, with no more in memory than is being worked on."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")

MOST = 8
"""More threads than this gain nothing at a disk."""
BUDGET = 2**30
"""Bytes that pieces in work may take at least, where a machine has less than eight times as much memory."""


def number(piece: int = 0) -> int:
    """Threads to read with: one per processor that this process may use, at most `MOST`.

    `piece`: bytes of memory that one piece takes. One piece per thread and one more must fit into an eighth of the
    machine's memory, or into `BUDGET` where that is more; one thread there always is.
    """
    most = min(len(os.sched_getaffinity(0)), MOST)
    fitting = max(BUDGET, _memory() // 8) // max(piece, 1) - 1
    return max(1, min(most, fitting))


def _memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def in_order(work: Callable[[Piece], Result], pieces: Iterable[Piece], threads: int | None = None) -> Generator[Result]:
    """`work(piece)` for every piece, in their order; one more than `threads` are begun or done but not taken yet.

    An exception of a piece is raised when its turn comes. Where the iterator is closed, what has not begun never does.
    """
    threads = threads or number()
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="read") as pool:
        try:
            for piece in pieces:
                waiting.append(pool.submit(work, piece))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
