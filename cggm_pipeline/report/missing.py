"""What is left where modalities are missing at test time, and what each modality contributes; as plain grids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import comb

from cggm_pipeline.evaluation.contributions import shapley
from cggm_pipeline.report.cases import INCOMPLETE, Case, Cell, Values, heading, ordered
from cggm_pipeline.report.lines import Line, cell, cited_metrics, kept, lines_of, names_of, studied
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.statistics import summarise
from cggm_pipeline.report.texts import cited, summary

WIDEST = 3
"""Up to so many modalities every subset has a column; with more, subsets of one size are averaged."""


@dataclass(frozen=True)
class Grid:
    """A table of texts: `head` over the columns after the first, one (label, texts) per row."""

    name: str
    title: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def grids(material: Material, metric: Metric) -> list[Grid]:
    """Contributions and missing modalities of every row that was evaluated over subsets; empty where none was.

    Other metrics that a paper is cited for with modalities missing have a grid each.
    """
    lines = lines_of(material, metric)
    whole = [line for line in lines if line.alone and line.seeds]
    found = [_contributions(whole, metric)] if whole else []
    title = "Missing modalities at test time"
    found += [_missing(material, lines, metric, "missing", title)] if lines else []
    for other in cited_metrics(material):
        if other.name != metric.name:
            named = f"missing-{other.name}", f"{title}: {other.title}"
            found.append(_missing(material, lines_of(material, other), other, *named))
    return found


def _contributions(lines: Sequence[Line], metric: Metric) -> Grid:
    caption = (
        f"What each modality adds to the test {metric.title.lower()}, averaged over all orders in which modalities can "
        "join (Shapley 1953); a row's contributions add up to the whole network's score minus that of no modality."
    )
    names = tuple(names_of(lines))
    rows = tuple((line.label, tuple(_mean(line, partial(_share, name), metric) for name in names)) for line in lines)
    return Grid("contributions", "Contribution of each modality", caption, names, rows)


def _missing(material: Material, lines: Sequence[Line], metric: Metric, name: str, title: str) -> Grid:
    names, beyond = names_of(lines), studied(material)
    named = {case for line in lines for case in line.published} | ({INCOMPLETE} if beyond else set())
    sizes = range(len(names)) if len(names) > WIDEST else ()
    cases = ordered(named if sizes else named | kept(lines))
    rows: list[tuple[str, tuple[str, ...]]] = []
    for line in lines:
        found = [cell(material, line, case, names, metric) for case in cases]
        averaged = [_mean(line, partial(_of_size, line, len(names), missing), metric) for missing in sizes]
        rows.append((line.label, (*averaged, *(summary(one.summary, metric) for one in found))))
        if line.published:
            rows.append((f"{line.label}: published", (*("" for _ in sizes), *map(_claim, found))))
    head = (*(f"{missing} missing" for missing in sizes), *map(heading, cases))
    return Grid(name, title, _caption(lines, metric, cases), head, tuple(rows))


def _caption(lines: Sequence[Line], metric: Metric, cases: Sequence[Case]) -> str:
    """What was measured, what "incomplete" is, what composites are made of, and where published numbers come from."""
    said = [
        f"Test {metric.title.lower()} of the trained network with modalities absent, as a sample that lacks them would "
        "be; nothing is trained for it."
    ]
    if INCOMPLETE in cases:
        said.append("Incomplete: the mean over all proper subsets of the modalities.")
    made = [line.label for line in lines if not line.alone]
    if made:
        said.append(f"{', '.join(made)}: in each case the row that was trained and tested with these modalities alone.")
    sources = {line.label: dict.fromkeys(one.source for one in line.published.values()) for line in lines}
    said += [f"{label}: published in {'; '.join(names)}." for label, names in sources.items() if names]
    return " ".join(said)


def _claim(found: Cell) -> str:
    """The paper's number and the verdict on it; nothing where the paper has no such case."""
    return ", ".join(text for text in (cited(found.published), found.verdict.text) if text)


def _share(name: str, values: Values) -> float | None:
    return shapley(values).get(name)


def _of_size(line: Line, number: int, missing: int, values: Values) -> float | None:
    """The mean over all subsets that lack `missing` of the `number` modalities; a composite must have them all."""
    found = [value for names, value in values.items() if len(names) == number - missing]
    enough = 1 if line.alone else comb(number, missing)
    return sum(found) / len(found) if len(found) >= enough else None


def _mean(line: Line, value: Callable[[Values], float | None], metric: Metric) -> str:
    """Mean and standard deviation over the seeds; a dash where no seed has the value."""
    found: Mapping[int, float] = {
        seed: one for seed, values in line.seeds.items() if (one := value(values)) is not None
    }
    return summary(summarise(found) if found else None, metric)
