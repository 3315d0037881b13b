"""The stages between training and evaluation, for all seeds of a row: `stages/contrast.py`, `stages/pseudo.py`.

Each reads weights and the inputs of one split, never its targets, and writes a folder of the row whole or not at all.
A seed whose training failed, or whose adaptation diverges, is carried along as failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cggm_pipeline.build.adapted import carry_failure, keep_documents, write_diverged
from cggm_pipeline.build.casp import Adapted, Files, contrasted, taught
from cggm_pipeline.build.display import Display
from cggm_pipeline.build.run import build
from cggm_pipeline.build.weights import load_weights, spec_digest
from cggm_pipeline.data.batches import derived_seed
from cggm_pipeline.data.output import replaced
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.adaptation.epochs import DivergedError, Row
from cggm_pipeline.spec import Experiment, load_resolved
from cggm_pipeline.spec.adaptation import OfflineCASP
from cggm_pipeline.training.machine import settled
from cggm_pipeline.training.moment import Moment
from cggm_pipeline.training.outputs import FAILED, SUMMARY, WEIGHTS, weights_file


@dataclass(frozen=True)
class Stage:
    """A stage of an adaptation: it reads seeds of the row's folder `before`, and takes `epochs` for its `work`."""

    before: str
    epochs: Callable[[OfflineCASP], int]
    work: Callable[[Adapted], Files]


STAGES: Mapping[str, Stage] = {
    "contrast": Stage("train", lambda spec: spec.epochs, contrasted),
    "pseudo": Stage("contrast", lambda spec: spec.pseudo_epochs, taught),
}
"""By the name that the spec's class gives it, which also says what folder it writes."""


def contrast(table: str, row: str, project: Path) -> None:
    """Write runs/TABLE/ROW/contrast: the networks after contrastive adaptation, and what they predicted meanwhile."""
    adapt(_resolved(table, row, project), project / "runs" / table / row, project, "contrast")


def pseudo(table: str, row: str, project: Path) -> None:
    """Write runs/TABLE/ROW/adapted: the networks of `contrast` after training on stable pseudo-labels."""
    adapt(_resolved(table, row, project), project / "runs" / table / row, project, "pseudo")


def adapt(
    experiment: Experiment,
    out: Path,
    project: Path,
    verb: str,
    *,
    seeds: Sequence[int] | None = None,
    device: str | None = None,
) -> None:
    """Run one stage of an experiment's adaptation on the row in `out`; `seeds` null: those of the experiment.

    Raises BuildError where the experiment has no such stage, or a seed has not come through the stage before.
    """
    spec = experiment.adaptation
    if not isinstance(spec, OfflineCASP):
        raise BuildError(f"{out}: error: adaptation: kind {spec.kind} has no stage {verb}; set kind: casp")
    stage, chosen = STAGES[verb], tuple(experiment.seeds if seeds is None else seeds)
    name, epochs = "/".join(out.parts[-2:]), stage.epochs(spec)
    with replaced(out / spec.stages[verb]) as folder, Display(name, len(chosen), verb=verb) as display:
        for seed in chosen:
            before, made = out / stage.before / f"seed-{seed}", folder / f"seed-{seed}"
            if not before.is_dir():
                raise BuildError(
                    f"{before}: error: this seed is not there\n  Run the stages before {verb}: `dvc repro`"
                )
            made.mkdir()
            if (before / FAILED).is_file():
                carry_failure(before, made)
            else:
                run = build(experiment, seed, project=project, device=device)
                _one(verb, Adapted(run, spec, before, _told(display, seed, epochs)), made)
            display(Moment(seed, epochs, epochs, 1.0))
        keep_documents(out / "train", folder, experiment)


def _resolved(table: str, row: str, project: Path) -> Experiment:
    return load_resolved(project / "specs" / "resolved" / table / f"{row}.yaml", Experiment)


def _told(display: Display, seed: int, epochs: int) -> Callable[[Row], None]:
    def tell(row: Row) -> None:
        epoch = int(row["epoch"])
        display(Moment(seed, epoch, epochs, (epoch + 1) / epochs, row))

    return tell


def _one(verb: str, one: Adapted, made: Path) -> None:
    """One seed through one stage; its bits do not depend on the other seeds."""
    run, seed = one.run, one.run.options.seed
    digest = spec_digest(run.experiment, run.dataset)
    load_weights(run.built.network, one.before / WEIGHTS, digest)
    try:
        with settled(run.options), torch.random.fork_rng():
            torch.manual_seed(derived_seed(verb, seed))
            files = STAGES[verb].work(one)
    except DivergedError as error:
        write_diverged(made, error)
        return
    weights = weights_file(run.built.network, {"spec": digest, "seed": str(seed), "stage": verb})
    summary = (one.before / SUMMARY).read_bytes()  # with the training's temperature: another one would need labels
    for name, content in {**files, WEIGHTS: weights, SUMMARY: summary}.items():
        (made / name).write_bytes(content)
