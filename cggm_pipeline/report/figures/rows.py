"""Drawings with one line per row of the table: dots of seeds, and the axis with the labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from cggm_pipeline.report.figures.style import FAINT, Look


def dots(axes: Axes, values: Sequence[Sequence[float]], looks: Sequence[Look]) -> None:
    """Per row one dot for every seed and a bar at their mean."""
    for place, (row, look) in enumerate(zip(values, looks, strict=True)):
        axes.plot(row, [place] * len(row), "o", color=look.colour, alpha=0.45, markersize=4.5, markeredgewidth=0)
        axes.plot([float(np.mean(row))] * 2, [place - 0.3, place + 0.3], color=look.colour, linewidth=2.4)
    label(axes, looks)


def label(axes: Axes, looks: Sequence[Look], *, lines: bool = True) -> None:
    """The rows' labels on the y axis, the first on top."""
    axes.set_yticks(range(len(looks)), [look.short for look in looks])
    axes.set_ylim(len(looks) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    for place in range(len(looks)) if lines else ():
        axes.axhline(place, color=FAINT, linewidth=0.5, zorder=0)
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=5)


def height(rows: int) -> float:
    """Inches for so many rows."""
    return 0.75 + 0.27 * max(rows, 3)
