"""What every predictor promises, for every task that it says it is defined for and every form that it has."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import torch
from contract_data import SHAPES, Toy
from contract_members import NAMES, choices, spec_of
from contract_modulations import Case
from contract_training import TARGETS, dataset_of, experiment_of
from torch import Tensor, nn

from cggm_pipeline.build import Built, build_network
from cggm_pipeline.build.rooms import specs
from cggm_pipeline.build.tables import TABLES
from cggm_pipeline.data.input import Input
from cggm_pipeline.errors import BuildError
from cggm_pipeline.evaluation.adaptation.copies import adaptable, learning
from cggm_pipeline.evaluation.predictors.plain import PLAIN, evaluating
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment

ENCODERS: dict[str, dict[str, Any]] = {
    "vector": {"kind": "mlp", "hidden": [6], "batch_norm": True},
    "pyramid": {"kind": "conv", "channels": [2, 3, 4], "output": "pyramid", "batch_norm": True},
}
"""Encoders that every predictor can do something with."""
DENSE = {"kind": "deeplab", "width": 4, "low_width": 3, "low_level": 1, "dropout": [0.0, 0.0]}
NUMBER, SIZE = 10, 6


def cases() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(kind, task, options): every task, and for classes every value of each literal field."""
    for kind in TABLES["predictors"]:
        fields = [name for name in ("mode", "form") if choices("predictors", kind, name) != (None,)]
        forms = [
            dict(zip(fields, values, strict=True))
            for values in product(*(choices("predictors", kind, f) for f in fields))
        ]
        for task in sorted(specs("predictors")[kind].tasks):
            for form in forms if task == "classification" else forms[:1]:
                yield kind, task, form


CASES = list(cases())
every = pytest.mark.parametrize(
    ("kind", "task", "options"), CASES, ids=["-".join([kind, task, *given.values()]) for kind, task, given in CASES]
)
KINDS = pytest.mark.parametrize("kind", TABLES["predictors"])


def layout_of(task: str) -> str:
    return "pyramid" if specs("tasks")[task].target == "mask" else "vector"


def built(kind: str, task: str, options: dict[str, Any], names: tuple[str, ...] = NAMES[:3], **encoder: Any) -> Built:
    """Network and predictor, as a spec with this `prediction` makes them."""
    layout = layout_of(task)
    fusion = DENSE if layout == "pyramid" else {"kind": "concat", "width": 6}
    dataset = {
        "version": 1,
        "kind": "dataset",
        "source": {"kind": "digits_two_view"},
        "split": {"kind": "random"},
        "modalities": {name: {"shape": list(SHAPES[layout])} for name in names},
        "target": TARGETS[specs("tasks")[task].target],
    }
    experiment = {
        "version": 1,
        "kind": "experiment",
        "data": "toy",
        "modalities": {name: {"encoder": {**ENCODERS[layout], **encoder}} for name in names},
        "fusion": fusion,
        "task": {"kind": task},
        "prediction": {"kind": kind, **options},
        "training": {"epochs": 1},
    }
    return build_network(Experiment.model_validate(experiment), Dataset.model_validate(dataset), seed=3)


def given(task: str, names: tuple[str, ...] = NAMES[:3], dtype: torch.dtype = torch.float32) -> list[dict[str, Input]]:
    """Batches whose last one has few samples; some samples lack a modality, one lacks all."""
    data = Toy(names, layout_of(task), specs("tasks")[task].target, NUMBER, 1)
    found = []
    for batch in data.batches(SIZE):
        inputs = {name: Input(each.values.to(dtype), each.mask, each.present) for name, each in batch.inputs.items()}
        for place, name in enumerate(sorted(names)):
            rows = torch.arange(len(batch.index))
            inputs[name] = inputs[name].lacking((rows % 4 == place) & (rows != 1) | (rows == 3))
        found.append(inputs)
    return found


def asked(made: Built, inputs: list[dict[str, Input]]) -> list[Tensor]:
    with evaluating(made.network):
        ask = made.predictor.open(made.network)
        return [ask(each) for each in inputs]


def equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@every
def test_logits_are_finite_as_many_as_samples_and_without_a_graph(kind: str, task: str, options: Any) -> None:
    made, inputs = built(kind, task, options), given(task)
    with evaluating(made.network):
        shapes = [made.network(each).logits.shape for each in inputs]
    found = asked(made, inputs)
    assert [each.shape for each in found] == shapes
    assert all(each.isfinite().all() and not each.requires_grad for each in found)
    assert all(made.task.predict(each).isfinite().all() for each in found)


