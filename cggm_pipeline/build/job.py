"""What a training process is told: one seed of one experiment, and where its state lies. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cggm_pipeline.spec import Dataset, Experiment


@dataclass(frozen=True)
class Job:
    """One seed to train. `state`: its folder for checkpoints and for what is kept of it, below the key's.

    `number`: what its moments call it where several jobs have the same seed; null: the seed.
    """

    experiment: Experiment
    dataset: Dataset
    seed: int
    project: Path
    state: Path
    key: str
    device: str | None = None
    number: int | None = None

    @property
    def finished(self) -> Path:
        """Where the seed's results lie, once it is trained or has failed for good."""
        return self.state / "finished"
