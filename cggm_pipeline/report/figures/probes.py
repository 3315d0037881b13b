"""Linear probes: how good each encoder became, whatever the fusion made of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from cggm_pipeline.report.figures import rows as lines
from cggm_pipeline.report.figures.style import Figure, Look, Panel, panel, width_of
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.metrics import Metric, metric


def probes(material: Material, look: Mapping[str, Look]) -> Figure | None:
    """One panel per modality: the probe's first metric on the test split, every seed and the mean, per row."""
    found = values_by_modality(material)
    if not found:
        return None
    chosen = metric(_metric_name(material))
    width = width_of(len(found))
    panels = tuple(_panel(modality, values, look, chosen, width) for modality, values in found.items())
    caption = (
        "A linear model is fitted on the frozen features of one encoder (training split) and scored on the test split: "
        "what the encoder knows, apart from what the head uses. Dots are seeds, bars their means. A joint row that is "
        "worse than its unimodal row has starved that encoder."
    )
    return Figure("probes", "Linear probes of the encoders", caption, panels, (), min(len(panels), 3))


def values_by_modality(material: Material) -> dict[str, dict[str, list[float]]]:
    """Modality to row slug to the probe's value per seed."""
    name = _metric_name(material)
    found: dict[str, dict[str, list[float]]] = {}
    for row in material.spec.rows:
        for score in material.test_scores(row.slug).values():
            for modality, values in score.probes.items():
                if np.isfinite(values.get(name, np.nan)):
                    found.setdefault(modality, {}).setdefault(row.slug, []).append(values[name])
    return dict(sorted(found.items()))


def _metric_name(material: Material) -> str:
    """The first metric that the probes report."""
    return next((name for score in material.scores for values in score.probes.values() for name in values), "")


def _panel(
    modality: str, values: Mapping[str, list[float]], look: Mapping[str, Look], chosen: Metric, width: float
) -> Panel:
    def draw(axes: Axes) -> None:
        scaled = [[value * chosen.scale for value in row] for row in values.values()]
        lines.dots(axes, scaled, [look[slug] for slug in values])
        axes.set_title(f"{modality} · probe {chosen.heading.lower()}")

    told = "; ".join(f"{look[slug].label} {chosen.text(float(np.mean(row)))}" for slug, row in values.items())
    alt = f"Probe of {modality}: {told}."
    return panel(f"probe-{modality}", alt, draw, width=width, height=lines.height(len(values)))
