"""The open benchmark at a glance: one row per method, one column per table, from the committed results.

    python benchmarks/open_benchmark/summary.py

A cell is the test metric and its paired difference to joint training; † where the difference stands after Holm's
correction within its table. Methods are sorted by their mean difference over the main tables that have them.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

RESULTS = Path(__file__).resolve().parents[1] / "results" / "open-benchmark"
PURPOSE = "imbalance-"
BASE = "Joint"


@dataclass(frozen=True)
class Cell:
    """One method in one table: mean of the metric, difference to joint training (None: it is that), Holm's p."""

    mean: float
    difference: float | None
    holm: float | None

    def __str__(self) -> str:
        if self.difference is None:
            return f"{100 * self.mean:.1f}"
        mark = " †" if self.holm is not None and self.holm < 0.05 else ""
        return f"{100 * self.mean:.1f} ({100 * self.difference:+.1f}{mark})"


Tables = Mapping[str, Mapping[str, Cell]]


def read(folder: Path) -> dict[str, dict[str, Cell]]:
    """Table to method to its cell, of the accuracy; tables that were not computed are not there."""
    found = {path.parent.name: path for path in folder.glob("*/table.csv")}
    return {name: _table(found[name]) for name in sorted(found, key=_by_strength)}


def _by_strength(name: str) -> tuple[str, int]:
    """`imbalance-noise-100` after `imbalance-noise-25`."""
    kind, _, strength = name.rpartition("-")
    return (kind, int(strength)) if strength.isdigit() else (name, 0)


def _table(path: Path) -> dict[str, Cell]:
    with path.open(encoding="utf-8", newline="") as stream:
        lines = [line for line in csv.DictReader(stream) if line["metric"] == "accuracy" and line["mean"]]
    return {
        line["label"]: Cell(float(line["mean"]), _number(line["difference"]), _number(line["p_holm"])) for line in lines
    }


def _number(text: str) -> float | None:
    return float(text) if text else None


def page(tables: Tables) -> Iterator[str]:
    """The lines of the summary."""
    main = {name: cells for name, cells in tables.items() if not name.startswith(PURPOSE)}
    purpose = {name.removeprefix(PURPOSE): cells for name, cells in tables.items() if name.startswith(PURPOSE)}
    yield "# The open benchmark at a glance"
    yield ""
    yield "Written by `python benchmarks/open_benchmark/summary.py`. Test accuracy [%], paired difference to joint"
    yield "training; † stands after Holm's correction within its table. Intervals: the tables themselves."
    for title, chosen in (("Every method", main), ("Imbalance on purpose", purpose)):
        if chosen:
            yield from ("", f"## {title}", "")
            yield from _matrix(chosen)


def _matrix(tables: Tables) -> Iterator[str]:
    labels = sorted({label for cells in tables.values() for label in cells}, key=lambda label: _place(label, tables))
    yield f"| method | {' | '.join(tables)} | mean difference |"
    yield f"|:---|{'---:|' * (len(tables) + 1)}"
    for label in labels:
        cells = [str(cells[label]) if label in cells else "" for cells in tables.values()]
        mean = _mean(label, tables)
        yield f"| {label} | {' | '.join(cells)} | {'' if mean is None else f'{100 * mean:+.1f}'} |"


def _mean(label: str, tables: Tables) -> float | None:
    """The mean difference over the tables that have the method; None for joint training and single modalities."""
    found = [cells[label].difference for cells in tables.values() if label in cells]
    known = [one for one in found if one is not None]
    return None if label.startswith("Unimodal:") or not known else fmean(known)


def _place(label: str, tables: Tables) -> tuple[int, float, str]:
    """Joint training, then methods from the best on, then single modalities."""
    mean = _mean(label, tables)
    group = 0 if label == BASE else 2 if label.startswith("Unimodal:") else 1
    return group, -(mean or 0.0), label


def main() -> None:
    """`summary.py [FOLDER]`: of the committed results, or of another folder with TABLE/table.csv."""
    print("\n".join(page(read(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS))))


if __name__ == "__main__":
    main()
