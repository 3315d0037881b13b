"""Cases of missing modalities: which modalities are there, and what a row scores with these alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cggm_pipeline.evaluation.contributions import subsets
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.statistics import Summary, summarise
from cggm_pipeline.report.verdict import Published, Verdict

Case = frozenset[str] | str
"""The modalities that are there; or "incomplete": the mean over all proper non-empty subsets."""

INCOMPLETE: Case = "incomplete"

Values = Mapping[frozenset[str], float]
"""Of one seed: the modalities that are there to the metric."""


@dataclass(frozen=True)
class Cell:
    """One line's value in one case. `case`: `audio+text`, `incomplete`, or `rate 0.3`."""

    slug: str
    label: str
    metric: Metric
    case: str
    summary: Summary | None
    published: Published | None
    verdict: Verdict


def key_of(case: Case) -> str:
    """The case as files write it."""
    return case if isinstance(case, str) else "+".join(sorted(case))


def heading(case: Case) -> str:
    """The case as a column's head."""
    return case if isinstance(case, str) else " + ".join(sorted(case))


def ordered(cases: Iterable[Case]) -> list[Case]:
    """Each case once: smaller sets first, those of one size by name, and the mean last."""
    return sorted(set(cases), key=lambda case: (isinstance(case, str), len(case), key_of(case)))


def value_of(case: Case, names: Collection[str], values: Values) -> float | None:
    """The value in a case; None where it, or one that it is the mean of, was not measured. `names`: all modalities."""
    if not isinstance(case, str):
        return values.get(case)
    proper = [kept for kept in subsets(names) if 0 < len(kept) < len(names)]
    found = [values[kept] for kept in proper if kept in values]
    return sum(found) / len(found) if proper and len(found) == len(proper) else None


def over_seeds(case: Case, names: Collection[str], seeds: Mapping[int, Values]) -> Summary | None:
    """Mean and spread over the seeds that have the value; None where none has."""
    found = {seed: one for seed, values in seeds.items() if (one := value_of(case, names, values)) is not None}
    return summarise(found) if found else None
