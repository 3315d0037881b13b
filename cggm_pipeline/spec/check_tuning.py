"""What a row tries in `cggm tune`, composed and checked; and what a person should know about a table's tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cggm_pipeline.errors import Problem
from cggm_pipeline.spec.compose import compose_experiment
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.layers import Finding, Layer, Stack
from cggm_pipeline.spec.project import Project
from cggm_pipeline.spec.stamp import digest
from cggm_pipeline.spec.table import Table, Tuning
from cggm_pipeline.spec.tune import Grid, path_of
from cggm_pipeline.spec.tuned import Choices, command, tuned_path

UNTRIED = ("description", "kind", "seeds", "version")
"""Keys of an experiment that change no trial."""


@dataclass(frozen=True)
class Tried:
    """The trials of one row: its values, put on `own`, the row as it stands without what was tuned."""

    grid: Grid
    own: Stack
    tuning: Tuning

    @property
    def digest(self) -> str:
        """Of what the row is tuned for: what its files say (not defaults), its values, the table's tuning."""
        spec = {key: value for key, value in self.own.data.items() if key not in UNTRIED}
        values = {key: list(values) for key, values in self.grid.values.items()}
        return digest({"spec": spec, "values": values, "tuning": self.tuning.model_dump(mode="json")})


def values_tried(own: Sequence[Layer], grid: Grid, path: Path, project: Project) -> list[Problem]:
    """What is wrong with the values that a row tries, each on the row alone; `cggm tune` checks the combinations."""
    layers = (
        Layer(grid.document, (*grid.keys, key, place), path_of(key))
        for key, values in grid.values.items()
        for place in range(len(values))
    )
    return [problem for one in layers for problem in compose_experiment(Stack([*own, one]), "", path, project).problems]


def tuning_seed(spec: Table, rows: Sequence[Experiment], stack: Stack) -> list[Problem]:
    """A row is not judged by a seed that its values were chosen with."""
    if spec.tuning is None or not any(spec.tuning.seed in row.seeds for row in rows):
        return []
    message, hint = f"{spec.tuning.seed} is one of the table's seeds", "values are chosen with a seed of their own"
    return [stack.problem(Finding(("tuning", "seed"), message, hint=hint))]


def note(choices: Choices, outdated: Sequence[str], stack: Stack, project: Project) -> None:
    """Keep for whoever reads the project: the table was not tuned yet, or for other settings than its rows have."""
    document = stack.layers[0].document
    if choices.spec is None:
        shown = project.file(tuned_path(project.specs, choices.table))
        message = f"not tuned yet: there is no {shown}, so every row has its own values"
    elif outdated:
        message = f"tuned for other settings than these rows have now: {', '.join(outdated)}"
    else:
        return
    hint = f"`{command(choices.table)}` tunes it"
    project.notes[document.file] = document.problem(("tuning",), message, on="key", hint=hint)
