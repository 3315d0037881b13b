"""Which sections of the resolved specs a stage tracks: those that can change what it writes, and no others.

DVC does not notice a tracked section that disappears from dvc.yaml. So what lists sections is tracked as well: with
`use`, the modalities in use one by one; without it, `modalities` whole.
"""

from __future__ import annotations

from cggm_pipeline.spec import Experiment

UNTRACKED = ("version", "kind", "description")
"""Sections of an experiment that no stage tracks: they cannot change a result."""

PREPARE = ("modalities", "source", "split", "target")
SHAPES = ("modalities", "target")
TABLE = ("baseline", "metric", "order", "rows", "seeds", "title")
ROWS = ("metric", "order")
RANKING = ("rows", "tables", "title")
NETWORK = ("adapter", "data", "fill", "fusion", "missing", "prediction", "task", "use", "weights")
LEARNING = ("augment", "classifiers", "modulation", "schedule", "training")


def train_sections(experiment: Experiment) -> tuple[str, ...]:
    """What training depends on."""
    return tuple(sorted((*_modalities(experiment), *NETWORK, *LEARNING, "seeds")))


def adapt_sections(experiment: Experiment) -> tuple[str, ...]:
    """What adaptation depends on, given the trained weights."""
    return tuple(sorted((*_modalities(experiment), *NETWORK, "adaptation", "seeds", "training.threads")))


def evaluate_sections(experiment: Experiment) -> tuple[str, ...]:
    """What evaluation depends on, given the trained weights."""
    return tuple(sorted((*_modalities(experiment), *NETWORK, "adaptation", "evaluation", "seeds")))


def _modalities(experiment: Experiment) -> tuple[str, ...]:
    if experiment.use is None:
        return ("modalities",)
    return tuple(f"modalities.{name}" for name in experiment.used())
