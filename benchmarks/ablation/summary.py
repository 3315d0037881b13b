"""From the runs to the tables: mean ± sd, paired differences, 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from finished import Run
from real_data import NEEDS
from scipy import stats

TEST_PER_TRAIN = {"digits_two_view": 449 / 1078, "mfeat": 1200 / 400, "avdigits": 600 / 2000, "digit_sums": 449 / 1078}
BASES = ("none", "unimodal_losses")
CHOSEN_ON = 10  # seeds 0 to 9 took part in the choice of `stable`, later ones did not


@dataclass(frozen=True)
class Difference:
    """Percentage points. `half`: half the 95 % t interval over the seeds; `careful`: the same, corrected for the
    overlap of random splits (Nadeau & Bengio 2003): variance times (1/n + test/train) instead of 1/n."""

    mean: float
    half: float
    careful: float

    def __str__(self) -> str:
        return f"{self.mean:+.2f} [{self.mean - self.half:+.2f}, {self.mean + self.half:+.2f}]"


def difference(runs: Sequence[Run], bases: Sequence[Run], test_per_train: float) -> Difference | None:
    """Of the test accuracies, paired by seed; None below two common seeds."""
    base = {run.seed: run.test for run in bases}
    paired = 100 * np.array([run.test - base[run.seed] for run in runs if run.seed in base])
    if (count := len(paired)) < 2:
        return None
    wide = float(paired.std(ddof=1) * stats.t.ppf(0.975, count - 1))
    return Difference(float(paired.mean()), wide / math.sqrt(count), wide * math.sqrt(1 / count + test_per_train))


def markdown(table: Mapping[str, Sequence[Run]]) -> str:
    """All datasets' tables, and the command that makes them."""
    header = (
        "<!-- Written by `python benchmarks/ablation/stable_preset.py`; do not edit. -->\n\n"
        "Accuracies in %, mean ± sd over seeds; differences of test accuracies paired by seed, with 95 % t intervals.\n"
        "The variants of stable have fewer seeds: read their differences, not their means. A modality's column is the\n"
        "test accuracy of a linear probe on its encoder; `B < 0`: the share of coefficients that turn a gradient.\n\n"
    )
    return header + "\n".join(_dataset(name, table[name]) for name in NEEDS if table.get(name))


def _dataset(dataset: str, runs: Sequence[Run]) -> str:
    methods: dict[str, list[Run]] = {}
    for run in runs:
        methods.setdefault(run.method, []).append(run)
    names = list(methods["none"][0].probes) if "none" in methods else list(runs[0].probes)
    columns = ["method", "seeds", "valid", "test", "- none [95 %]", "- unimodal_losses [95 %]", *names, "B < 0"]
    lines = [f"### {dataset}", "", _row(columns), _row(["---"] * len(columns))]
    lines += [_row(_cells(dataset, method, own, methods, names)) for method, own in methods.items()]
    return "\n".join([*lines, "", *_careful(dataset, methods), *_by_choice(dataset, methods), ""])


def _cells(
    dataset: str, method: str, own: list[Run], methods: Mapping[str, list[Run]], names: Sequence[str]
) -> list[str]:
    differences = [
        str(difference(own, methods[base], TEST_PER_TRAIN[dataset]) or "") if base in methods and base != method else ""
        for base in BASES
    ]
    probes = [f"{100 * np.mean([run.probes[name] for run in own]):.1f}" for name in names]
    negative = f"{100 * np.mean([run.negative for run in own]):.0f} %" if "cggm" in method or "paper" in method else ""
    accuracies = [_spread([run.valid for run in own]), _spread([run.test for run in own])]
    return [method, str(len(own)), *accuracies, *differences, *probes, negative]


def _careful(dataset: str, methods: Mapping[str, list[Run]]) -> list[str]:
    """The intervals of preset `stable` that allow for the overlap of the splits."""
    lines = []
    for base in BASES:
        if base in methods and "cggm stable" in methods:
            found = difference(methods["cggm stable"], methods[base], TEST_PER_TRAIN[dataset])
            if found is not None:
                low, high = found.mean - found.careful, found.mean + found.careful
                lines.append(f"cggm stable - {base}, corrected for overlapping splits: [{low:+.2f}, {high:+.2f}]  ")
    return lines


def _by_choice(dataset: str, methods: Mapping[str, list[Run]]) -> list[str]:
    """Preset `stable` on the seeds that took part in its choice, and on those that did not."""
    own = methods.get("cggm stable", [])
    groups = {
        f"seeds 0 to {CHOSEN_ON - 1}": [run for run in own if run.seed < CHOSEN_ON],
        f"seeds from {CHOSEN_ON}, seen by no choice": [run for run in own if run.seed >= CHOSEN_ON],
    }
    return [
        f"cggm stable - {base}, {name}: {found}  "
        for base in BASES
        for name, runs in groups.items()
        if (found := difference(runs, methods.get(base, []), TEST_PER_TRAIN[dataset])) is not None
    ]


def _spread(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1) if len(values) > 1 else 0:.2f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
