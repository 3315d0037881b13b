"""What a row costs: time per step, peak memory, parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.axes import Axes

from cggm_pipeline.report.costs import Cost
from cggm_pipeline.report.figures import rows as lines
from cggm_pipeline.report.figures.style import Figure, Look, Panel, panel, width_of
from cggm_pipeline.report.table import Table

MEASURES: tuple[tuple[str, str, Callable[[Cost], float | None]], ...] = (
    ("step", "Time per step [ms]", lambda cost: None if cost.step is None else 1000 * cost.step),
    ("memory", "Peak memory [MB]", lambda cost: None if cost.memory is None else cost.memory / 1e6),
    ("parameters", "Parameters", lambda cost: cost.parameters),
)


def cost(table: Table, look: Mapping[str, Look]) -> Figure | None:
    """Bars per row; the hatched part of the parameters is trained and dropped at inference."""
    panels = []
    for name, title, measure in MEASURES:
        values = {row.slug: value for row in table.rows if (value := measure(row.cost)) is not None}
        extra = {row.slug: row.cost.classifiers or 0 for row in table.rows} if name == "parameters" else {}
        if values:
            panels.append(_panel(f"cost-{name}", title, values, extra, look))
    caption = (
        "Means over the seeds, on the machine that ran them: compare rows, not machines. Memory is the process's peak, "
        "libraries included. Hatched: classifiers that are trained beside the network and dropped afterwards."
    )
    return Figure("cost", "Cost", caption, tuple(panels), (), len(panels)) if panels else None


def _panel(
    name: str, title: str, values: Mapping[str, float], extra: Mapping[str, float], look: Mapping[str, Look]
) -> Panel:
    def draw(axes: Axes) -> None:
        for place, (slug, value) in enumerate(values.items()):
            more, colour = extra.get(slug, 0), look[slug].colour
            axes.barh(place, value, color=colour, height=0.62)
            if more:
                axes.barh(place, more, left=value, height=0.62, facecolor="none", edgecolor=colour, hatch="////")
            end, text = (value + more, place), _short(value + more)
            axes.annotate(text, end, xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
        lines.label(axes, [look[slug] for slug in values], lines=False)
        axes.margins(x=0.2)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.set_title(title)

    told = "; ".join(f"{look[slug].label} {_short(value)}" for slug, value in values.items())
    return panel(name, f"{title}: {told}.", draw, width=width_of(3), height=lines.height(len(values)))


def _short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
