"""Fills in specs: what does not fit is found at validation, with its key; what fits is built and trains."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cggm_pipeline.build import build_network
from cggm_pipeline.build.check import check_build
from cggm_pipeline.build.tables import TABLES
from cggm_pipeline.layers.features import Input
from cggm_pipeline.spec.check_experiment import check_experiment
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.sections import Sections

SHAPES: dict[str, list[int | None]] = {"audio": [6, 5], "text": [None, 7], "vision": [9, 4]}
IMAGE = {"kind": "conv", "channels": [4, 6], "output": "pyramid"}
VECTOR = {"kind": "mlp", "hidden": [10]}


def dataset(shapes: dict[str, list[int | None]] = SHAPES) -> Dataset:
    document = {"version": 1, "kind": "dataset", "source": {"kind": "digits_two_view"}, "split": {"kind": "random"}}
    named = {name: {"shape": shape} for name, shape in shapes.items()}
    return Dataset.model_validate(document | {"modalities": named, "target": {"kind": "classes", "number": 3}})


def experiment(fill: dict[str, Any], encoders: dict[str, dict[str, Any]] | None = None, **changes: Any) -> Experiment:
    encoders = encoders or {name: {"kind": "projection", "width": 10} for name in SHAPES}
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "toy",
        "modalities": {name: {"encoder": encoder} for name, encoder in encoders.items()},
        "fill": fill,
        "fusion": {"kind": "mult", "layers": 1, "memory_layers": 1},
        "task": {"kind": "classification"},
        "training": {"epochs": 1},
    }
    return Experiment.model_validate(document | changes)


def found(spec: Experiment) -> list[Finding]:
    return [finding for finding in check_experiment(Sections.of(spec), None) if finding.path[0] in ("fill", "fusion")]


@pytest.mark.parametrize(
    ("fill", "encoders", "path", "message", "advice"),
    [
        (
            {"kind": "generated"},
            {"image": IMAGE, "sound": IMAGE},
            ("fill", "kind"),
            "generated fills tokens, vector; the encoder of 'image' gives pyramid",
            "use kind: zeros or kind: mean",
        ),
        (
            {"kind": "missing_aware"},
            {"image": IMAGE, "sound": IMAGE},
            ("fill", "kind"),
            "missing_aware fills tokens, vector; the encoder of 'image' gives pyramid",
            "use kind: zeros or kind: mean",
        ),
        (
            {"kind": "missing_aware"},
            {f"m{place}": VECTOR for place in range(9)},
            ("fill", "kind"),
            "missing_aware takes at most 8 modalities, 9 are in use",
            "select some with use:",
        ),
        (
            {"kind": "generated", "blocks": "subset"},
            {f"m{place}": VECTOR for place in range(7)},
            ("fill", "blocks"),
            "generated takes at most 6 modalities, 7 are in use",
            "select some with use:",
        ),
        (
            {"kind": "generated"},
            {"a": VECTOR, "b": VECTOR | {"hidden": [12]}},
            ("fill", "missing_type"),
            "generated with missing_type needs features of one width: a 10, b 12",
            "",
        ),
        (
            {"kind": "modality_dropout", "rate": {"adio": 0.5}},
            {"audio": VECTOR, "text": VECTOR},
            ("fill", "rate", "adio"),
            "there is no modality 'adio' in use",
            "did you mean 'audio'?",
        ),
    ],
)
def test_what_does_not_fit_is_found(
    fill: dict[str, Any], encoders: dict[str, dict[str, Any]], path: tuple[str, ...], message: str, advice: str
) -> None:
    fusion = {"kind": "deeplab"} if IMAGE in encoders.values() else {"kind": "concat"}
    first = found(experiment(fill, encoders, fusion=fusion))[0]
    assert (first.path, first.message) == (path, message)
    assert advice in first.hint


def test_what_fits_is_not_found() -> None:
    different = {"a": VECTOR, "b": VECTOR | {"hidden": [12]}}
    concat = {"kind": "concat"}
    assert not found(experiment({"kind": "generated", "missing_type": False}, different, fusion=concat))
    assert not found(experiment({"kind": "modality_dropout", "rate": {"a": 0.5}}, different, fusion=concat))
    for kind in ("zeros", "mean", "modality_dropout"):
        assert not found(experiment({"kind": kind}, {"a": IMAGE, "b": IMAGE}, fusion={"kind": "deeplab"}))


def test_mults_heads_divide_the_width() -> None:
    (finding,) = found(experiment({"kind": "zeros"}, fusion={"kind": "mult", "heads": 3}))
    assert finding.path == ("fusion", "heads")
    assert finding.message == "3 heads do not divide the features' width 10"


def test_a_method_that_compares_features_with_an_encoders_takes_no_longer_ones() -> None:
    umt = {"modulation": {"kind": "umt"}}
    for fill in ({"kind": "generated"}, {"kind": "missing_aware"}):
        (finding,) = found(experiment(fill, **umt))
        assert finding.path == ("fill", "kind")
        assert "umt compares features with an encoder's" in finding.message
        assert not found(experiment(fill, {"a": VECTOR, "b": VECTOR}, fusion={"kind": "concat"}, **umt))
    assert not found(experiment({"kind": "generated", "missing_type": False}, **umt))
    assert not found(experiment({"kind": "generated"}, modulation={"kind": "umt", "lam": 0.0}))


@pytest.mark.parametrize("kind", TABLES["fills"])
def test_a_network_with_every_fill_is_checked_built_and_trained(kind: str) -> None:
    """Two of its sequences have a fixed length, one has not."""
    spec = experiment({"kind": kind})
    report = check_build(spec, dataset())
    network = build_network(spec, dataset(), seed=0).network
    assert report.network["fill"] == sum(parameter.numel() for parameter in network.fill.parameters())
    torch.manual_seed(0)
    inputs = {
        "audio": Input(torch.randn(4, 6, 5), None, torch.tensor([True, False, True, True])),
        "text": Input(torch.randn(4, 8, 7), torch.arange(8) >= torch.tensor([[8], [3], [1], [5]])),
        "vision": Input(torch.randn(4, 9, 4), None, torch.tensor([True, True, False, False])),
    }
    network.train()(inputs).logits.logsumexp(1).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())
