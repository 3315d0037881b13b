"""The run that a training starts from, found on disk."""

from __future__ import annotations

from pathlib import Path

from cggm_pipeline.build.pretrained import Pretrained
from cggm_pipeline.build.trained import find_trained
from cggm_pipeline.build.weights import read_weights, spec_digest
from cggm_pipeline.errors import BuildError
from cggm_pipeline.spec.weights import Weights
from cggm_pipeline.training.outputs import WEIGHTS


def read_pretrained(weights: Weights, seed: int, project: Path) -> Pretrained:
    """The weights that a training with `seed` starts from. BuildError where the run, or the seed in it, is missing."""
    folder = project / weights.folder
    if not folder.is_dir():
        raise BuildError(
            f"weights.experiment: {weights.folder} does not exist\n  Train it first: `dvc repro` does, as it is a "
            "dependency of this stage"
        )
    trained = find_trained(folder)
    chosen = seed if weights.seed is None else weights.seed
    path = folder / f"seed-{chosen}" / WEIGHTS
    if path.parent not in trained.seeds:
        there = ", ".join(one.name.removeprefix("seed-") for one in trained.seeds)
        raise BuildError(
            f"weights.seed: {weights.experiment} has no finished seed {chosen} (allowed: {there})\n"
            "  Give both the same seeds, or name one: weights: {seed: ...}"
        )
    tensors, _ = read_weights(path, spec_digest(trained.experiment, trained.dataset))
    statistics = trained.statistics if weights.statistics else None
    return Pretrained(weights.experiment, tensors, weights.leave, weights.modalities, statistics)
