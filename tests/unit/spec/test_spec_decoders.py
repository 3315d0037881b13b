"""Segmentation networks in specs: which encoders a decoder reads, and which options it has."""

from __future__ import annotations

from typing import Any

import pytest

from cggm_pipeline.spec.check_network import check_network
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.sections import Sections

SMP = {"kind": "smp", "model": "resnet18"}


def found(fusion: dict[str, Any], encoder: dict[str, Any] | None = None, **changes: Any) -> list[tuple[str, str, str]]:
    """Key, message and what is allowed or advised, of every finding."""
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "brats",
        "modalities": {name: {"encoder": encoder or SMP} for name in ("t1", "t2")},
        "fusion": fusion,
        "task": {"kind": "segmentation"},
        "training": {"epochs": 1},
    }
    sections = Sections.of(Experiment.model_validate(document | changes))
    return [(".".join(map(str, f.path)), f.message, f"{f.allowed} {f.hint}") for f in check_network(sections)]


@pytest.mark.parametrize("method", ["none", "unimodal_losses", "ogm_ge"])
@pytest.mark.parametrize("encoder", [SMP, {"kind": "conv", "channels": [2, 3, 4, 5], "output": "pyramid"}])
def test_decoders_read_pyramids_under_every_method(encoder: dict[str, Any], method: str) -> None:
    assert found({"kind": "deeplab"}, encoder, modulation={"kind": method}) == []
    assert found({"kind": "smp_decoder", "decoder": "unet"}, encoder, modulation={"kind": method}) == []


@pytest.mark.parametrize(
    ("decoder", "option", "value", "allowed"),
    [
        ("unet", "width", 8, "channels"),
        ("unetplusplus", "dropout", 0.1, "channels"),
        ("fpn", "channels", [8, 4], "width, dropout"),
        ("segformer", "dropout", 0.1, "width"),
    ],
)
def test_an_option_that_a_decoder_does_not_have(decoder: str, option: str, value: object, allowed: str) -> None:
    fusion = {"kind": "smp_decoder", "decoder": decoder, option: value}
    assert found(fusion) == [(f"fusion.{option}", f"{decoder} has no option '{option}'", f"{allowed} remove it")]


def test_the_width_of_fpn_is_a_multiple_of_32() -> None:
    ((key, message, allowed),) = found({"kind": "smp_decoder", "decoder": "fpn", "width": 100})
    assert (key, message) == ("fusion.width", "fpn normalises 32 groups of channels")
    assert "multiples of 32" in allowed


def test_timm_s_own_pyramids_lack_the_image() -> None:
    timm = {"kind": "timm", "model": "resnet18", "output": "pyramid"}
    keys = {key: advice for key, _, advice in found({"kind": "smp_decoder", "decoder": "unet"}, timm)}
    assert set(keys) == {"modalities.t1.encoder.kind", "modalities.t2.encoder.kind"}
    assert "kind: smp with model: tu-resnet18" in keys["modalities.t1.encoder.kind"]
    assert found({"kind": "deeplab", "low_level": 1}, timm) == []


def test_vectors_do_not_meet_decoders_nor_maps_other_tasks() -> None:
    assert (
        found({"kind": "deeplab"}, {"kind": "conv"})[0][1] == "deeplab reads pyramid; the encoder of 't1' gives vector"
    )
    ((key, message, _),) = found({"kind": "deeplab"}, task={"kind": "classification"})
    assert (key, message) == ("task.kind", "classification reads vector; deeplab gives map")
    assert found({"kind": "concat"}, {"kind": "conv"})[0][1] == "segmentation reads map; concat gives vector"


def test_ogm_ge_needs_class_probabilities() -> None:
    ogm = {"kind": "ogm_ge"}
    told = found({"kind": "concat"}, {"kind": "conv"}, task={"kind": "sentiment"}, modulation=ogm)
    assert ("modulation.kind", "ogm_ge is not defined for sentiment", "classification, segmentation ") in told
