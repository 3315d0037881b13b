"""Confusion matrices of the baseline and of the best row, and what changed between them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from cggm_pipeline.report.figures.style import Figure, Panel, panel, short, width_of
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.table import Table

Floats = NDArray[np.float64]
NUMBERS = 12
"""Up to so many classes every cell has its number."""
RASTER = 40
"""Beyond so many classes the cells are one image: thousands of rectangles make a page slow."""


def confusion(table: Table, material: Material) -> Figure | None:
    """Rows of the matrix sum to 100 %: what became of the samples of one true class, over all seeds."""
    base, best = table.base, table.best(row for row in table.rows if row is not table.base)
    shown = [row for row in (base, best) if row is not None and row.slug in material.confusion]
    shown = list({row.slug: row for row in shown}.values())
    if not shown:
        return None
    shares = [_shares(material.confusion[row.slug]) for row in shown]
    names = _names(material, len(shares[0]))
    panels = [_panel(row.slug, row.label, share, names, signed=False) for row, share in zip(shown, shares, strict=True)]
    if len(shares) == 2 and shares[0].shape == shares[1].shape:
        panels.append(_panel("change", "Second minus first [points]", shares[1] - shares[0], names, signed=True))
    caption = (
        "Of the test samples of each true class (rows), the share in % that was predicted as each class (columns), "
        "over all seeds. The row with the best mean is shown beside the baseline because it was the best on this test "
        "split: its errors flatter it a little."
    )
    return Figure("confusion", "Confusion matrices", caption, tuple(panels), (), len(panels))


def _shares(counts: Floats) -> Floats:
    total = counts.sum(axis=1, keepdims=True)
    return 100 * counts / np.where(total > 0, total, 1)


def _names(material: Material, number: int) -> list[str]:
    classes = next((facts.classes for facts in material.data.values() if len(facts.classes) == number), ())
    return list(classes) or [str(index) for index in range(number)]


def _panel(slug: str, title: str, shares: Floats, names: list[str], *, signed: bool) -> Panel:
    limit = max(float(np.abs(shares).max()), 1.0)

    def draw(axes: Axes) -> None:
        bounds = (-limit, limit) if signed else (0.0, 100.0)
        edges = np.arange(len(names) + 1) - 0.5
        colours = "PuOr" if signed else "Blues"
        mesh = axes.pcolormesh(edges, edges, shares, cmap=colours, vmin=bounds[0], vmax=bounds[1])
        mesh.set_rasterized(len(names) > RASTER)
        axes.set_aspect("equal")
        axes.invert_yaxis()
        every = max(1, -(-len(names) // 20))
        ticks = range(0, len(names), every)
        turned = 90 if max(map(len, names)) > 3 else 0
        axes.set_xticks(ticks, [names[tick] for tick in ticks], rotation=turned)
        axes.set_yticks(ticks, [names[tick] for tick in ticks])
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_title(short(title))
        if len(names) <= NUMBERS:
            _write(axes, shares, bounds[1], signed=signed)

    right = float(np.diag(shares).mean())
    alt = (
        f"{title}: mean diagonal {right:+.1f} points."
        if signed
        else f"{title}: mean share right per class {right:.1f} %."
    )
    return panel(f"confusion-{slug}", alt, draw, width=width_of(3), height=3.7)


def _write(axes: Axes, shares: Floats, limit: float, *, signed: bool) -> None:
    """The numbers that are not 0 after rounding."""
    for (true, predicted), share in np.ndenumerate(shares):
        if round(float(share), 1 if signed else 0):
            text = f"{share:+.1f}".replace("-", "−") if signed else f"{share:.0f}"
            colour = "white" if abs(share) > 0.6 * limit else "#1f2933"
            axes.text(predicted, true, text, ha="center", va="center", fontsize=7, color=colour)
