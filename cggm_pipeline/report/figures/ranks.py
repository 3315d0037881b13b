"""The critical-difference diagram (Demsar, JMLR 7, 2006, figure 1): methods along their ranks, bars over equal ones."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from cggm_pipeline.report.figures.style import BASELINE, FAINT, INK, Panel, panel, short
from cggm_pipeline.report.ranking import Ranking

ROW, BAR = 0.24, 0.16
"""Inches between labels, and between bars."""


def diagram(ranking: Ranking) -> Panel:
    """The best method on the left; a bar joins methods that are not told apart; the critical difference is above."""
    methods, found = ranking.methods, ranking.groups
    bars = _rows(found)
    depth = 0.25 + BAR * (max(bars, default=-1) + 1)
    half = (len(methods) + 1) // 2
    below = depth + ROW * (half + 0.5)

    def draw(axes: Axes) -> None:
        axes.set_axis_off()
        axes.set_xlim(-0.75 * len(methods) + 0.5, 1.75 * len(methods) + 0.5)
        axes.set_ylim(below, -0.75)
        _scale(axes, len(methods))
        _critical(axes, ranking.difference)
        for row, (first, last) in zip(bars, found, strict=True):
            ends = [methods[first].rank - 0.04 * len(methods) / 10, methods[last].rank + 0.04 * len(methods) / 10]
            axes.plot(ends, [0.2 + BAR * row] * 2, color=BASELINE, linewidth=3, solid_capstyle="butt")
        for place, method in enumerate(methods):
            left = place < half
            height = depth + ROW * ((place if left else len(methods) - 1 - place) + 0.5)
            edge = 0.6 if left else len(methods) + 0.4
            axes.plot([method.rank, method.rank, edge], [0, height, height], color=INK, linewidth=0.9)
            text, side = f"{short(method.label)}  {method.rank:.2f}", "right" if left else "left"
            shift = (-4, 0) if left else (4, 0)
            axes.annotate(text, (edge, height), shift, textcoords="offset points", ha=side, va="center", fontsize=8.5)

    told = "; ".join(f"{method.label} {method.rank:.2f}" for method in methods)
    alt = f"Average ranks: {told}. Critical difference {ranking.difference:.2f}."
    return panel(f"ranks-{ranking.name.replace('/', '-')}", alt, draw, width=8.6, height=0.75 + below)


def _scale(axes: Axes, methods: int) -> None:
    """The line of ranks with a tick at every rank, a number at some."""
    step = max(1, round(methods / 10))
    axes.plot([1, methods], [0, 0], color=INK, linewidth=1.2)
    for rank in range(1, methods + 1):
        axes.plot([rank, rank], [0, -0.08], color=INK if rank % step == 0 or rank == 1 else FAINT, linewidth=1)
        if rank % step == 0 or rank == 1:
            axes.text(rank, -0.12, str(rank), ha="center", va="bottom", fontsize=8)


def _critical(axes: Axes, difference: float) -> None:
    """The critical difference as a bar from rank 1 on."""
    axes.plot([1, 1 + difference], [-0.48, -0.48], color=INK, linewidth=1.6)
    for end in (1, 1 + difference):
        axes.plot([end, end], [-0.53, -0.43], color=INK, linewidth=1.2)
    axes.text(1 + difference / 2, -0.55, f"CD = {difference:.2f}", ha="center", va="bottom", fontsize=8.5)


def _rows(found: Sequence[tuple[int, int]]) -> list[int]:
    """A line for each bar, so that no two of one line overlap."""
    ends: list[int] = []
    rows = []
    for first, last in found:
        row = next((row for row, end in enumerate(ends) if end < first), len(ends))
        ends[row:] = [last, *ends[row + 1 :]]
        rows.append(row)
    return rows
