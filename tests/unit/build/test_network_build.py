"""Specs to networks: seeds, widths, classifiers, class weights, and errors that name the key."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cggm_pipeline.build import build_network
from cggm_pipeline.build.seeding import drawn_from
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Input
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment

SHAPES: dict[str, list[int | None]] = {"image": [1, 12, 12], "sound": [10, 4], "vector": [7]}
ENCODERS: dict[str, dict[str, Any]] = {
    "image": {"kind": "conv", "channels": [4, 6]},
    "sound": {"kind": "transformer", "width": 10, "layers": 1, "output": "mean"},
    "vector": {"kind": "mlp", "hidden": [8]},
}


def dataset(**changes: Any) -> Dataset:
    document = {
        "version": 1,
        "kind": "dataset",
        "source": {"kind": "digits_two_view"},
        "split": {"kind": "random"},
        "modalities": {name: {"shape": shape} for name, shape in SHAPES.items()},
        "target": {"kind": "classes", "number": 3},
    }
    return Dataset.model_validate(document | changes)


def experiment(names: tuple[str, ...] = tuple(SHAPES), **changes: Any) -> Experiment:
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "toy",
        "modalities": {name: {"encoder": ENCODERS[name]} for name in names},
        "fusion": {"kind": "concat", "width": 16},
        "task": {"kind": "classification"},
        "training": {"epochs": 1},
    }
    return Experiment.model_validate(document | changes)


def inputs(batch: int = 3) -> dict[str, Input]:
    generator = torch.Generator().manual_seed(0)
    return {name: Input(torch.randn(batch, *SHAPES[name], generator=generator)) for name in SHAPES}


def state(**changes: Any) -> dict[str, torch.Tensor]:
    return build_network(experiment(**changes), dataset(), seed=4).network.state_dict()


def test_logits_and_parts() -> None:
    made = build_network(experiment(), dataset(), seed=0)
    assert made.network(inputs()).logits.shape == (3, 3)
    assert set(made.parts.names) == set(SHAPES)
    assert made.network.parameter_counts()["head"] == 16 * 3 + 3


def test_the_weights_depend_on_the_seed_and_on_nothing_around() -> None:
    torch.manual_seed(1)
    first = state()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = state(names=("vector", "sound", "image"))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    other = build_network(experiment(), dataset(), seed=5).network.state_dict()
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_an_encoder_is_the_same_beside_others_or_alone_and_under_every_method() -> None:
    whole, alone = state(), state(names=("sound",))
    assert all(torch.equal(value, whole[name]) for name, value in alone.items() if name.startswith("encoders."))
    cggm = state(modulation={"kind": "cggm", "preset": "paper"})
    assert all(torch.equal(value, cggm[name]) for name, value in whole.items())


def test_seeding_is_by_seed_and_name() -> None:
    def draw(seed: int, name: str) -> float:
        with drawn_from(seed, name):
            return float(torch.rand(()))

    assert draw(0, "head") == draw(0, "head")
    assert len({draw(seed, name) for seed in range(3) for name in ("head", "fusion")}) == 6


@pytest.mark.parametrize(
    ("fusion", "widths"), [({"kind": "concat", "width": 16}, (16, 16, 16)), ({"kind": "late"}, (6, 10, 8))]
)
def test_classifiers_end_in_the_block_of_their_modality_or_in_z(
    fusion: dict[str, Any], widths: tuple[int, ...]
) -> None:
    made = build_network(experiment(fusion=fusion, modulation={"kind": "unimodal_losses"}), dataset(), seed=0)
    heads = [module for name, module in made.modulation.named_modules() if name.endswith("head")]
    assert tuple(head.in_features for head in heads if isinstance(head, nn.Linear)) == widths


def test_none_and_switched_off_methods_have_no_classifier() -> None:
    for modulation in ({"kind": "none"}, {"kind": "cggm", "preset": "paper", "rho": None, "lam": 0.0}):
        made = build_network(experiment(modulation=modulation), dataset(), seed=0)
        assert not list(made.modulation.parameters())
        assert type(made.modulation).__name__ == "NoModulation"


def test_balanced_class_weights_come_from_the_counts() -> None:
    spec = experiment(task={"kind": "classification", "loss": {"kind": "cross_entropy", "class_weights": "balanced"}})
    task = build_network(spec, dataset(), seed=0, class_counts=[10, 30, 0]).task
    weight = task._loss.weight  # type: ignore[attr-defined]
    torch.testing.assert_close(weight, torch.tensor([40 / 30, 40 / 90, 0.0], dtype=torch.float64))
    with pytest.raises(BuildError, match=r"task\.loss: class_weights: balanced needs the class counts"):
        build_network(spec, dataset(), seed=0)


@pytest.mark.parametrize(
    ("changes", "data", "message"),
    [
        ({"task": {"kind": "regression"}}, {}, "task: regression needs a dataset with target kind 'values'"),
        (
            {"task": {"kind": "classification", "loss": {"kind": "cross_entropy", "class_weights": [1.0]}}},
            {},
            r"task\.loss: class_weights: 1 weights for 3 classes",
        ),
        ({"fusion": {"kind": "transformer"}}, {}, "fusion: transformer needs features of one width"),
        ({"fusion": {"kind": "film", "condition": "taste"}}, {}, "fusion: condition: there is no modality 'taste'"),
        (
            {},
            {"modalities": {"image": {"shape": [1, 2, 2]}}},
            r"modalities\.sound: dataset 'toy' has no modality 'sound'",
        ),
        (
            {
                "modalities": {
                    "sound": {"encoder": {"kind": "transformer", "width": 10}},
                    "vector": {"encoder": ENCODERS["vector"]},
                }
            },
            {},
            r"fusion: concat cannot take the tokens features of 'sound' .*modalities\.sound\.encoder\.output",
        ),
        (
            {"modalities": {"vector": {"encoder": {"kind": "conv"}}}},
            {},
            r"modalities\.vector\.encoder: conv reads inputs of rank 2, 3, but 'vector' has shape \(7,\)",
        ),
        (
            {"modalities": {"sound": {"encoder": {"kind": "transformer", "width": 64, "output": "mean"}}}},
            {},
            r"modalities\.sound\.encoder: a width of 64 is not a multiple of 5 heads",
        ),
        (
            {"use": ["image"], "modulation": {"kind": "cggm", "preset": "paper"}},
            {},
            "modulation: cggm balances 2 modalities or more",
        ),
    ],
)
def test_errors_name_the_key(changes: dict[str, Any], data: dict[str, Any], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        build_network(experiment(**changes), dataset(**data), seed=0)


def test_a_frozen_encoder_is_no_part_and_cannot_be_balanced() -> None:
    frozen = {"encoder": {"kind": "timm", "model": "test_resnet", "freeze": True}}
    modalities = {"image": frozen, "vector": {"encoder": ENCODERS["vector"]}}
    assert build_network(experiment(modalities=modalities), dataset(), seed=0).parts.names == ("vector",)
    spec = experiment(modalities=modalities, modulation={"kind": "cggm", "preset": "paper"})
    with pytest.raises(BuildError, match="modulation: modality 'image' has a frozen encoder"):
        build_network(spec, dataset(), seed=0)


def test_resize_changes_the_shape_that_the_encoder_sees() -> None:
    spec = experiment(
        modalities={
            "image": {"encoder": {"kind": "mlp", "hidden": [4]}, "transforms": [{"kind": "resize", "size": [5, 6]}]}
        }
    )
    made = build_network(spec, dataset(modalities={"image": {"shape": [1, None, None]}}), seed=0)
    assert made.network({"image": Input(torch.randn(2, 1, 5, 6))}).logits.shape == (2, 3)
