"""G-Blending, UMT, UME and LFM in specs: what must fit what."""

from __future__ import annotations

from typing import Any

import pytest

from cggm_pipeline.spec.check_network import check_network
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.sections import Sections


def found(widths: tuple[int, ...] = (6, 6), **changes: Any) -> list[tuple[str, str]]:
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "toy",
        "modalities": {
            name: {"encoder": {"kind": "mlp", "hidden": [width]}} for name, width in zip("abc", widths, strict=False)
        },
        "fusion": {"kind": "concat"},
        "task": {"kind": "classification"},
        "training": {"epochs": 1},
    }
    sections = Sections.of(Experiment.model_validate(document | changes))
    return [(".".join(map(str, f.path)), f.message) for f in check_network(sections)]


@pytest.mark.parametrize("kind", ["g_blending", "umt", "lfm"])
def test_any_fusion_fits(kind: str) -> None:
    for fusion in ({"kind": "concat"}, {"kind": "gated"}, {"kind": "late"}):
        assert found(fusion=fusion, modulation={"kind": kind}) == []


def test_the_contrast_compares_features_of_one_width() -> None:
    message = "lfm needs features of one width: a 6, b 8"
    assert found((6, 8), modulation={"kind": "lfm"}) == [("modulation.kind", message)]
    assert found((6, 8), modulation={"kind": "lfm", "form": "released"}) == []
    assert found((6, 8), modulation={"kind": "umt"}) == []


def test_labels_are_classes() -> None:
    ((key, message),) = found(task={"kind": "sentiment"}, modulation={"kind": "lfm"})
    assert (key, message) == ("modulation.kind", "lfm is not defined for sentiment")


def test_an_ensemble_needs_the_late_fusion() -> None:
    assert found((6, 8), fusion={"kind": "late"}, modulation={"kind": "ume"}) == []
    assert found(modulation={"kind": "ume"}) == [("modulation.kind", "ume does not work with the fusion concat")]


def test_without_a_pull_there_are_no_teachers() -> None:
    given = {"kind": "umt", "lam": 0.0}
    assert found((6,), modulation=given) == []
    assert found((6,), modulation={**given, "lam": 1.0})[0][1].startswith("umt balances 2 modalities or more")
