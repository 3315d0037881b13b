"""Every seed's number, and the paired differences with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from statistics import median

from matplotlib.axes import Axes

from cggm_pipeline.report.figures import rows as lines
from cggm_pipeline.report.figures.style import INK, Figure, Look, Panel, panel, short, width_of
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.statistics import Difference, Summary
from cggm_pipeline.report.table import Reference, Table
from cggm_pipeline.report.texts import difference, summary


def results(table: Table, look: Mapping[str, Look]) -> Figure | None:
    """The metric that heads the table: all seeds, and one forest plot per row that differences are taken to."""
    cells = {row.slug: table.cell(row).summary for row in table.rows}
    summaries = {slug: one for slug, one in cells.items() if one is not None}
    if not summaries:
        return None
    forests = [(reference, found) for reference in table.references if (found := _methods(table, reference))]
    width = width_of(1 + len(forests))
    panels = [_seeds(table.metric, summaries, look, width)]
    panels += [_forest(reference, found, table.metric, look, width) for reference, found in forests]
    caption = (
        "Every seed: a dot is one seed on the test split, the bar their mean. Differences: paired seed by seed and, "
        "where predictions are kept, sample by sample; the line is the 95 % interval. Where it crosses the vertical "
        "line, these data do not tell the two apart (empty dot); a filled dot's interval excludes 0. An arrow with its "
        "number lies beyond the axis. Rows of a single modality stand in the table only."
    )
    return Figure("results", f"Test {table.metric.heading.lower()}", caption, tuple(panels), (), len(panels))


def _methods(table: Table, reference: Reference) -> dict[str, Difference]:
    """Differences of the rows that use several modalities: the others would stretch the axis."""
    fused = [row.slug for row in table.rows if len(row.modalities) != 1]
    return {slug: reference.differences[slug] for slug in fused if slug in reference.differences}


def _seeds(metric: Metric, summaries: Mapping[str, Summary], look: Mapping[str, Look], width: float) -> Panel:
    def draw(axes: Axes) -> None:
        values = [[value * metric.scale for value in found.values.values()] for found in summaries.values()]
        lines.dots(axes, values, [look[slug] for slug in summaries])
        axes.set_title(f"Every seed · {metric.heading.lower()}")

    told = "; ".join(f"{look[slug].label} {summary(found, metric)}" for slug, found in summaries.items())
    alt = f"{metric.heading} of every seed: {told}."
    return panel("seeds", alt, draw, width=width, height=lines.height(len(summaries)))


def _forest(
    reference: Reference, found: Mapping[str, Difference], metric: Metric, look: Mapping[str, Look], width: float
) -> Panel:
    unit = "points" if metric.unit == "%" else metric.heading

    scaled = {slug: _scaled(one, metric.scale) for slug, one in found.items()}
    limit = reach(list(scaled.values()))

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=INK, linewidth=1)
        for place, (slug, one) in enumerate(scaled.items()):
            if abs(one.mean) > limit:
                _beyond(axes, place, one.mean, limit, metric.text(found[slug].mean, signed=True), look[slug].colour)
            else:
                _interval(axes, place, one, look[slug].colour)
        lines.label(axes, [look[slug] for slug in found])
        axes.set_title(f"To {short(reference.label)} [{unit}]")

    told = "; ".join(f"{look[slug].label} {difference(one, metric)}" for slug, one in found.items())
    alt = f"Paired difference to {reference.label}: {told}."
    return panel(f"forest-{reference.slug}", alt, draw, width=width, height=lines.height(len(found)))


def reach(found: Sequence[Difference]) -> float:
    """How far from 0 a difference is drawn to scale: without this, one broken method flattens all others.

    Six times the median half-width of the intervals, if that holds at least half of the rows; infinite otherwise.
    """
    halves = [(one.high - one.low) / 2 for one in found if not isnan(one.low)]
    limit = 6 * median(halves) if halves else 0.0
    return limit if 2 * sum(abs(one.mean) <= limit for one in found) >= len(found) and limit > 0 else float("inf")


def _interval(axes: Axes, place: int, one: Difference, colour: str) -> None:
    if not isnan(one.low):
        axes.plot([one.low, one.high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
    face = colour if one.decided else "white"
    axes.plot(one.mean, place, "o", markersize=6.5, mfc=face, mec=colour, mew=1.6)


def _beyond(axes: Axes, place: int, mean: float, limit: float, text: str, colour: str) -> None:
    """An arrow at the edge, with the number."""
    left = mean < 0
    edge = -limit if left else limit
    axes.plot(edge, place, "<" if left else ">", markersize=6.5, color=colour)
    shift, side = (8, "left") if left else (-8, "right")
    axes.annotate(text, (edge, place), (shift, 0), textcoords="offset points", ha=side, va="center", fontsize=8)


def _scaled(one: Difference, scale: float) -> Difference:
    return replace(one, mean=one.mean * scale, low=one.low * scale, high=one.high * scale)
