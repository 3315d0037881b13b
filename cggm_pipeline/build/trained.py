"""A trained run, found on disk: its spec, its data's manifest, and the weights of each seed that finished."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from cggm_pipeline.build.network import Built, build_network
from cggm_pipeline.build.statistics import statistics_of
from cggm_pipeline.build.weights import load_weights, spec_digest
from cggm_pipeline.data.manifest import Manifest
from cggm_pipeline.data.prepared import read_manifest
from cggm_pipeline.errors import BuildError
from cggm_pipeline.spec import Dataset, Experiment, load_resolved
from cggm_pipeline.spec.adaptation import FINAL
from cggm_pipeline.training.outputs import SUMMARY, WEIGHTS


@dataclass(frozen=True)
class Trained:
    """What `cggm train` or `dvc repro` left in a row's folder. `seeds`: the folders of the seeds that finished.

    `manifest` is that of the data it was trained on, `statistics` the one by which its inputs are normalised: another
    only where it started from another run's weights and took that run's statistics.
    """

    experiment: Experiment
    dataset: Dataset
    manifest: Manifest
    seeds: tuple[Path, ...]
    statistics: Manifest

    def network(self, seed: Path, device: torch.device) -> Built:
        """The network of one seed with its trained weights. BuildError where they are damaged or of another spec."""
        counts = self.manifest.class_counts.get("train")
        built = build_network(self.experiment, self.dataset, seed=0, device=device, class_counts=counts)
        load_weights(built.network, seed / WEIGHTS, spec_digest(self.experiment, self.dataset))
        return built

    @staticmethod
    def temperature(seed: Path) -> float:
        """The temperature fitted on the validation split; 1 where there is none (real values)."""
        path = seed / SUMMARY
        try:
            found = json.loads(path.read_text(encoding="utf-8")).get("temperature")
            return 1.0 if found is None else float(found)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise BuildError(f"{path}: error: it is missing or damaged ({error})\n  Train again") from error


def find_trained(run: Path) -> Trained:
    """The run in a row's folder (runs/TABLE/ROW), in its train/ folder, or in one seed's. BuildError where none is.

    A row that was adapted after its training has its final weights in adapted/, and these are taken; train/ and
    contrast/ are where they are named.
    """
    one = (run / WEIGHTS).is_file()
    places = (run.parent if one else run, *(run / name for name in FINAL))
    folder = next((folder for folder in places if (folder / "experiment.yaml").is_file()), None)
    if folder is None:
        raise BuildError(
            f"{run}: error: no trained run is here\n  Name a row's folder (runs/TABLE/ROW) or one seed's "
            "(runs/TABLE/ROW/train/seed-0), made by `dvc repro` or `cggm train SPEC`"
        )
    seeds = (run,) if one else tuple(sorted(path.parent for path in folder.glob(f"seed-*/{WEIGHTS}")))
    if not seeds:
        raise BuildError(f"{folder}: error: no seed of this run has weights; all of them failed (see failed.json)")
    experiment = load_resolved(folder / "experiment.yaml", Experiment)
    dataset = load_resolved(folder / "dataset.yaml", Dataset)
    manifest = read_manifest(folder)
    return Trained(experiment, dataset, manifest, seeds, statistics_of(folder, manifest))
