"""Adapters in specs: what they refuse by themselves, and what must fit encoders, fusion and data."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from cggm_pipeline.spec.adapters import Adapter, AdapterSpec
from cggm_pipeline.spec.check_adapter import check_adapter
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.spec.sections import Sections

SEQUENCE = {"kind": "transformer", "width": 10}
VECTOR = {"kind": "mlp", "hidden": [10]}
MAPS = {"kind": "conv", "channels": [4, 10], "output": "pyramid"}


def found(
    adapter: dict[str, Any], *encoders: dict[str, Any], fusion: str = "transformer", steps: int | None = 50
) -> list[tuple[str, str, str]]:
    """Key, message, and what is allowed or advised, of every finding."""
    names = "abcdef"[: len(encoders)]
    shapes = {"transformer": [steps, 5], "text": [None], "mlp": [7], "conv": [1, 8, 8], "timm": [3, 32, 32]}
    document = {
        "version": 1,
        "kind": "experiment",
        "data": "toy",
        "modalities": {name: {"encoder": encoder} for name, encoder in zip(names, encoders, strict=True)},
        "fusion": {"kind": fusion},
        "task": {"kind": "classification"},
        "training": {"epochs": 1},
        "adapter": adapter,
    }
    dataset = {
        "version": 1,
        "kind": "dataset",
        "source": {"kind": "digits_two_view"},
        "split": {"kind": "random"},
        "modalities": {
            name: {"shape": shapes[e["kind"]], "dtype": "int64" if e["kind"] == "text" else "float32"}
            for name, e in zip(names, encoders, strict=True)
        },
        "target": {"kind": "classes", "number": 3},
    }
    sections = Sections.of(Experiment.model_validate(document))
    findings = check_adapter(sections, Dataset.model_validate(dataset))
    return [(".".join(map(str, f.path)), f.message, f"{f.allowed} {f.hint}".strip()) for f in findings]


@pytest.mark.parametrize(
    "adapter",
    [
        {"kind": "none"},
        {"kind": "frozen", "train": ["norms", "encoders.*.projection.*"]},
        {"kind": "bitfit"},
        {"kind": "lora"},
        {"kind": "bottleneck"},
        {"kind": "bottleneck", "where": "last"},
        {"kind": "wander"},
        {"kind": "wander", "where": "every"},
        {"kind": "wander", "tokens": 16},
        {"kind": "wander", "form": "released"},
    ],
    ids=str,
)
def test_every_kind_fits_a_network_of_transformers(adapter: dict[str, Any]) -> None:
    assert found(adapter, SEQUENCE, SEQUENCE, SEQUENCE) == []


@pytest.mark.parametrize("kind", ["frozen", "bitfit", "lora"])
def test_what_changes_no_features_fits_every_network(kind: str) -> None:
    assert found({"kind": kind}, MAPS, VECTOR, {**SEQUENCE, "width": 20}, fusion="concat") == []


@pytest.mark.parametrize("adapter", [{"kind": "wander"}, {"kind": "bottleneck", "where": "last"}], ids=str)
def test_maps_are_no_features_to_change(adapter: dict[str, Any]) -> None:
    ((key, message, hint),) = found(adapter, MAPS, VECTOR, fusion="concat")
    assert key == "adapter.kind"
    assert message == f"{adapter['kind']} changes tokens, vector; the encoder of 'a' gives pyramid"
    assert "bitfit" in hint


def test_every_needs_blocks_in_each_encoder_for_wander_and_somewhere_for_a_bottleneck() -> None:
    (wander,) = found({"kind": "wander", "where": "every", "tokens": 8}, SEQUENCE, VECTOR)
    assert wander == ("adapter.where", "every stands behind the blocks of each encoder, and mlp, of 'b', has none",
                      "last set it")  # fmt: skip
    assert found({"kind": "bottleneck"}, SEQUENCE, VECTOR) == []
    assert found({"kind": "bottleneck"}, VECTOR, VECTOR) == []
    ((key, message, _),) = found({"kind": "bottleneck"}, VECTOR, VECTOR, fusion="concat")
    assert (key, message) == (
        "adapter.where",
        "every stands behind Transformer blocks, and neither an encoder nor the fusion has any",
    )


def test_wander_needs_one_width() -> None:
    ((key, message, _),) = found({"kind": "wander"}, SEQUENCE, {**SEQUENCE, "width": 20}, fusion="concat")
    assert (key, message) == ("adapter.kind", "wander needs features of one width: a 10, b 20")
    assert found({"kind": "bottleneck", "where": "last"}, VECTOR, {"kind": "mlp", "hidden": [3]}, fusion="concat") == []


@pytest.mark.parametrize("adapter", [{"kind": "lora"}, {"kind": "bottleneck"}], ids=str)
def test_nothing_learns_inside_an_encoder_that_is_frozen_by_itself(adapter: dict[str, Any]) -> None:
    frozen = {"kind": "timm", "model": "test_vit", "output": "tokens", "freeze": True}
    ((key, message, hint),) = found(adapter, frozen, SEQUENCE)
    assert key == "modalities.a.encoder.freeze"
    assert message == f"the encoder of 'a' is frozen, and {adapter['kind']} learns inside it"
    assert "remove freeze" in hint
    assert found({"kind": "lora", "target": ["fusion.*"]}, frozen, SEQUENCE) == []
    assert found({"kind": "wander"}, frozen, SEQUENCE) == []


def test_a_varying_number_of_tokens_asks_for_a_grid() -> None:
    (varies,) = found({"kind": "wander"}, SEQUENCE, VECTOR, steps=None)
    assert varies[:2] == ("adapter.tokens", "the number of tokens of 'a' varies")
    assert found({"kind": "wander", "tokens": 8}, SEQUENCE, VECTOR, steps=None) == []
    text = {"kind": "text", "model": "bert", "width": 10}
    assert [finding[0] for finding in found({"kind": "wander"}, SEQUENCE, text)] == ["adapter.tokens"]
    inside = found({"kind": "wander", "where": "every"}, SEQUENCE, {**SEQUENCE, "output": "first"})
    assert [finding[:2] for finding in inside] == [
        ("adapter.tokens", "the number of tokens inside the encoder of 'b' is not known, whose output is no token")
    ]


def test_the_released_form_resamples_nothing() -> None:
    ((key, message, _),) = found({"kind": "wander", "form": "released", "tokens": 8}, SEQUENCE, SEQUENCE)
    assert (key, message) == (
        "adapter.tokens",
        "form released adds to tokens where they stand, and resamples none",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "wander", "rank": 0},
        {"kind": "wander", "form": "code"},
        {"kind": "lora", "target": []},
        {"kind": "lora", "alpha": 0.0},
        {"kind": "frozen", "train": ["a b"]},
        {"kind": "bottleneck", "where": "first"},
        {"kind": "none", "train": ["head.*"]},
        {"kind": "loar"},
    ],
    ids=str,
)
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Adapter).validate_python(wrong)


def test_faults_of_an_adapter_are_shown_where_they_stand(desk: Any) -> None:
    (problem,) = desk.experiment("modulation:", "adapter: {kind: wander, where: every, tokens: 0}\nmodulation:")
    assert problem.key == "adapter.tokens"
    released = "adapter: {kind: wander, form: released, tokens: 4}\nmodulation:"
    (problem,) = desk.experiment("modulation:", released)
    assert (problem.key, problem.line) == ("adapter.tokens", 9)
    assert desk.experiment("modulation:", "adapter: {kind: wander}\nmodulation:") == []


def test_an_adapter_says_nothing_of_features_by_default() -> None:
    spec = AdapterSpec(kind="ours")
    assert (spec.layouts(), spec.blocks(), spec.equal_widths()) == (None, False, False)
