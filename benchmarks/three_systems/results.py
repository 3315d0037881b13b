"""Missing modalities, adapters and adaptation, read from runs/: a page and a drawing each.

    python benchmarks/three_systems/results.py

A cell is the mean over the seeds; in brackets the 95 % interval of the paired difference to the row it is compared with
(Student's t over seeds for means over rates; seeds and test samples, as in the report, for the others).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import numpy as np
import yaml
from scipy import stats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "runs"
DATA = {"avdigits": "spoken and written digits", "mfeat": "six views of a digit", "emoji": "emoji"}
LEVELS = (100, 200, 400)
Lines = Iterator[str]
Drawn = dict[str, tuple[Sequence[float], Sequence[float]]]


@dataclass(frozen=True)
class Row:
    """One row of a table's csv: the test accuracy."""

    label: str
    mean: float
    sd: float
    n: int
    difference: tuple[float, float, float] | None
    parameters: str
    slug: str

    def against(self) -> str:
        if self.difference is None:
            return ""
        mean, low, high = (100 * value for value in self.difference)
        return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def rows(table: str) -> list[Row]:
    """The rows of runs/TABLE/table.csv that have an accuracy; empty where it was not computed."""
    path = RUNS / table / "table.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        lines = [line for line in csv.DictReader(stream) if line["metric"] == "accuracy" and line["mean"]]
    return [  # of the complete test split: a line with a case is one of missing modalities
        Row(
            line["label"],
            float(line["mean"]),
            float(line["sd"] or "nan"),
            int(line["n"]),
            tuple(float(line[key]) for key in ("difference", "low", "high")) if line["difference"] else None,  # type: ignore[arg-type]
            line["parameters"],
            line["row"],
        )
        for line in lines
        if not line.get("case")
    ]


def by_rate(table: str, slug: str) -> dict[int, dict[float, float]]:
    """Seed to missing rate to test accuracy of a row."""
    scores = json.loads((RUNS / table / "evaluation" / "seeds.json").read_text(encoding="utf-8"))
    return {
        score["seed"]: {float(rate): found["accuracy"] for rate, found in score["rates"].items()}
        for score in scores
        if score["row"] == slug and score["split"] == "test"
    }


def missing() -> Lines:
    """Accuracy over the missing rate, and its mean over all rates compared with modality dropout."""
    yield "# Missing modalities: accuracy over the missing rate"
    yield ""
    yield "Test accuracy [%], mean over 5 seeds, of one trained network with every modality missing at growing"
    yield "rates (0.0 to 0.9, at least one stays). Mean: over the ten rates. The difference of the mean to modality"
    yield "dropout is paired by seed, with its 95 % interval (Student's t). Gaps: 70 % of the training samples are"
    yield "incomplete, drawn anew in every epoch, and as many of those of validation, for every row but Complete."
    yield "Frozen: the backbone of the row Complete, of which only fill and head learn."
    for name, title in DATA.items():
        table = f"missing/{name}"
        found = rows(table)
        if not found:
            yield from ("", f"## {title}", "", "Not computed.")
            continue
        curves = {row.label: by_rate(table, row.slug) for row in found}
        rates = sorted(next(iter(curves["Complete"].values())))
        yield from ("", f"## {title}", "")
        head = ["", *(f"{rate:g}" for rate in rates), "mean", "mean: to modality dropout [95 %]", "parameters"]
        yield "| " + " | ".join(head) + " |"
        yield "|---" + "|---:" * (len(rates) + 1) + "|---|---|"
        for row in found:
            seeds = curves[row.label]
            cells = [f"{100 * fmean(seed[rate] for seed in seeds.values()):.1f}" for rate in rates]
            mean = 100 * fmean(fmean(seed.values()) for seed in seeds.values())
            compared = _paired(seeds, curves["Modality dropout"]) if row.label != "Modality dropout" else ""
            yield f"| {row.label} | {' | '.join(cells)} | **{mean:.1f}** | {compared} | {row.parameters} |"


def _paired(ours: Mapping[int, Mapping[float, float]], theirs: Mapping[int, Mapping[float, float]]) -> str:
    """The paired difference of the means over the rates, with its interval over seeds."""
    gaps = [100 * (fmean(ours[seed].values()) - fmean(theirs[seed].values())) for seed in sorted(ours)]
    reach = stats.t.ppf(0.975, len(gaps) - 1) * stdev(gaps) / len(gaps) ** 0.5
    mean = fmean(gaps)
    return f"{mean:+.1f} [{mean - reach:+.1f}, {mean + reach:+.1f}]"


def adapters() -> Lines:
    """Accuracy over the parameter budget."""
    yield "# Adapters: accuracy over the parameter budget"
    yield ""
    yield "Test accuracy [%] on noisy data (two standard deviations), mean ± standard deviation over 5 seeds; the"
    yield "difference to full fine-tuning is paired by seed, its 95 % interval over seeds and test samples. Every"
    yield "row but the last starts from the backbone that was trained on clean data (`adapters/NAME-backbone`) and"
    yield "learns from noisy data with their labels. Rate: the learning rate of Adam that was best of four on the"
    yield "validation split, for every row by itself, with a seed that it is not judged by."
    for name, title in DATA.items():
        found = rows(f"adapters/{name}")
        yield from ("", f"## {title}", "")
        if not found:
            yield "Not computed."
            continue
        yield "| | learns | rate | accuracy | to full fine-tuning [95 %] |"
        yield "|---|---:|---:|---:|---|"
        for row in found:
            learns, share = trainable(f"adapters/{name}", row.slug)
            cells = [
                row.label,
                f"{learns:,} ({100 * share:.1f} %)",
                rate(f"adapters/{name}", row.slug) if learns else "",
            ]
            yield f"| {' | '.join(cells)} | {_spread(row)} | {row.against()} |"


