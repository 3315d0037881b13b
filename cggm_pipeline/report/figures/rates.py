"""How a row falls off as modalities go missing: the mean over seeds, and a band of one standard deviation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from cggm_pipeline.report.figures.style import Figure, Look, panel
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.rates import DRAWN, rates_of
from cggm_pipeline.report.statistics import Summary

Curves = Mapping[str, Mapping[float, Summary]]


def missing_rates(material: Material, look: Mapping[str, Look], metric: Metric) -> Figure | None:
    """All rows that were measured at two rates or more, in one panel; None where there is none."""
    found = {slug: row for slug, row in rates_of(material, metric).items() if len(row) > 1}
    if not found:
        return None
    told = [f"{look[slug].label} {_ends(row, metric)}" for slug, row in found.items()]
    alt = f"Test {metric.title.lower()} over the missing rate: {'; '.join(told)}."
    drawn = panel("missing-rates", alt, partial(_draw, found, look, metric), width=7.4, height=3.6)
    caption = f"Lines are means over the seeds, bands one standard deviation. {DRAWN}"
    key = tuple(look[slug] for slug in look if slug in found)
    return Figure("rates", "Falling off with missing modalities", caption, (drawn,), key, 1)


def _draw(curves: Curves, look: Mapping[str, Look], metric: Metric, axes: Axes) -> None:
    axes.set_title(f"Test {metric.heading.lower()}")
    axes.set_xlabel("missing rate [%]")
    for slug in look:
        if slug in curves:
            _curve(axes, curves[slug], look[slug], metric.scale)
    axes.margins(x=0.01)


def _curve(axes: Axes, row: Mapping[float, Summary], look: Look, scale: float) -> None:
    rates = 100 * np.array(list(row))
    mean = scale * np.array([one.mean for one in row.values()])
    spread = scale * np.array([one.sd for one in row.values()])  # NaN, and no band, where one seed ran
    axes.fill_between(rates, mean - spread, mean + spread, color=look.colour, alpha=0.13, linewidth=0)
    axes.plot(rates, mean, color=look.colour, linestyle=look.dash, linewidth=look.width)


def _ends(row: Mapping[float, Summary], metric: Metric) -> str:
    """`91.4 at 0 %, 40.2 at 90 %`."""
    ends = (next(iter(row)), next(reversed(dict(row))))
    return ", ".join(f"{metric.text(row[rate].mean)} at {100 * rate:g} %" for rate in ends)
