"""Epochs that draw so many samples of each group: as many steps, as many samples, and others in the next epoch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cggm_pipeline.data.batches import Resident, Streamed
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources.base import Raw
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.errors import DataError
from cggm_pipeline.training.fit import fit


class Cases(Raw):
    """A prepared folder once more, as raw data: every eight samples are a case."""

    def __init__(self, prepared: Prepared) -> None:
        self.parts = [prepared.split(name) for name in ("train", "valid", "test")]
        self.ids = [key for part in self.parts for key in part.ids]
        self.groups = [f"case-{int(key) // 8:02d}" for key in self.ids]
        self.where = [(part, row) for part in self.parts for row in range(len(part))]
        self.labels = [""] * len(self.ids)
        self.files = {}

    def sample(self, index: int, members: np.ndarray) -> dict[str, np.ndarray]:
        part, row = self.where[index]
        return {name: part.take(name, [row])[0] for name in ("lower", "upper")}


@pytest.fixture
def grouped(prepared: Prepared, tmp_path: Path) -> Prepared:
    """The digits' halves in 25 groups of 8 training samples."""
    raw, manifest = Cases(prepared), prepared.manifest
    splits = [name for name in ("train", "valid", "test") for _ in range(manifest.counts[name])]
    target = np.concatenate([part.target for part in raw.parts])
    write(tmp_path / "halves", Content("halves", raw, manifest.modalities, target, manifest.classes, splits))
    return Prepared.open(tmp_path / "halves")


class Seen(Resident):
    """Notes the positions of every epoch."""

    def batches(self, *arguments, **options):
        self.epochs = [*getattr(self, "epochs", []), []]
        for batch in super().batches(*arguments, **options):
            self.epochs[-1] += batch.index.tolist()
            yield batch


def test_an_epoch_has_so_many_of_each_group(problem, grouped: Prepared) -> None:
    split = grouped.split("train")
    seen = Seen(split)
    fitted = fit(*replace(problem(epochs=3, per_group=3), train=seen).arguments())
    assert len(fitted.history) == 3
    for positions in seen.epochs:
        assert len(set(positions)) == len(positions) == 75
        assert set(Counter(split.groups[position] for position in positions).values()) == {3}
    assert len({frozenset(positions) for positions in seen.epochs}) == 3


def test_streamed_is_the_same(problem, grouped: Prepared) -> None:
    split = grouped.split("train")
    histories = [
        fit(*replace(problem(epochs=2, per_group=3), train=kind(split)).arguments()).history
        for kind in (Resident, Streamed)
    ]
    assert histories[0] == histories[1]


def test_data_without_groups_are_refused(problem) -> None:
    with pytest.raises(DataError, match=r"training\.per_group: the data have no groups"):
        fit(*problem(per_group=3).arguments())