def trainable(table: str, slug: str) -> tuple[int, float]:
    """How many parameters of a row learn, and which share of all that is; 0 where nothing is trained."""
    path = next((RUNS / table / slug / "train").glob("seed-*/summary.json"))
    summary = json.loads(path.read_text(encoding="utf-8"))
    learns = 0 if slug == "source-only" else int(summary["trainable"])
    return learns, learns / sum(summary["parameters"].values())


def rate(table: str, slug: str) -> str:
    """The learning rate that a row was trained with, from its resolved document."""
    document = yaml.safe_load((RUNS / table / slug / "train" / "experiment.yaml").read_text(encoding="utf-8"))
    return f"{document['training']['optimizer']['lr']:g}"


def adaptation() -> Lines:
    """Accuracy under growing noise."""
    yield "# Test-time adaptation: accuracy under growing noise"
    yield ""
    yield "Test accuracy [%], mean over 5 seeds, of a source model that was trained on clean data, on data with"
    yield "Gaussian noise of 1, 2 and 4 standard deviations; in brackets the difference to source only, paired by"
    yield "seed, and its 95 % interval over seeds and test samples. No row but the oracles sees a label of the"
    yield "noisy data: oracles are trained with them."
    for name, title in DATA.items():
        tables = {level: {row.label: row for row in rows(f"adaptation/{name}-shift-{level}")} for level in LEVELS}
        clean = rows(f"adaptation/{name}-source")
        yield from ("", f"## {title}", "")
        if not clean or not any(tables.values()):
            yield "Not computed."
            continue
        yield f"The source model on clean data: {_spread(clean[0])}."
        yield ""
        yield "| | " + " | ".join(f"noise {level / 100:g}" for level in LEVELS) + " |"
        yield "|---|" + "---|" * len(LEVELS)
        for label in dict.fromkeys(label for table in tables.values() for label in table):
            cells = [_with_difference(tables[level].get(label)) for level in LEVELS]
            yield f"| {label} | {' | '.join(cells)} |"


def _spread(row: Row) -> str:
    return f"{100 * row.mean:.1f} ± {100 * row.sd:.1f}"


def _with_difference(row: Row | None) -> str:
    if row is None:
        return "–"
    return f"{100 * row.mean:.1f} ({row.against()})" if row.difference is not None else f"{100 * row.mean:.1f}"


PAGES: Mapping[str, Callable[[], Lines]] = {"missing": missing, "adapters": adapters, "adaptation": adaptation}


def drawing(name: str) -> str | None:
    """One SVG of three panels, a data set each; None where nothing was computed."""
    import io

    import matplotlib

    from cggm_pipeline.report.figures.style import _RC

    panels = {data: lines for data in DATA if (lines := DRAWN[name](data))}
    if not panels:
        return None
    with matplotlib.rc_context({**_RC, "svg.hashsalt": name, "svg.fonttype": "path"}):  # type: ignore[dict-item]
        text = io.StringIO()
        figure(name, panels).savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def figure(name: str, panels: Mapping[str, Drawn]) -> Figure:
    """A panel per data set; a row looks the same in all of them, also where one of them lacks another row."""
    from matplotlib.figure import Figure

    from cggm_pipeline.report.figures.style import looks

    labels = list(dict.fromkeys(label for lines in panels.values() for label in lines))
    styles = looks(labels, labels, labels[0])
    shapes = dict(zip(labels, cycle("os^D"), strict=False))
    canvas = Figure(figsize=(4.6 * len(panels), 4.2), layout="constrained", facecolor="white")
    handles = {}
    for axes, (data, lines) in zip(np.atleast_1d(canvas.subplots(1, len(panels))), panels.items(), strict=True):
        for label, (x, y) in lines.items():
            look, mark = styles[label], shapes[label] if len(x) == 1 else None
            (handles[label],) = axes.plot(
                x, y, color=look.colour, linestyle=look.dash, linewidth=look.width, marker=mark, label=label
            )
        axes.set_title(DATA[data])
        axes.set_xlabel(AXES[name])
        if name == "adapters":
            axes.set_xscale("symlog")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    canvas.axes[0].set_ylabel("test accuracy [%]")
    shown = [handles[label] for label in labels]
    canvas.legend(shown, labels, loc="outside lower center", ncols=1 + len(panels), frameon=False)
    return canvas


def _missing_lines(data: str) -> Drawn:
    lines: Drawn = {}
    for row in rows(f"missing/{data}"):
        seeds = by_rate(f"missing/{data}", row.slug)
        rates = sorted(next(iter(seeds.values())))
        lines[row.label] = rates, [100 * fmean(seed[rate] for seed in seeds.values()) for rate in rates]
    return lines


def _adapter_points(data: str) -> Drawn:
    return {
        row.label: ([trainable(f"adapters/{data}", row.slug)[0]], [100 * row.mean]) for row in rows(f"adapters/{data}")
    }


def _adaptation_lines(data: str) -> Drawn:
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for level in LEVELS:
        for row in rows(f"adaptation/{data}-shift-{level}"):
            x, y = lines.setdefault(row.label, ([], []))
            x.append(level / 100)
            y.append(100 * row.mean)
    return dict(lines)


DRAWN: Mapping[str, Callable[[str], Drawn]] = {
    "missing": _missing_lines,
    "adapters": _adapter_points,
    "adaptation": _adaptation_lines,
}
AXES = {
    "missing": "rate at which every modality is missing",
    "adapters": "parameters that learn",
    "adaptation": "noise [standard deviations]",
}

if __name__ == "__main__":
    for page in PAGES.values():
        print("\n".join(page()), end="\n\n")
