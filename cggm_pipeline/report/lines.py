"""The lines of what the report says of missing modalities: rows measured over subsets, and composites of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cggm_pipeline.report.cases import INCOMPLETE, Case, Cell, Values, key_of, ordered, over_seeds
from cggm_pipeline.report.material import Composite, Material, RowSpec
from cggm_pipeline.report.metrics import Metric, metric
from cggm_pipeline.report.verdict import Published, judge
from cggm_pipeline.spec.labels import slug_of
from cggm_pipeline.spec.patterns import Missing


@dataclass(frozen=True)
class Line:
    """One method: per seed the metric with subsets of the modalities, and what papers say of it, per case.

    `alone`: the values are one network's, with modalities left out; a composite's are several networks'.
    """

    slug: str
    label: str
    seeds: Mapping[int, Values]
    published: Mapping[Case, Published] = field(default_factory=dict)
    alone: bool = True


def lines_of(material: Material, chosen: Metric) -> list[Line]:
    """Rows that were measured over subsets or for which a paper is cited per case, then the composites."""
    spec, name = material.spec, chosen.name
    lines = [Line(row.slug, row.label, _over_subsets(material, row.slug, name), _of(row, name)) for row in spec.rows]
    lines += [
        Line(slug_of(one.label), one.label, _of_members(material, one, name), _of(one, name), alone=False)
        for one in spec.composites
    ]
    return [line for line in lines if line.seeds or line.published]


def cited_metrics(material: Material) -> list[Metric]:
    """The metrics that papers are cited for with modalities missing, in the order of their columns."""
    spec = material.spec
    cited = [*(row.cases for row in spec.rows), *(one.cases for one in spec.composites)]
    return [metric(name) for name in dict.fromkeys(name for cases in cited for name, _ in cases)]


def studied(material: Material) -> bool:
    """Whether the table is about missing modalities: patterns, rates, composites, or a paper's numbers per case."""
    spec = material.spec
    return bool(spec.composites) or any(
        row.cases or row.experiment.evaluation.missing_rates or row.experiment.missing != Missing() for row in spec.rows
    )


def kept(lines: Sequence[Line]) -> set[frozenset[str]]:
    """Every non-empty subset that any line has a value of."""
    return {names for line in lines for values in line.seeds.values() for names in values if names}


def names_of(lines: Sequence[Line]) -> list[str]:
    """All modalities of these lines, sorted."""
    cited = {case for line in lines for case in line.published if not isinstance(case, str)}
    return sorted(frozenset().union(*kept(lines), *cited))


def cell(material: Material, line: Line, case: Case, names: Sequence[str], chosen: Metric) -> Cell:
    """What a line says in a case, and what the paper does. `names`: all modalities of the table."""
    found, theirs = over_seeds(case, names, line.seeds), line.published.get(case)
    verdict = judge(found, theirs, real=not material.banners)
    return Cell(line.slug, line.label, chosen, key_of(case), found, theirs, verdict)


def cells(material: Material, chosen: Metric) -> list[Cell]:
    """Every line in every case, of this metric and of those that papers are cited for per case."""
    found = []
    for one in dict.fromkeys((chosen, *cited_metrics(material))):
        lines = lines_of(material, one)
        names = names_of(lines)
        cases = ordered([*kept(lines), *(case for line in lines for case in line.published), INCOMPLETE])
        found += [cell(material, line, case, names, one) for line in lines for case in cases]
    return [one for one in found if one.summary is not None or one.published is not None]


def _over_subsets(material: Material, row: str, name: str) -> dict[int, Values]:
    """Per seed, the metric with every subset of the modalities."""
    return {
        seed: {frozenset(filter(None, names.split("+"))): found[name] for names, found in score.subsets.items()}
        for seed, score in material.test_scores(row).items()
        if score.subsets and all(name in found for found in score.subsets.values())
    }


def _of_members(material: Material, composite: Composite, name: str) -> dict[int, Values]:
    """Per seed, each member's metric on the complete test split, under the modalities that it uses."""
    found: dict[int, dict[frozenset[str], float]] = {}
    for row in (row for row in material.spec.rows if row.slug in composite.rows):
        for seed, score in material.test_scores(row.slug).items():
            if name in score.metrics:
                found.setdefault(seed, {})[frozenset(row.experiment.used())] = score.metrics[name]
    return dict(sorted(found.items()))


def _of(one: RowSpec | Composite, name: str) -> dict[Case, Published]:
    return {case: published for (cited, case), published in one.cases.items() if cited == name}
