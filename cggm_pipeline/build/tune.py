"""Every trial of a table's rows, side by side, and what they chose: what `cggm tune` calls. Torch is imported late.

A row is tried with each combination of its values, with the table's tuning seed, and the trial with the best selection
metric on the validation split at the epoch that was kept is chosen; the test split is not read. Equal trials: the first
in the row's order. A training that failed (NaN) is the worst. Trials lie in `.cggm/state/<key>` like any training, so a
killed `cggm tune` goes on and a finished trial is not computed again.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cggm_pipeline.build.display import Display
from cggm_pipeline.build.documents import dataset_of, prepared_folder
from cggm_pipeline.build.job import Job
from cggm_pipeline.build.seeds import train_seeds, workers_for
from cggm_pipeline.data.output import locked
from cggm_pipeline.data.prepared import read_manifest
from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.spec import ComposedTable, Dataset, Experiment, Project, Row
from cggm_pipeline.spec.check_tuning import Tried
from cggm_pipeline.spec.compose import compose_experiment
from cggm_pipeline.spec.layers import Layer, Stack
from cggm_pipeline.spec.resolved import dump_data
from cggm_pipeline.spec.tuned import Choice, Trial, Tuned, command, read_choices, tuned_path
from cggm_pipeline.whole import write_whole

Key = Callable[[Experiment], str]
"""The key of a training's state: `pipeline.key.run_key` of this project."""


@dataclass(frozen=True)
class _Planned:
    """One trial before it is trained."""

    row: Row
    values: Mapping[str, Any]
    job: Job


def tune(table: ComposedTable, project: Project, *, key: Key, rows: Sequence[str], device: str | None = None) -> Tuned:
    """Try the rows (slugs) of a table composed without tuning, write specs/tuned/TABLE.yaml whole, return what it says.

    What the file says of rows that are not tried now stays. Raises CggmError: SpecError where a combination is no valid
    experiment, before anything is trained; DataError where data are not prepared or another process tunes the table.
    """
    tuning, root = table.spec.tuning, project.root
    tried = [(table.rows[slug], table.rows[slug].tried) for slug in rows]
    combined = [(row, *one) for row, found in tried if found for one in _combinations(row, found, table, project)]
    assert tuning is not None
    datasets: dict[str, Dataset] = {}
    for _, _, experiment in combined:
        if experiment.data not in datasets:
            datasets[experiment.data] = dataset_of(experiment, root)
            read_manifest(prepared_folder(experiment.data, root))
    planned = []
    for number, (row, values, experiment) in enumerate(combined):
        named = key(experiment)
        state = root / ".cggm" / "state" / named / f"seed-{tuning.seed}"
        job = Job(experiment, datasets[experiment.data], tuning.seed, root, state, named, device, number)
        planned.append(_Planned(row, values, job))
    place = root / ".cggm" / "tune" / table.name
    place.parent.mkdir(parents=True, exist_ok=True)
    if os.environ.get("RANK", "0") != "0":  # another process of this training writes the file
        _train(planned, table.name, quiet=True)
        return _tuned(table, planned, {})
    with locked(place):
        _train(planned, table.name)
        made = _tuned(table, planned, _kept(table, project, rows))
        write_whole(tuned_path(project.specs, table.name), text(made))
    return made


def text(tuned: Tuned) -> str:
    """The file, as `cggm tune` writes it."""
    schema = "../" * (tuned.table.count("/") + 1) + "schema.json"
    head = (
        f"# yaml-language-server: $schema={schema}\n# written by `cggm tune {tuned.table}`; the table only reads it\n"
    )
    return head + dump_data(tuned.model_dump(mode="json"))


def _combinations(
    row: Row, tried: Tried, table: ComposedTable, project: Project
) -> list[tuple[dict[str, Any], Experiment]]:
    """Every combination of a row as a checked experiment. SpecError with all that is wrong with them."""
    document = tried.grid.document
    epochs = [Layer(document, ("tuning", "epochs"), ("training", "epochs"))] if tried.tuning.epochs is not None else []
    found, problems = [], []
    for values, layers in tried.grid.trials():
        stack = Stack([*tried.own.layers, *epochs, *layers])
        examined = compose_experiment(stack, f"{table.name}/{row.slug}", table.path, project)
        problems += examined.problems
        if examined.composed is not None:
            found.append((values, examined.composed.spec))
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    return found


