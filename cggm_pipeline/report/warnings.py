"""What the histories of a table's rows warn of, one line per row and fault."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cggm_pipeline.evaluation.diagnosis import Warned, diagnose
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.runs import RowRun, SeedRun


@dataclass(frozen=True)
class Warning:
    """One fault of one row: the first seed's words, and all seeds in which it fired."""

    row: str
    seeds: tuple[int, ...]
    of: int
    warned: Warned

    @property
    def where(self) -> str:
        """In which seeds."""
        if len(self.seeds) == self.of:
            return "all seeds" if self.of > 1 else f"seed {self.seeds[0]}"
        return f"seed{'s' if len(self.seeds) > 1 else ''} {', '.join(map(str, self.seeds))}"


def warnings(material: Material) -> list[Warning]:
    """Every row's warnings, in the order of the table."""
    return [one for row in material.spec.rows for one in of_row(row.label, material.runs[row.slug])]


def of_row(label: str, run: RowRun) -> list[Warning]:
    """One row's warnings over its seeds."""
    fired: dict[tuple[str, str | None], list[tuple[int, Warned]]] = {}
    for seed, found in run.seeds.items():
        for warned in _of_seed(found):
            fired.setdefault(warned.key, []).append((seed, warned))
    return [
        Warning(label, tuple(seed for seed, _ in entries), len(run.seeds), entries[0][1]) for entries in fired.values()
    ]


def _of_seed(run: SeedRun) -> Iterable[Warned]:
    selection: Mapping[str, str] = run.summary.get("selection", {})
    if "metric" not in selection:
        return []
    history = {column: values.tolist() for column, values in run.history.items()}
    return diagnose(history, metric=selection["metric"], mode=selection.get("mode", "max"))
