"""Which splits lie in memory, and what an experiment's transforms and augmentations become."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cggm_pipeline.build import batches
from cggm_pipeline.build.batches import build_batches
from cggm_pipeline.data.augmentations.crop import Crop
from cggm_pipeline.data.augmentations.mirror import Mirror
from cggm_pipeline.data.batches import Resident, Streamed
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources.base import Raw
from cggm_pipeline.data.transforms.log_mel import LogMel
from cggm_pipeline.data.transforms.normalise import Normalise
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.experiment import Experiment

SHAPE = (12, 16)


class Scans(Raw):
    def __init__(self) -> None:
        self.ids = [str(index) for index in range(10)]
        self.labels = [""] * 10
        self.files = {}

    def sample(self, index: int, members: np.ndarray) -> dict[str, np.ndarray]:
        return {"scan": np.ones((1, *SHAPE)), "cough": np.random.default_rng(index).normal(size=900 + index)}

    def mask(self, index: int) -> np.ndarray:
        return np.full(SHAPE, index % 2)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    forms = {"scan": Form((1, *SHAPE), "float16"), "cough": Form((None,), "float32")}
    splits = ["train"] * 8 + ["valid", "test"]
    write(tmp_path / "scans", Content("scans", Scans(), forms, None, ("no", "yes"), splits, SHAPE))
    return Prepared.open(tmp_path / "scans")


def experiment(transforms: list[dict[str, object]] | None = None) -> Experiment:
    return Experiment.model_validate(
        {
            "version": 1,
            "kind": "experiment",
            "data": "scans",
            "modalities": {
                "scan": {"encoder": {"kind": "conv"}},
                "cough": {"encoder": {"kind": "conv"}, "transforms": transforms or [{"kind": "log_mel", "mels": 9}]},
            },
            "augment": [{"kind": "crop", "size": [8, 9]}, {"kind": "mirror"}],
            "fusion": {"kind": "concat"},
            "task": {"kind": "segmentation"},
            "training": {"epochs": 1},
        }
    )


def test_front_ends_and_augmentations_are_built(prepared: Prepared) -> None:
    given = [{"kind": "log_mel", "mels": 9}, {"kind": "normalise", "mean": [0], "std": [2]}]
    view = build_batches(experiment(given), prepared, "train")
    assert isinstance(view.fronts["cough"], LogMel)
    assert view.fronts["scan"] is None
    assert [type(step) for step in view.transforms["cough"]] == [Normalise]
    assert [type(step) for step in view.augment] == [Crop, Mirror]
    batch = next(view.batches(4, train=True))
    assert batch.inputs["cough"].values.shape == (4, 4, 9)
    assert batch.inputs["scan"].values.shape == (4, 1, 8, 9)
    assert batch.target.shape == (4, 8, 9)


def test_normalising_behind_a_front_end_needs_numbers(prepared: Prepared) -> None:
    given = [{"kind": "log_mel", "mels": 9}, {"kind": "normalise"}]
    with pytest.raises(DataError, match=r"modalities\.cough\.transforms\.1.*statistics"):
        build_batches(experiment(given), prepared, "train")


def test_masks_and_half_precision_count(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample takes 2 bytes a pixel for the scan and 1 for the mask, even if the file were smaller."""
    manifest = prepared.manifest
    small = {name: replace(file, size=0) for name, file in manifest.files.items()}
    prepared.manifest = replace(manifest, files=small)
    needed = 8 * SHAPE[0] * SHAPE[1] * (2 + 1)
    for limit, kind in ((needed, Resident), (needed - 1, Streamed)):
        monkeypatch.setattr(batches, "RESIDENT_BYTES", limit)
        assert type(build_batches(experiment(), prepared, "train")) is kind
