"""`validate --build`: the meta device says what the real one would."""

from __future__ import annotations

import pytest
import torch
from test_network_build import ENCODERS, dataset, experiment

from cggm_pipeline.build import build_network, check_build
from cggm_pipeline.build.rooms import specs
from cggm_pipeline.build.tables import TABLES
from cggm_pipeline.errors import BuildError

EQUAL = {
    "image": {"kind": "conv", "channels": [4, 8]},
    "sound": {"kind": "transformer", "width": 8, "heads": 4, "layers": 1, "output": "mean"},
}
"""Encoders as wide as that of `vector`."""


def test_the_counts_are_those_of_the_real_network() -> None:
    spec = experiment(modulation={"kind": "cggm", "preset": "paper"})
    report, made = check_build(spec, dataset()), build_network(spec, dataset(), seed=0)
    assert report.network == made.network.parameter_counts()
    assert report.total == sum(p.numel() for p in made.network.parameters()) == report.trainable
    assert sum(report.classifiers.values()) == sum(p.numel() for p in made.modulation.parameters())
    assert set(report.classifiers) == set(ENCODERS)
    text = str(report)
    assert "encoders.image" in text
    assert f"{report.total:,}" in text
    assert "classifiers.sound" in text


def test_methods_without_classifiers_report_none() -> None:
    assert check_build(experiment(), dataset()).classifiers == {}


def test_nothing_is_allocated_and_no_random_number_drawn() -> None:
    before = torch.get_rng_state()
    wide = experiment(modalities={"vector": {"encoder": {"kind": "mlp", "hidden": [200_000, 200_000]}}})
    assert check_build(wide, dataset()).total > 40 * 10**9
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", [k for k in TABLES["fusions"] if specs("fusions")[k].accepts == {"vector"}])
def test_every_vector_fusion_is_checked(kind: str) -> None:
    options = {"condition": "image"} if kind == "film" else {}
    encoders = {**ENCODERS, **(EQUAL if specs("fusions")[kind].equal_widths else {})}
    modalities = {name: {"encoder": encoder} for name, encoder in encoders.items()}
    assert check_build(experiment(fusion={"kind": kind, **options}, modalities=modalities), dataset()).total > 0


def test_sequences_of_any_length_are_checked() -> None:
    spec = experiment(
        modalities={
            "sound": {"encoder": {"kind": "transformer", "layers": 1}},
            "vector": {"encoder": {"kind": "mlp", "hidden": [40]}},
        },
        fusion={"kind": "transformer"},
        modulation={"kind": "unimodal_losses"},
    )
    shapes = {"sound": {"shape": [None, 4]}, "vector": {"shape": [7]}}
    assert set(check_build(spec, dataset(modalities=shapes)).classifiers) == {"sound", "vector"}


def test_balanced_weights_need_no_data_here() -> None:
    balanced = {"kind": "classification", "loss": {"kind": "cross_entropy", "class_weights": "balanced"}}
    assert check_build(experiment(task=balanced), dataset()).total > 0


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (
            {"kind": "timm", "model": "resnet81"},
            r"modalities\.image\.encoder: model: timm has no 'resnet81'; did you mean 'resnet18'",
        ),
        ({"kind": "timm", "model": "test_resnet", "pretrained": "none.pth"}, r"pretrained: none\.pth does not exist"),
        ({"kind": "custom", "path": "no_such_module:Thing"}, "is not allow-listed"),
        ({"kind": "transformer", "layers": 1}, r"modalities\.image\.encoder: transformer reads inputs of rank 2"),
    ],
)
def test_wrong_encoders_are_told_with_their_key(encoder: dict[str, object], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        check_build(experiment(modalities={"image": {"encoder": encoder}}), dataset())


def test_classifier_heads_must_divide_the_token_width() -> None:
    spec = experiment(
        modalities={
            "sound": {"encoder": {"kind": "transformer", "width": 8, "heads": 4, "layers": 1}},
            "vector": {"encoder": {"kind": "mlp", "hidden": [8]}},
        },
        fusion={"kind": "transformer", "heads": 4},
        modulation={"kind": "unimodal_losses"},
    )
    with pytest.raises(BuildError, match=r"classifiers \(sound\): a width of 8 is not a multiple of 5 heads"):
        check_build(spec, dataset())
