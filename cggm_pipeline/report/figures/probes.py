"""Linear probes: how good each encoder became, whatever the fusion made of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from cggm_pipeline.report.figures.style import FAINT, Figure, Look, Panel, panel
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.metrics import Metric, metric


def probes(material: Material, look: Mapping[str, Look]) -> Figure | None:
    """One panel per modality: the probe's first metric on the test split, every seed and the mean, per row."""
    found = values_by_modality(material)
    if not found:
        return None
    chosen = metric(_metric_name(material))
    panels = tuple(_panel(modality, rows, look, chosen) for modality, rows in found.items())
    caption = (
        "A linear model is fitted on the frozen features of one encoder (training split) and scored on the test split: "
        "what the encoder knows, apart from what the head uses. Dots are seeds, bars their mean. A joint row that lies "
        "left of its unimodal row has starved that encoder."
    )
    return Figure("probes", "Linear probes of the encoders", caption, panels)


def values_by_modality(material: Material) -> dict[str, dict[str, list[float]]]:
    """Modality to row slug to the probe's value per seed."""
    name = _metric_name(material)
    found: dict[str, dict[str, list[float]]] = {}
    for row in material.spec.rows:
        for score in material.test_scores(row.slug).values():
            for modality, values in score.probes.items():
                if name in values and np.isfinite(values[name]):
                    found.setdefault(modality, {}).setdefault(row.slug, []).append(values[name])
    return dict(sorted(found.items()))


def _metric_name(material: Material) -> str:
    """The first metric that the probes report."""
    return next((name for score in material.scores for values in score.probes.values() for name in values), "")


def _panel(modality: str, rows: Mapping[str, list[float]], look: Mapping[str, Look], chosen: Metric) -> Panel:
    def draw(axes: Axes) -> None:
        for place, (slug, values) in enumerate(rows.items()):
            scaled = np.array(values) * chosen.scale
            colour = look[slug].colour
            axes.axhline(place, color=FAINT, linewidth=0.5, zorder=0)
            axes.plot(scaled, [place] * len(scaled), "o", color=colour, alpha=0.45, markersize=4.5, markeredgewidth=0)
            axes.plot([scaled.mean()] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2.4)
        axes.set_yticks(range(len(rows)), [look[slug].label for slug in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_title(f"{modality} · probe {chosen.heading.lower()}")

    told = "; ".join(f"{look[slug].label} {chosen.text(float(np.mean(values)))}" for slug, values in rows.items())
    height = 0.75 + 0.27 * max(len(rows), 3)
    return panel(f"probe-{modality}", f"Probe of {modality}: {told}.", draw, height=height)
