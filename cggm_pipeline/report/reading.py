"""What the numbers say, in sentences that are computed and never say more than the intervals do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from cggm_pipeline.report.differences import demanding
from cggm_pipeline.report.lines import cells
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.statistics import Difference
from cggm_pipeline.report.table import Reference, Table
from cggm_pipeline.report.texts import difference, summary

FEW = 5
"""Below so many seeds the reading says that they are few."""


@dataclass(frozen=True)
class Sentence:
    """`head` says what it is about."""

    head: str
    text: str


def sentences(table: Table, material: Material) -> list[Sentence]:
    """The reading of a table: differences to the references, modalities, failures, verdicts, and what limits them."""
    alone = {row.slug for row in table.rows if len(row.modalities) == 1}
    said = [Sentence("Not the real data", f"{banner}.") for banner in table.banners]
    said += [one for reference in table.references for one in _compared(reference, table, alone)]
    said += _single_modalities(table, alone) + _backwards(table) + _verdicts(table, material) + _incomplete(table)
    return said + _limits(table, material)


def _compared(reference: Reference, table: Table, alone: set[str]) -> list[Sentence]:
    """Better, worse, and not told apart, each with its numbers; rows of one modality are spoken of elsewhere."""
    sign = 1 if table.metric.higher_is_better else -1
    left_out = alone | {table.baseline}
    judged = {s: one for s, one in reference.differences.items() if s not in left_out and not isnan(one.low)}
    sides = {
        "Better than": {slug: one for slug, one in judged.items() if one.decided and sign * one.mean > 0},
        "Worse than": {slug: one for slug, one in judged.items() if one.decided and sign * one.mean < 0},
        "Not told apart from": {slug: one for slug, one in judged.items() if not one.decided},
    }
    labels = {row.slug: row.label for row in table.rows}
    return [
        Sentence(f"{side} {reference.label}", f"{_listed(found, labels, table.metric)}.")
        for side, found in sides.items()
        if found
    ]


def _listed(found: Mapping[str, Difference], labels: Mapping[str, str], metric: Metric) -> str:
    return ", ".join(f"{labels[slug]} {_whole(difference(one, metric))}" for slug, one in found.items())


def _whole(number: str) -> str:
    """A number with its interval, never broken over two lines."""
    return number.replace(" ", "\u00a0")


def _single_modalities(table: Table, alone: set[str]) -> list[Sentence]:
    """Is the baseline better than the best modality alone? Often it is not."""
    row, base = table.best(row for row in table.rows if row.slug in alone and row.slug != table.baseline), table.base
    if row is None or base is None:
        return []
    gap, ours, theirs = table.cell(row).difference, table.cell(base).summary, table.cell(row).summary
    if gap is None or isnan(gap.low):
        return []
    numbers = f"{_whole(summary(ours, table.metric))} against {_whole(summary(theirs, table.metric))}"
    worse = gap.mean > 0 if table.metric.higher_is_better else gap.mean < 0
    word = "not told apart from" if not gap.decided else "worse than" if worse else "better than"
    return [Sentence("Fusion", f"{base.label} is {word} the best modality alone, {row.label}: {numbers}.")]


def _backwards(table: Table) -> list[Sentence]:
    told = [f"{row.label}: {text}" for row in table.rows for text in row.remarks]
    return [Sentence("Encoders pushed up their own loss", f"{'; '.join(told)}.")] if told else []


def _verdicts(table: Table, material: Material) -> list[Sentence]:
    """Of the complete test split, and of the cases with modalities missing that a paper is cited for."""
    states = [cell.verdict.state for row in table.rows for cell in row.cells.values() if cell.published is not None]
    states += [cell.verdict.state for cell in cells(material, table.metric) if cell.published is not None]
    judged = [state for state in states if state in ("reproduced", "within", "not reproduced")]
    if not judged:
        return []
    number = judged.count("reproduced")
    return [Sentence("Published numbers", f"{number} of {len(judged)} lie within 2 of our standard deviations.")]


def _incomplete(table: Table) -> list[Sentence]:
    kinds = {
        "Failed": [row for row in table.rows if row.failed],
        "Not run": [row for row in table.rows if not row.ran and not row.failed],
        "Not all seeds have a result": [row for row in table.rows if row.ran and row.note],
        "Run with settings that differ from the spec": [row for row in table.rows if row.edited],
    }
    return [Sentence(head, f"{_and([row.label for row in rows])}.") for head, rows in kinds.items() if rows]


def _limits(table: Table, material: Material) -> list[Sentence]:
    """What a careful reader would object."""
    shown = [one for reference in table.references for one in reference.differences.values()]
    number = sum(not isnan(one.low) for one in shown)
    said = []
    if number > 1:
        chance = f"about {number * 0.05:.1f} would exclude 0 by chance"
        kept = sum(one.survives for one in shown)
        said.append(f"{number} intervals at 95 %: even if no method differed, {chance}.")
        said.append(
            f"After Holm's correction for that, {kept or 'no'} difference{'s' * (kept != 1)} from 0 can be told."
        )
    most = max((cell.summary.n for row in table.rows if (cell := table.cell(row)).summary), default=0)
    if 0 < most < FEW:
        said.append(f"{most} seed{'s are' if most > 1 else ' is'} few: the spread between seeds is itself uncertain.")
    if table.base is not None and demanding(material) is None and len(table.rows) > 1:
        said.append("No row trains with unimodal losses, which a balancing method must beat.")
    return [Sentence("Limits", " ".join(said))] if said else []


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
