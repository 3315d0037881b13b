"""What a row costs: time per step, peak memory, parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.axes import Axes

from cggm_pipeline.report.figures.style import Figure, Look, Panel, panel
from cggm_pipeline.report.table import Cost, Table

MEASURES: tuple[tuple[str, str, Callable[[Cost], float | None]], ...] = (
    ("step", "Time per step [ms]", lambda cost: None if cost.step is None else 1000 * cost.step),
    ("memory", "Peak memory [MB]", lambda cost: None if cost.memory is None else cost.memory / 1e6),
    ("parameters", "Parameters, network + classifiers", lambda cost: cost.parameters),
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
        "which holds the libraries too. Hatched: classifiers that are trained beside the network and dropped afterwards."
    )
    return Figure("cost", "Cost", caption, tuple(panels), (), len(panels)) if panels else None


def _panel(
    name: str, title: str, values: Mapping[str, float], extra: Mapping[str, float], look: Mapping[str, Look]
) -> Panel:
    def draw(axes: Axes) -> None:
        for place, (slug, value) in enumerate(values.items()):
            more = extra.get(slug, 0)
            axes.barh(place, value, color=look[slug].colour, height=0.62)
            if more:
                axes.barh(place, more, left=value, height=0.62, facecolor="none", edgecolor=look[slug].colour, hatch="////")
            axes.annotate(
                _short(value + more), (value + more, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
            )
        axes.set_yticks(range(len(values)), [look[slug].label for slug in values])
        axes.set_ylim(len(values) - 0.4, -0.6)
        axes.margins(x=0.16)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_title(title)

    told = "; ".join(f"{look[slug].label} {_short(value)}" for slug, value in values.items())
    return panel(name, f"{title}: {told}.", draw, height=0.75 + 0.27 * max(len(values), 3))


def _short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