def _train(planned: Sequence[_Planned], name: str, *, quiet: bool = False) -> None:
    """Train what is not finished; trials that are the same experiment once."""
    jobs = {one.job.state: one.job for one in reversed(planned)}
    left = [job for job in reversed(jobs.values()) if not job.finished.is_dir()]
    workers = workers_for(len(left), max((job.experiment.training.threads for job in left), default=1))
    if quiet:
        train_seeds(left, workers, lambda moment: None)
        return
    with Display(name, len(jobs), len(jobs) - len(left), verb="tune", noun="trials") as display:
        train_seeds(left, workers, display)


def _kept(table: ComposedTable, project: Project, rows: Sequence[str]) -> dict[str, Choice]:
    """What was found before for rows of the table that are not tried now."""
    others = [row.label for slug, row in table.rows.items() if slug not in rows]
    if not others:
        return {}
    choices, problems = read_choices(table.name, Project(project.root))
    if problems:
        raise SpecError(problems)
    kept = {label: choice for label, choice in choices.rows.items() if label in others}
    before, now = choices.spec, table.spec.tuning
    if kept and before and now and (before.budget, before.seed, before.epochs) != (now.budget, now.seed, now.epochs):
        message = f"{', '.join(kept)}: tuned with another budget, seed or number of epochs than the table has now"
        hint = f"tune all rows: `{command(table.name)}`"
        raise SpecError(
            [Problem(project.file(tuned_path(project.specs, table.name)), 0, 0, "rows", message, hint=hint)]
        )
    return kept


def _tuned(table: ComposedTable, planned: Sequence[_Planned], kept: Mapping[str, Choice]) -> Tuned:
    """The document, its rows in the table's order."""
    tuning = table.spec.tuning
    assert tuning is not None
    made = {
        row.label: _chosen(row, [one for one in planned if one.row is row]) for row in table.rows.values() if row.tried
    }
    rows = {row.label: made.get(row.label) or kept.get(row.label) for row in table.rows.values()}
    return Tuned(
        version=1,
        kind="tuned",
        table=table.name,
        budget=tuning.budget,
        seed=tuning.seed,
        epochs=tuning.epochs,
        rows={label: choice for label, choice in rows.items() if choice is not None},
    )


def _chosen(row: Row, planned: Sequence[_Planned]) -> Choice | None:
    """The best trial of a row; null where it was not tried now."""
    if not planned or row.tried is None:
        return None
    trials = [_result(one) for one in planned]
    finished = [found for _, found in trials if found is not None]
    metric = finished[0]["metric"] if finished else "none: every trial failed"
    mode: Literal["max", "min"] = "min" if finished and finished[0]["mode"] == "min" else "max"
    sign = -1 if mode == "max" else 1
    best = min(range(len(trials)), key=lambda place: _worth(trials[place][0], sign))
    return Choice(
        chosen=dict(planned[best].values),
        metric=metric,
        mode=mode,
        trials=tuple(trial for trial, _ in trials),
        digest=row.tried.digest,
    )


def _worth(trial: Trial, sign: int) -> float:
    """Less is better; a failed trial is the worst."""
    return math.inf if trial.score is None else sign * trial.score


def _result(planned: _Planned) -> tuple[Trial, dict[str, Any] | None]:
    """What a finished trial says, and by which metric."""
    folder, values = planned.job.finished, dict(planned.values)
    if (folder / "failed.json").is_file():
        failed = _json(folder / "failed.json")
        return Trial(values=values, failed=f"{failed['error']} in step {failed['step']}"), None
    summary = _json(folder / "summary.json")
    selection = summary["selection"]
    if not math.isfinite(selection["value"]):
        return Trial(values=values, failed=f"{selection['metric']} is not finite on the validation split"), None
    return Trial(values=values, score=selection["value"], epoch=summary["selected_epoch"]), selection


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
