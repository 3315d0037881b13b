"""Every seed's number, and the paired differences with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

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
        "line, these data do not tell the two apart (empty dot); a filled dot's interval excludes 0. Rows of a single "
        "modality stand in the table only."
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

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=INK, linewidth=1)
        for place, (slug, one) in enumerate(found.items()):
            mean, colour = one.mean * metric.scale, look[slug].colour
            if not isnan(one.low):
                ends = [one.low * metric.scale, one.high * metric.scale]
                axes.plot(ends, [place, place], color=colour, linewidth=2, solid_capstyle="round")
            face = colour if one.decided else "white"
            axes.plot(mean, place, "o", markersize=6.5, mfc=face, mec=colour, mew=1.6)
        lines.label(axes, [look[slug] for slug in found])
        axes.set_title(f"To {short(reference.label)} [{unit}]")

    told = "; ".join(f"{look[slug].label} {difference(one, metric)}" for slug, one in found.items())
    alt = f"Paired difference to {reference.label}: {told}."
    return panel(f"forest-{reference.slug}", alt, draw, width=width, height=lines.height(len(found)))