@every
def test_a_pass_gives_the_same_bits_again_and_leaves_the_network_as_it_was(kind: str, task: str, options: Any) -> None:
    made, inputs = built(kind, task, options), given(task)
    before = {name: tensor.clone() for name, tensor in made.network.state_dict().items()}
    state = torch.get_rng_state()
    first = asked(made, inputs)
    assert torch.equal(torch.get_rng_state(), state)
    assert equal(asked(made, inputs), first)
    assert equal(asked(built(kind, task, options), inputs), first)
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.network.state_dict().items())
    assert all(parameter.grad is None for parameter in made.network.parameters())
    assert made.network.training


@every
def test_the_order_of_modalities_does_not_matter(kind: str, task: str, options: Any) -> None:
    names = NAMES[:3]
    backwards = [dict(reversed(each.items())) for each in given(task)]
    assert equal(
        asked(built(kind, task, options), given(task)), asked(built(kind, task, options, names[::-1]), backwards)
    )


@every
def test_float64(kind: str, task: str, options: Any) -> None:
    made = built(kind, task, options)
    made.network.double()
    found = asked(made, given(task, dtype=torch.float64))
    assert all(each.dtype == torch.float64 and each.isfinite().all() for each in found)


@every
def test_a_call_is_the_first_batch_of_a_pass(kind: str, task: str, options: Any) -> None:
    made, inputs = built(kind, task, options), given(task)
    with evaluating(made.network):
        alone = made.predictor(made.network, inputs[0])
    assert torch.equal(alone, asked(made, inputs)[0])


@KINDS
def test_what_adapts_says_how_much_at_a_time_and_selects_no_epoch(kind: str) -> None:
    predictor = built(kind, "classification", {}).predictor
    adapts = "batch_size" in specs("predictors")[kind].model_fields
    assert (predictor.selecting is not predictor) == adapts
    assert predictor.selecting in (predictor, PLAIN)
    assert (predictor.batch_size is not None) == adapts


@KINDS
def test_a_network_that_gives_it_nothing_to_do_is_refused(kind: str) -> None:
    adapts = "batch_size" in specs("predictors")[kind].model_fields
    if not adapts:
        assert built(kind, "classification", {}, batch_norm=False)
        return
    with pytest.raises(BuildError, match=f"^prediction: {kind} "):
        built(kind, "classification", {}, batch_norm=False)


@KINDS
def test_fewer_modalities_than_its_spec_says_are_refused_and_as_many_are_enough(kind: str) -> None:
    least = specs("predictors")[kind].min_modalities
    assert built(kind, "classification", {}, NAMES[:least])
    if least > 1:
        with pytest.raises(BuildError, match=r"^prediction: "):
            built(kind, "classification", {}, NAMES[: least - 1])


def test_the_networks_here_have_something_to_adapt_everywhere() -> None:
    for task in specs("tasks"):
        network = built("plain", task, {}).network
        assert all(
            any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in e.modules())
            for _, e in network.encoders.items()
        )


@pytest.mark.parametrize("adapter", TABLES["adapters"])
def test_a_network_with_an_adapter_is_adapted_in_a_copy_that_calls_its_own_parts(adapter: str) -> None:
    if adapter == "lora":
        pytest.importorskip("peft")
    case = Case("modulations", {"kind": "none"}, "classification", "tokens", 3)
    changes = {"adapter": spec_of("adapters", adapter), "prediction": spec_of("predictors", "casp", lr=1e-2)}
    made = build_network(experiment_of(case).model_copy(update=changes), dataset_of(case), seed=3)
    batches = Toy(case.names, "tokens", "classes", NUMBER, 1).batches(SIZE)
    inputs = [dict(batch.inputs) for batch in batches]
    before = {name: tensor.clone() for name, tensor in made.network.state_dict().items()}
    learns = [parameter.requires_grad for parameter in made.network.parameters()]
    with evaluating(made.network):
        plain = [PLAIN(made.network, each) for each in inputs]
        copy = adaptable(made.network)
        for parameter in learning(copy):
            parameter.mul_(2)
        assert not torch.equal(PLAIN(copy, inputs[0]), plain[0])
        assert torch.equal(PLAIN(made.network, inputs[0]), plain[0])
    assert not equal(asked(made, inputs), plain)
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.network.state_dict().items())
    assert [parameter.requires_grad for parameter in made.network.parameters()] == learns
    assert all(parameter.grad is None for parameter in made.network.parameters())
