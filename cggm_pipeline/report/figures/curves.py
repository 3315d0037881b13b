"""Curves over epochs: the mean over seeds, and a band of one standard deviation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from cggm_pipeline.report.figures.style import FAINT, INK, Figure, Look, Panel, panel, width_of
from cggm_pipeline.report.material import Material
from cggm_pipeline.report.metrics import metric

Floats = NDArray[np.float64]
EXPLODES = 10.0
"""Where an epoch's mean coefficient is larger than this, the axis is logarithmic."""


@dataclass(frozen=True)
class Quantity:
    """A column of the history, one per modality: `B_audio`. `neutral`: where a balanced modality would be."""

    column: str
    title: str
    reading: str


QUANTITIES = (
    Quantity("B", "Coefficient B", "B multiplies the gradient of the modality's encoder; below 0 it climbs its loss. The dashed line is the neutral value (M − 1)/M. Means over an epoch; where they explode, the axis is logarithmic beyond ±2."),  # noqa: E501
    Quantity("factor", "Gradient factor k", "What the encoder's gradient is multiplied by; 1 leaves it as it is."),
    Quantity("rate", "Factor on the learning rate", "What the encoder's learning rate is multiplied by; 0: it rests."),
    Quantity("weight", "Weight", "Of the modality's own loss or gradient beside the joint one."),
    Quantity("drop", "Probability of being dropped", "How often the modality's features are left out of the next step."),  # noqa: E501
    Quantity("cos", "Cosine of g and gᵢ", "Agreement between the gradient of the fused head and that of the modality's own classifier: 1 is the same direction, below 0 they pull apart."),  # noqa: E501
    Quantity("eps", "Score ε of the modality's classifier", "How well the modality alone does on the training batches: what CGGM compares."),  # noqa: E501
    Quantity("score", "Score s of the modality", "How well the modality does by itself on the training batches, as its method measures it: most often the mean probability of the true class."),  # noqa: E501
    Quantity("alone", "Validation score of the modality alone", "The metric that selects the epoch, with all other modalities left out."),  # noqa: E501
    Quantity("grad_norm", "Gradient norm of the encoder", "Before modulation. A weak encoder that is starved shows as a line that dies early."),  # noqa: E501
)  # fmt: skip


def learning(material: Material, look: Mapping[str, Look], name: str) -> Figure | None:
    """Training loss, validation loss and the validation metric `name`, all rows together."""
    chosen = metric(name)
    wanted = {
        "train_loss": ("Training loss of the network", 1.0),
        "valid_loss": ("Validation loss", 1.0),
        f"valid_{name}": (f"Validation {chosen.heading.lower()}", chosen.scale),
    }
    found = {column: series for column in wanted if (series := _series(material, column, wanted[column][1]))}
    panels = [
        _panel(column, wanted[column][0], series, look, width_of(len(found)), None) for column, series in found.items()
    ]
    caption = (
        "Each line is the mean over seeds, each band one standard deviation. The epoch that is kept is chosen on the "
        "validation split alone."
    )
    key = _key(found.values(), look)
    return Figure("learning", "Learning curves", caption, tuple(panels), key, len(panels)) if panels else None


def modalities(material: Material, look: Mapping[str, Look]) -> list[Figure]:
    """One figure per quantity that was logged, with one panel per modality."""
    names = _modalities(material)
    neutral = (len(names) - 1) / len(names) if names else 0.0
    figures = []
    for one in QUANTITIES:
        found = {name: series for name in names if (series := _series(material, f"{one.column}_{name}"))}
        line = neutral if one.column == "B" else None
        panels = [
            _panel(f"{one.column}_{name}", name, series, look, width_of(len(found)), line)
            for name, series in found.items()
        ]
        if panels:
            key = _key(found.values(), look)
            figures.append(Figure(one.column, one.title, one.reading, tuple(panels), key, min(len(panels), 3)))
    return figures


def _key(panels: Iterable[Mapping[str, Floats]], look: Mapping[str, Look]) -> tuple[Look, ...]:
    """The rows that appear in any panel, in the table's order."""
    rows = {slug for series in panels for slug in series}
    return tuple(look[slug] for slug in look if slug in rows)


def _modalities(material: Material) -> list[str]:
    return sorted({name for row in material.spec.rows for name in row.experiment.used()})


def _series(material: Material, column: str, scale: float = 1.0) -> dict[str, Floats]:
    """Per row the values (seeds, epochs) of a column, NaN where a seed stopped earlier; only rows that have it."""
    found = {}
    for run in material.runs.values():
        curves = [seed.history[column] for seed in run.seeds.values() if len(seed.history.get(column, ()))]
        if curves:
            stacked = np.full((len(curves), max(map(len, curves))), np.nan)
            for row, curve in zip(stacked, curves, strict=True):
                row[: len(curve)] = curve * scale
            found[run.slug] = stacked
    return found


def _panel(
    column: str, title: str, series: Mapping[str, Floats], look: Mapping[str, Look], width: float, line: float | None
) -> Panel:
    """`line`: the neutral value, drawn dashed; where the values explode beyond it, the axis becomes logarithmic."""

    def draw(axes: Axes) -> None:
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        for slug in look:
            if slug in series:
                _curve(axes, series[slug], look[slug])
        if line is not None:
            axes.axhline(line, color=INK, linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
            largest = _largest(series)
            if largest > EXPLODES:
                _logarithmic(axes, largest)
        axes.margins(x=0.01)

    ends = [f"{look[slug].label} ends at {_last(values):.3g}" for slug, values in series.items()]
    name = column.replace("_", "-")
    return panel(name, f"{title} over epochs: {'; '.join(ends)}.", draw, width=width)


def _logarithmic(axes: Axes, largest: float) -> None:
    """Linear up to ±2, logarithmic beyond, with at most nine ticks."""
    axes.set_yscale("symlog", linthresh=2.0)
    axes.axhline(0, color=FAINT, linewidth=0.9, zorder=1)
    top = int(np.ceil(np.log10(largest)))
    powers = sorted(range(top, 0, -ceil(top / 4)))
    ticks = [*(-(10.0**power) for power in reversed(powers)), 0.0, *(10.0**power for power in powers)]
    names = [*(f"−{_power(power)}" for power in reversed(powers)), "0", *map(_power, powers)]
    axes.set_yticks(ticks, names)
    axes.yaxis.set_minor_locator(NullLocator())


def _power(exponent: int) -> str:
    return "10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


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


def _largest(series: Mapping[str, Floats]) -> float:
    """The largest size of any value that is finite."""
    return max(float(np.abs(values[np.isfinite(values)]).max(initial=0)) for values in series.values())


def _last(values: Floats) -> float:
    mean, _ = _mean_spread(values)
    finite = mean[np.isfinite(mean)]
    return float(finite[-1]) if len(finite) else float("nan")
