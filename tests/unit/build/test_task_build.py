"""Tasks from specs: regions by the names of classes, weights by training pixels, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cggm_pipeline.build.task import build_task
from cggm_pipeline.build.training import build_options
from cggm_pipeline.errors import BuildError
from cggm_pipeline.spec import Dataset, Experiment

NAMES = ["background", "Necrosis", "Oedème (FLAIR)", "enhancing"]


def dataset(**target: Any) -> Dataset:
    contrasts = {name: {"shape": [1, 64, 64]} for name in ("flair", "t1", "t1ce", "t2")}
    return Dataset.model_validate(
        {
            "version": 1,
            "kind": "dataset",
            "source": {"kind": "brats", "path": "raw"},
            "split": {"kind": "random", "valid": 0.1, "test": 0.1, "seed": 0},
            "modalities": contrasts,
            "target": {"kind": "mask", "number": 4, "shape": [64, 64], **target},
        }
    )


def experiment(**task: Any) -> Experiment:
    return Experiment.model_validate(
        {
            "version": 1,
            "kind": "experiment",
            "data": "cases",
            "modalities": {"flair": {"encoder": {"kind": "smp", "model": "resnet18"}}},
            "fusion": {"kind": "deeplab"},
            "task": {"kind": "segmentation", **task},
            "training": {"epochs": 1, "batch_size": 2, "optimizer": {"kind": "sgd", "lr": 0.1}},
        }
    )


def built(task: dict[str, Any] | None = None, counts: list[int] | None = None, **target: Any) -> Any:
    return build_task(experiment(**(task or {})), dataset(**target), device="cpu", class_counts=counts)


def test_regions_are_the_foreground_classes_by_name():
    assert built(names=NAMES).regions == {"necrosis": (1,), "oedeme-flair": (2,), "enhancing": (3,)}
    assert built().regions == {"class-1": (1,), "class-2": (2,), "class-3": (3,)}
    assert built({"regions": {"wt": [1, 2, 3]}}, names=NAMES).regions == {"wt": (1, 2, 3)}
    assert built().out_features == 4


@pytest.mark.parametrize("names", [["a", "b", "B", "c"], ["a", "b", "?", "c"]])
def test_names_that_give_no_regions_are_refused(names):
    with pytest.raises(BuildError, match=r"task.regions: the class names .* write regions"):
        built(names=names)


def test_a_region_of_no_class_is_refused():
    with pytest.raises(BuildError, match=r"task.regions: there is no class 4, 7 \(allowed: 1 to 3\)"):
        built({"regions": {"wt": [1, 7], "et": [4]}})


def test_balanced_weights_are_by_training_pixels():
    task = built({"loss": {"kind": "cross_entropy_dice", "class_weights": "balanced"}}, counts=[600, 100, 0, 100])
    torch.testing.assert_close(task._loss.class_weights, torch.tensor([800 / 2400, 2.0, 0.0, 2.0]).double())


def test_masks_need_a_segmentation_and_a_segmentation_needs_masks():
    with pytest.raises(BuildError, match="classification needs a dataset with target kind 'classes'"):
        built({"kind": "classification"})


@pytest.mark.parametrize("scheduled", [True, False])
def test_the_classifiers_rate_is_scheduled_or_not(scheduled):
    spec = experiment()
    own = spec.classifiers.model_copy(update={"scheduled": scheduled, "lr": 0.3})
    options = build_options(spec.model_copy(update={"classifiers": own}), built(), seed=0)
    assert options.classifiers == {"lr": 0.3, "weight_decay": 0.0, "scheduled": scheduled}
