"""One experiment with one seed, ready to train and evaluate: the five lines of docs/training.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cggm_pipeline.build.batches import build_batches
from cggm_pipeline.build.documents import dataset_of, prepared_folder
from cggm_pipeline.build.modulation import build_schedule
from cggm_pipeline.build.network import Built, build_network
from cggm_pipeline.build.pretrained_run import read_pretrained
from cggm_pipeline.build.training import build_options
from cggm_pipeline.data.batches import Batches
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.evaluation.evaluate import evaluate
from cggm_pipeline.spec import Dataset, Experiment, Project
from cggm_pipeline.training.fit import Fitted, fit
from cggm_pipeline.training.machine import chosen_device
from cggm_pipeline.training.moment import Progress, silent
from cggm_pipeline.training.options import Options

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Run:
    """An experiment's objects for one seed: what `build_network` makes, batches of every split, options."""

    experiment: Experiment
    dataset: Dataset
    prepared: Prepared
    built: Built
    data: Mapping[str, Batches]
    options: Options

    def fit(self, *, state: Path | None = None, key: str = "", progress: Progress = silent) -> Fitted:
        """Train; see `training.fit.fit`. Afterwards the network has the weights of the selected epoch."""
        built, data = self.built, self.data
        return fit(
            built.network,
            built.task,
            built.modulation,
            data["train"],
            data["valid"],
            self.options,
            schedule=build_schedule(self.experiment, built.network),
            predictor=built.predictor,
            state=state,
            key=key,
            progress=progress,
        )

    def evaluate(self, split: str = "test") -> dict[str, float]:
        """The task's metrics, and `loss`, of the network as it stands on every sample of a split."""
        built = self.built
        return evaluate(built.network, built.task, self.data[split], predictor=built.predictor)


def build(
    experiment: Experiment,
    seed: int = 0,
    *,
    project: Path | str | None = None,
    dataset: Dataset | None = None,
    device: str | None = None,
) -> Run:
    """Network, task, modulation, data and options of an experiment, for one seed.

    `project`: the folder with specs/ and data/prepared/ (null: the working folder's project). `dataset`: its document
    (null: as resolved, or else as specs/datasets has it). `device` null: a GPU if there is one. Raises CggmError:
    DataError where the data are not prepared, BuildError where the spec cannot be built.
    """
    root = project_root(project)
    dataset = dataset or dataset_of(experiment, root)
    prepared = Prepared.open(prepared_folder(experiment.data, root))
    where = chosen_device(device)
    counts = prepared.manifest.class_counts.get("train")
    start = None if experiment.weights is None else read_pretrained(experiment.weights, seed, root)
    built = build_network(experiment, dataset, seed=seed, device=where, class_counts=counts, pretrained=start)
    statistics = None if start is None else start.statistics
    data = {
        split: build_batches(experiment, prepared, split, seed=seed, device=where, statistics=statistics)
        for split in SPLITS
    }
    options = build_options(experiment, built.task, seed=seed, device=device)
    return Run(experiment, dataset, prepared, built, data, options)


def project_root(project: Path | str | None) -> Path:
    """The project's folder; null: the one that the working folder lies in."""
    return Project.of().root if project is None else Path(project)
