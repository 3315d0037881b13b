"""What a person sees while a row trains: a bar with the time left, or plain lines where there is no screen."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cggm_pipeline.training.moment import Moment

PLAIN_SECONDS = 10.0


class Display:
    """A context and a `training.moment.Progress` in one. `name`: TABLE/ROW; `seeds`: how many; `kept`: already done.

    `verb` and `noun`: what is done to how many of what.
    """

    def __init__(
        self,
        name: str,
        seeds: int,
        kept: int = 0,
        console: Console | None = None,
        *,
        verb: str = "train",
        noun: str = "seeds",
    ) -> None:
        self._verb, self._noun = verb, noun
        self._name, self._seeds, self._shares = name, seeds, {-1 - index: 1.0 for index in range(kept)}
        self._rows: dict[int, Mapping[str, float]] = {}
        self._warned: set[tuple[str, str | None]] = set()
        self._console = console or Console(file=sys.stderr)
        self._live = self._console.is_terminal
        self._bar = Progress(
            TextColumn(f"{verb}  {{task.fields[name]}}  {{task.fields[done]}}/{{task.fields[seeds]}}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[info]}"),
            console=self._console,
            disable=not self._live,
        )
        self._task = self._bar.add_task("", total=float(seeds), name=name, done=kept, seeds=seeds, info="")
        self._said = time.monotonic()

    def __enter__(self) -> Display:
        self._bar.start()
        self._bar.update(self._task, completed=self._total)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def __call__(self, moment: Moment) -> None:
        """Take note of where a seed stands."""
        self._shares[moment.seed] = moment.share
        if moment.row:
            self._rows[moment.seed] = moment.row
        if moment.note:
            which = f"{self._noun.removesuffix('s')} {moment.seed}"
            self._console.print(f"{self._verb}  {self._name}: {which}: {moment.note}", highlight=False)
        if moment.warned is not None and moment.warned.key not in self._warned:
            self._warned.add(moment.warned.key)
            text = f"seed {moment.seed}, epoch {moment.epoch}: {moment.warned.text}. Try: {moment.warned.advice}"
            self._console.print(f"train  {self._name}: warning: {text}", style="yellow", highlight=False, markup=False)
        done = sum(share >= 1 for share in self._shares.values())
        self._bar.update(self._task, completed=self._total, done=done, info=self._info(moment.seed))
        if not self._live and time.monotonic() - self._said > PLAIN_SECONDS:
            self._said = time.monotonic()
            share = 100 * self._total / self._seeds
            self._console.print(
                f"{self._verb}  {self._name}  {done}/{self._seeds} {self._noun}  {share:.0f} %", highlight=False
            )

    @property
    def _total(self) -> float:
        return sum(self._shares.values())

    def _info(self, seed: int) -> str:
        row = self._rows.get(seed, {})
        shown = [name for name in row if name == "valid_loss" or (name.startswith("B_") and name != "B_negative")]
        return "  ".join(f"{name.replace('_', ' ')} {row[name]:.2f}" for name in shown)
