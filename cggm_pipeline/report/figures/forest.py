"""Every seed's number, and the paired differences with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from matplotlib.axes import Axes

from cggm_pipeline.report.figures.style import FAINT, INK, Figure, Look, Panel, panel
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.statistics import Difference, Summary
from cggm_pipeline.report.table import Table
from cggm_pipeline.report.texts import difference, summary


def results(table: Table, look: Mapping[str, Look], others: Mapping[str, Mapping[str, Difference]]) -> Figure | None:
    """The metric that heads the table: all seeds, and one forest plot per row that differences are taken to.

    `others`: label of a reference row to the differences of the other rows to it.
    """
    summaries = {row.slug: found for row in table.rows if (found := table.cell(row).summary) is not None}
    if not summaries:
        return None
    panels = [_seeds(table.metric, summaries, look)]
    panels += [
        _forest(f"forest-{number}", label, table.metric, found, look)
        for number, (label, found) in enumerate(others.items())
        if found
    ]
    caption = (
        "Left: every dot is one seed on the test split, the bar their mean. Beside it: the difference to a reference "
        "row, paired seed by seed and sample by sample; the line is the 95 % interval. An interval that crosses the "
        "vertical line means that these data do not tell the two apart. Filled dots: the interval excludes 0."
    )
    return Figure("results", f"Test {table.metric.heading.lower()}", caption, tuple(panels), (), len(panels))


def _seeds(metric: Metric, summaries: Mapping[str, Summary], look: Mapping[str, Look]) -> Panel:
    def draw(axes: Axes) -> None:
        for place, (slug, found) in enumerate(summaries.items()):
            values = [value * metric.scale for value in found.values.values()]
            colour = look[slug].colour
            axes.plot(values, [place] * len(values), "o", color=colour, alpha=0.45, markersize=4.5, markeredgewidth=0)
            axes.plot([found.mean * metric.scale] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2.4)
        _rows(axes, [look[slug].label for slug in summaries])
        axes.set_title(f"Every seed · {metric.heading.lower()}")

    told = "; ".join(f"{look[slug].label} {summary(found, metric)}" for slug, found in summaries.items())
    return panel("seeds", f"{metric.heading} of every seed: {told}.", draw, height=_height(len(summaries)))


def _forest(name: str, label: str, metric: Metric, found: Mapping[str, Difference], look: Mapping[str, Look]) -> Panel:
    def draw(axes: Axes) -> None:
        axes.axvline(0, color=INK, linewidth=1)
        for place, (slug, one) in enumerate(found.items()):
            mean, colour = one.mean * metric.scale, look[slug].colour
            if not isnan(one.low):
                ends = [one.low * metric.scale, one.high * metric.scale]
                axes.plot(ends, [place, place], color=colour, linewidth=2, solid_capstyle="round")
            face = colour if one.decided else "white"
            axes.plot(mean, place, "o", markersize=6.5, markerfacecolor=face, markeredgecolor=colour, markeredgewidth=1.6)
        _rows(axes, [look[slug].label for slug in found])
        unit = "points" if metric.unit == "%" else metric.heading
        axes.set_title(f"Difference to {label} [{unit}]")

    told = "; ".join(f"{look[slug].label} {difference(one, metric)}" for slug, one in found.items())
    return panel(name, f"Paired difference to {label}: {told}.", draw, height=_height(len(found)))


def _rows(axes: Axes, labels: list[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    for place in range(len(labels)):
        axes.axhline(place, color=FAINT, linewidth=0.5, zorder=0)
    axes.spines["left"].set_visible(False)


def _height(rows: int) -> float:
    return 0.75 + 0.27 * max(rows, 3)
