"""The table as data: what every cell says, before anything is printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cggm_pipeline.errors import DataError
from cggm_pipeline.report.costs import Cost, cost_of
from cggm_pipeline.report.differences import against, compared, corrected
from cggm_pipeline.report.material import Material, RowSpec
from cggm_pipeline.report.metrics import Metric, metric
from cggm_pipeline.report.runs import RowRun
from cggm_pipeline.report.specs import changed
from cggm_pipeline.report.statistics import Difference, Summary, summarise
from cggm_pipeline.report.verdict import NO_NUMBER, Published, Verdict, judge

FIRST = {"classification": "accuracy", "regression": "mae", "sentiment": "acc2", "segmentation": "dice"}
"""The metric that heads a table which names none."""


@dataclass(frozen=True)
class Cell:
    """One row's value of one metric. Without a `summary`, the row has no number and `Row.note` says why."""

    summary: Summary | None = None
    difference: Difference | None = None
    published: Published | None = None
    verdict: Verdict = NO_NUMBER


@dataclass(frozen=True)
class Row:
    """One method. `note` is empty, or says that the row failed and why, was not run, or lost some of its seeds."""

    slug: str
    label: str
    cells: Mapping[str, Cell]
    cost: Cost
    note: str = ""
    failed: bool = False
    edited: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """What must be said below the table about a row that has numbers."""
        return tuple(text for text in (self.note if self.ran else "", *self.edited, *self.remarks) if text)

    @property
    def ran(self) -> bool:
        return any(cell.summary is not None for cell in self.cells.values())


@dataclass(frozen=True)
class Reference:
    """A row that the others are compared with in the metric that heads the table; `differences` by row slug."""

    slug: str
    label: str
    differences: Mapping[str, Difference]


@dataclass(frozen=True)
class Table:
    """`metrics`: the first heads the table. `baseline`: the slug of the row that every cell's difference is taken to.

    `references`: the baseline, then joint training with unimodal losses, which a balancing method must beat. `banners`
    are printed above the table where its data are not what its title says (made by `cggm twin`).
    """

    name: str
    title: str
    metrics: tuple[Metric, ...]
    baseline: str | None
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    references: tuple[Reference, ...] = ()
    banners: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        return self.metrics[0]

    def claims(self, metric: Metric) -> bool:
        """Whether a paper is cited for any row's value of a metric."""
        return any(row.cells[metric.name].published is not None for row in self.rows)

    @property
    def base(self) -> Row | None:
        return next((row for row in self.rows if row.slug == self.baseline), None)

    def cell(self, row: Row) -> Cell:
        """The row's cell of the metric that heads the table."""
        return row.cells[self.metric.name]

    def best(self, rows: Iterable[Row]) -> Row | None:
        """The row with the best mean of the metric that heads the table; None where none has a number."""
        sign = 1 if self.metric.higher_is_better else -1
        means = {row.slug: (sign * found.mean, row) for row in rows if (found := self.cell(row).summary) is not None}
        return max(means.values(), key=lambda pair: pair[0])[1] if means else None


def make(material: Material) -> Table:
    """The table of what was gathered. DataError where the named metric was not measured."""
    spec = material.spec
    metrics = _metrics(material)
    rows = _corrected([_row(material, row, metrics) for row in spec.rows], metrics)
    baseline = spec.baseline if any(row.slug == spec.baseline for row in spec.rows) else None
    labels = {row.slug: row.label for row in rows}
    found = compared(material, metrics[0])
    references = tuple(Reference(slug, labels[slug], one) for slug, one in found.items() if one)
    return Table(spec.name, spec.title or spec.name, metrics, baseline, spec.seeds, rows, references, material.banners)


def _metrics(material: Material) -> tuple[Metric, ...]:
    """The table's metric, then the others that were measured on the test split, as evaluation ordered them."""
    spec = material.spec
    scores = (score for row in spec.rows for score in material.test_scores(row.slug).values())
    measured = list(dict.fromkeys(name for score in scores for name in score.metrics))
    own = next((FIRST.get(row.experiment.task.kind) for row in spec.rows), None)
    first = spec.metric or own or next(iter(measured), None)
    if first is None or (measured and first not in measured):
        allowed = ", ".join(measured) or "none"
        raise DataError(f"table {spec.name}: metric {first!r} was not measured; allowed: {allowed}")
    return tuple(metric(name) for name in dict.fromkeys((first, *measured)))


def _row(material: Material, row: RowSpec, metrics: tuple[Metric, ...]) -> Row:
    run = material.runs[row.slug]
    note, failed = _note(material, row, run)
    cells = {metric.name: _cell(material, row, metric) for metric in metrics}
    modalities = tuple(row.experiment.used())
    return Row(row.slug, row.label, cells, cost_of(run), note, failed, _edited(row, run), _remarks(run), modalities)


def _corrected(rows: list[Row], metrics: tuple[Metric, ...]) -> tuple[Row, ...]:
    """Every metric's differences with Holm's correction over the rows."""
    for one in metrics:
        name = one.name
        cells = {row.slug: row.cells[name] for row in rows}
        found = corrected({slug: cell.difference for slug, cell in cells.items() if cell.difference is not None})
        changed = {slug: replace(cells[slug], difference=adjusted) for slug, adjusted in found.items()}
        rows = [replace(row, cells={**row.cells, name: changed.get(row.slug, cells[row.slug])}) for row in rows]
    return tuple(rows)


def _cell(material: Material, row: RowSpec, metric: Metric) -> Cell:
    scores = material.test_scores(row.slug)
    values = {seed: score.metrics[metric.name] for seed, score in scores.items() if metric.name in score.metrics}
    summary = summarise(values) if values else None
    published = row.published.get(metric.name)
    difference = against(material, row.slug, material.spec.baseline, metric) if summary is not None else None
    return Cell(summary, difference, published, judge(summary, published, real=not material.banners))


def _note(material: Material, row: RowSpec, run: RowRun) -> tuple[str, bool]:
    """Why numbers are missing, and whether that is a failure."""
    failures, scored = run.failures, material.test_scores(row.slug)
    if failures:
        seed, failure = next(iter(failures.items()))
        share = f"{len(failures)} of {len(run.seeds)} seeds failed"
        text = f"failed: {failure}" if len(failures) == len(run.seeds) == 1 else f"{share}; seed {seed}: {failure}"
        return text, not scored
    if not run.seeds:
        return "not run", False
    if not scored:
        return "trained, not evaluated", False
    wanted = material.spec.seeds or row.experiment.seeds
    missing = [str(seed) for seed in wanted if seed not in scored]
    return (f"seeds not run: {', '.join(missing)}", False) if missing else ("", False)


def _edited(row: RowSpec, run: RowRun) -> tuple[str, ...]:
    """Whether the row's settings are those of its spec, and its numbers those of its settings.

    What is measured besides (`evaluation`) is none of training's: a row is not trained again for it.
    """
    found = changed(run.experiment, row.experiment) if run.experiment is not None else []
    keys = [key for key in found if not key.startswith("evaluation.")]
    trained = f"it was trained with other settings: {', '.join(keys)}" if keys else ""
    return tuple(text for text in (row.edited, trained) if text)


def _remarks(run: RowRun) -> tuple[str, ...]:
    """What a reader of the number must know about how it came about: coefficients that point backwards."""
    shares = [seed.history["B_negative"] for seed in run.seeds.values() if "B_negative" in seed.history]
    if not shares:
        return ()
    share = sum(float(values.mean()) for values in shares) / len(shares)
    return (f"B < 0 in {share:.0%} of steps".replace("%", " %"),) if share > 0 else ()
