"""Curves over epochs: the mean over seeds, and a band of one standard deviation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from cggm_pipeline.report.figures.style import FAINT, INK, Figure, Look, Panel, panel
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.metrics import metric
from cggm_pipeline.report.runs import RowRun

Floats = NDArray[np.float64]
EXPLODES = 10.0
"""A coefficient whose epoch mean is larger than this is drawn on an axis that is linear up to 2 and logarithmic beyond."""


@dataclass(frozen=True)
class Quantity:
    """A column of the history, one per modality: `B_audio`. `neutral`: where a balanced modality would be."""

    column: str
    title: str
    reading: str


QUANTITIES = (
    Quantity("B", "Coefficient B", "B multiplies the gradient of the modality's encoder; below 0 it climbs its loss. The dashed line is the neutral value (M − 1)/M. Means over an epoch; where they explode, the axis is logarithmic beyond ±2."),  # noqa: E501
    Quantity("factor", "Gradient factor k", "What the encoder's gradient is multiplied by; 1 leaves it as it is."),
    Quantity("cos", "Cosine of g and gᵢ", "Agreement between the gradient of the fused head and that of the modality's own classifier: 1 is the same direction, below 0 they pull apart."),  # noqa: E501
    Quantity("eps", "Score ε of the modality's classifier", "How well the modality alone does on the training batches: what CGGM compares."),  # noqa: E501
    Quantity("score", "Score s of the modality", "Mean probability of the true class from the modality's part of the head: what OGM-GE compares."),  # noqa: E501
    Quantity("grad_norm", "Gradient norm of the encoder", "Before modulation. A weak encoder that is starved shows as a line that dies early."),  # noqa: E501
)  # fmt: skip


def learning(material: Material, look: Mapping[str, Look], name: str) -> Figure | None:
    """Training loss, validation loss and the validation metric `name`, all rows together."""
    chosen = metric(name)
    columns = {
        "train_loss": ("Training loss, with the method's own terms", 1.0),
        "valid_loss": ("Validation loss", 1.0),
        f"valid_{name}": (f"Validation {chosen.heading.lower()}", chosen.scale),
    }
    panels, rows = [], set()
    for column, (title, scale) in columns.items():
        series = _series(material.runs.values(), column)
        if series:
            panels.append(_panel(f"learning-{column}", title, series, look, scale))
            rows |= set(series)
    caption = (
        "Each line is the mean over seeds, each band one standard deviation. Selection reads the validation split only. "
        "A validation loss that climbs while the metric stands still is over-confidence, not forgetting."
    )
    key = tuple(look[slug] for slug in look if slug in rows)
    return Figure("learning", "Learning curves", caption, tuple(panels), key, 3) if panels else None


def modalities(material: Material, look: Mapping[str, Look]) -> list[Figure]:
    """One figure per quantity that was logged, with one panel per modality."""
    names = _modalities(material)
    figures = []
    for quantity in QUANTITIES:
        panels, rows = [], set()
        for modality in names:
            column = f"{quantity.column}_{modality}"
            series = _series(material.runs.values(), column)
            if series:
                line = (len(names) - 1) / len(names) if quantity.column == "B" else None
                panels.append(_panel(column, f"{quantity.title} · {modality}", series, look, 1.0, line))
                rows |= set(series)
        if panels:
            key = tuple(look[slug] for slug in look if slug in rows)
            figures.append(Figure(quantity.column, quantity.title, quantity.reading, tuple(panels), key))
    return figures


def _modalities(material: Material) -> list[str]:
    return sorted({name for row in material.spec.rows for name in row.experiment.used()})


def _series(runs: Iterable[RowRun], column: str) -> dict[str, Floats]:
    """Per row the values (seeds, epochs) of a column; NaN where a seed stopped earlier. Rows without it are left out."""
    found = {}
    for run in runs:
        curves = [seed.history[column] for seed in run.seeds.values() if len(seed.history.get(column, ()))]
        if curves:
            stacked = np.full((len(curves), max(map(len, curves))), np.nan)
            for row, curve in zip(stacked, curves, strict=True):
                row[: len(curve)] = curve
            found[run.slug] = stacked
    return found


def _panel(
    name: str, title: str, series: Mapping[str, Floats], look: Mapping[str, Look], scale: float, line: float | None = None
) -> Panel:
    def draw(axes: Axes) -> None:
        axes.set_title(title)
        axes.set_xlabel("epoch")
        if line is not None:
            axes.axhline(line, color=INK, linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
        for slug in look:
            if slug in series:
                _curve(axes, series[slug] * scale, look[slug])
        if line is not None and _explodes(series):
            axes.set_yscale("symlog", linthresh=2.0)
            axes.axhline(0, color=FAINT, linewidth=0.9, zorder=1)
        axes.margins(x=0.01)

    ends = [f"{look[slug].label} ends at {_last(values * scale):.3g}" for slug, values in series.items()]
    return panel(name.replace("_", "-"), f"{title} over epochs: {'; '.join(ends)}.", draw)


def _curve(axes: Axes, values: Floats, look: Look) -> None:
    mean, spread = _mean_spread(values)
    epochs = np.arange(1, values.shape[1] + 1)
    axes.fill_between(epochs, mean - spread, mean + spread, color=look.colour, alpha=0.13, linewidth=0)
    axes.plot(epochs, mean, color=look.colour, linestyle=look.dash, linewidth=look.width)


def _mean_spread(values: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation over the seeds that are still running, per epoch; no spread of a single one."""
    masked = np.ma.masked_invalid(values)
    number = masked.count(axis=0)
    spread = masked.std(axis=0) * np.sqrt(number / np.maximum(number - 1, 1))
    return np.asarray(masked.mean(axis=0).filled(np.nan)), np.asarray(np.ma.filled(spread, np.nan))


def _explodes(series: Mapping[str, Floats]) -> bool:
    return any(float(np.nanmax(np.abs(values))) > EXPLODES for values in series.values() if np.isfinite(values).any())


def _last(values: Floats) -> float:
    mean, _ = _mean_spread(values)
    finite = mean[np.isfinite(mean)]
    return float(finite[-1]) if len(finite) else float("nan")
