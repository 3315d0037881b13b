"""What every adapter promises: it starts equal to the frozen network, and only what it names learns."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from contract_data import CLASSES, Toy
from contract_modulations import Case, forms
from contract_training import dataset_of, doubled, experiment_of, options, train
from torch import Tensor

from cggm_pipeline.build import Built, build_network
from cggm_pipeline.build.check import check_build
from cggm_pipeline.build.modulation import build_parts
from cggm_pipeline.build.rooms import specs
from cggm_pipeline.build.tables import TABLES
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Input
from cggm_pipeline.modulations import Modulation
from cggm_pipeline.network import Network
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.training.groups import parameter_groups
from cggm_pipeline.training.outputs import module_parameters

SMALL: dict[str, dict[str, Any]] = {"lora": {"rank": 2}, "bottleneck": {"width": 3}, "wander": {"rank": 3, "trank": 2}}
NETWORKS = ("tokens", "projected", "deeplab")
"""Fusions of tokens, vectors and maps, by their names in contract_modulations.FUSIONS."""
DEAD = {("wander", "released")}
"""Forms that start from a product of zeros, as their released code does: shown to stay there in their own tests."""


def refused(kind: str, form: dict[str, Any], network: str) -> bool:
    """What cannot be adapted: maps and vectors have no blocks, maps no features that are vectors or tokens."""
    spec = specs("adapters")[kind].model_validate(form)
    layout = {"tokens": "tokens", "projected": "vector", "deeplab": "pyramid"}[network]
    layouts = spec.layouts()
    if kind == "lora" and network == "deeplab":
        return True
    return (spec.blocks() and layout != "tokens") or (layouts is not None and layout not in layouts)


FORMS = [
    (kind, {**form, **SMALL.get(kind, {})})
    for kind in TABLES["adapters"]
    for form in forms("adapters", kind)
    if "activation" not in form
]
ALL = [(kind, form, network) for kind, form in FORMS for network in NETWORKS]
CASES = [case for case in ALL if not refused(*case)]


def told(value: Any) -> str:
    return "-".join(str(part) for part in value.values() if isinstance(part, str)) if isinstance(value, dict) else value


every = pytest.mark.parametrize(("kind", "form", "network"), CASES, ids=told)
learning = pytest.mark.parametrize(("kind", "form", "network"), [case for case in CASES if case[0] != "none"], ids=told)


@pytest.fixture(autouse=True)
def _needs_peft(request: pytest.FixtureRequest) -> None:
    if "lora" in request.node.name and find_spec("peft") is None:
        pytest.skip("lora needs the library peft")


def case_of(network: str) -> Case:
    task = "segmentation" if network == "deeplab" else "classification"
    return Case("modulations", {"kind": "none"}, task, network, 3)


def adapted(form: dict[str, Any], network: str, names: tuple[str, ...] | None = None) -> Built:
    case = case_of(network)
    spec = specs("adapters")[form["kind"]].model_validate(form)
    experiment = experiment_of(case, names).model_copy(update={"adapter": spec})
    return build_network(experiment, dataset_of(case, names), seed=3)


@cache
def plain(network: str) -> Network:
    return adapted({"kind": "none"}, network).network


def batch(network: str, number: int = 12) -> dict[str, Input]:
    layout = {"tokens": "tokens", "projected": "vector", "deeplab": "pyramid"}[network]
    target = "mask" if network == "deeplab" else "classes"
    data = Toy(case_of(network).names, layout, target, number, 5)
    inputs: dict[str, Input] = dict(next(iter(data.batches(number, train=False))).inputs)
    return inputs


def predicted(network: Network, inputs: dict[str, Input]) -> Tensor:
    return network.eval().predict(inputs)


def learns(network: Network) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize(("kind", "form", "network"), [case for case in ALL if refused(*case)], ids=told)
def test_what_cannot_be_adapted_is_refused_with_its_key(kind: str, form: dict[str, Any], network: str) -> None:
    with pytest.raises(BuildError, match=r"^adapter: .{20,}"):
        adapted(form, network)


@every
def test_it_starts_equal_to_the_network_bit_for_bit(kind: str, form: dict[str, Any], network: str) -> None:
    made, inputs = adapted(form, network).network, batch(network)
    assert torch.equal(predicted(made, inputs), predicted(plain(network), inputs))
    frozen = plain(network).state_dict()
    kept = {name.replace(".base_layer.", "."): value for name, value in made.state_dict().items()}
    assert all(torch.equal(kept[name], value) for name, value in frozen.items())


@every
def test_it_starts_equal_in_double_precision_too(kind: str, form: dict[str, Any], network: str) -> None:
    inputs = {name: Input(x.values.double(), x.mask, x.present) for name, x in batch(network).items()}
    logits = predicted(adapted(form, network).network.double(), inputs)
    assert logits.dtype == torch.float64
    assert torch.equal(logits, predicted(copy.deepcopy(plain(network)).double(), inputs))


@learning
def test_what_learns_moves_and_nothing_else(kind: str, form: dict[str, Any], network: str) -> None:
    made = adapted(form, network)
    named, everything = learns(made.network), dict(made.network.named_parameters())
    assert {"head.weight", "head.bias"} <= named < set(everything)
    trained = train(case_of(network), made, epochs=3)
    moved = {name for name, value in trained.after.items() if not torch.equal(value, trained.before[name])}
    if (kind, form.get("form")) in DEAD:
        assert {"head.weight", "head.bias"} <= moved <= named
    else:
        assert moved == named


@learning
def test_every_parameter_that_learns_is_in_one_group_and_a_modalitys_own_in_its_own(
    kind: str, form: dict[str, Any], network: str
) -> None:
    made = adapted(form, network)
    groups = parameter_groups(made.network, made.modulation, {})
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in made.network.parameters() if p.requires_grad)
    owners = {id(parameter): group["modality"] for group in groups for parameter in group["params"]}
    for name, parameter in made.network.named_parameters():
        named = [modality for modality in made.network.modalities if modality in name.split(".")]
        if parameter.requires_grad:
            assert owners[id(parameter)] == (named[0] if named else None), name


@every
def test_the_state_dict_carries_everything(kind: str, form: dict[str, Any], network: str, tmp_path: Path) -> None:
    made, other, inputs = adapted(form, network), adapted(form, network), batch(network)
    train(case_of(network), made)
    safetensors.torch.save_file({n: v.contiguous() for n, v in made.network.state_dict().items()}, tmp_path / "w")
    other.network.load_state_dict(safetensors.torch.load_file(tmp_path / "w"))
    assert torch.equal(predicted(other.network, inputs), predicted(made.network, inputs))


@every
def test_a_copy_is_equal_and_a_network_of_its_own(kind: str, form: dict[str, Any], network: str) -> None:
    made, inputs = adapted(form, network), batch(network)
    original = predicted(made.network, inputs)
    twin = copy.deepcopy(made)
    assert learns(twin.network) == learns(made.network)
    assert torch.equal(predicted(twin.network, inputs), original)
    train(case_of(network), twin, epochs=3)
    assert not torch.equal(predicted(twin.network, inputs), original)
    assert torch.equal(predicted(made.network, inputs), original)


@every
def test_the_order_of_modalities_does_not_matter(kind: str, form: dict[str, Any], network: str) -> None:
    names, inputs = case_of(network).names, batch(network)
    forwards, backwards = adapted(form, network, names), adapted(form, network, names[::-1])
    for made in (forwards, backwards):
        train(case_of(network), made)
    turned = dict(reversed(inputs.items()))
    assert torch.equal(predicted(forwards.network, inputs), predicted(backwards.network, turned))


@every
def test_rows_are_independent_and_absent_modalities_say_nothing(kind: str, form: dict[str, Any], network: str) -> None:
    made, inputs = adapted(form, network), batch(network)
    train(case_of(network), made, epochs=3)
    whole = predicted(made.network, inputs)
    assert torch.equal(whole, predicted(made.network, inputs))
    for row in (0, 11):
        alone = {name: Input(x.values[[row]], None, None if x.present is None else x.present[[row]])
                 for name, x in inputs.items()}  # fmt: skip
        torch.testing.assert_close(predicted(made.network, alone)[0], whole[row], rtol=1e-4, atol=1e-5)
    for name, x in inputs.items():
        absent = torch.arange(12) % 2 == 1
        values = x.values.clone()
        values[absent] = 7.0
        without = [
            predicted(made.network, {**inputs, name: Input(given, None, ~absent)}) for given in (x.values, values)
        ]
        assert without[0].isfinite().all()
        assert torch.equal(*without)


@learning
def test_a_step_is_finite_in_double_precision(kind: str, form: dict[str, Any], network: str) -> None:
    made = adapted(form, network)
    data = [Toy(case_of(network).names, {"tokens": "tokens", "projected": "vector", "deeplab": "pyramid"}[network],
                "mask" if network == "deeplab" else "classes", 12, seed) for seed in (1, 2)]  # fmt: skip
    doubled(made, *data)
    inputs = next(iter(data[0].batches(12, train=True))).inputs
    made.network.train()
    made.network(inputs).logits.square().mean().backward()
    for name, parameter in made.network.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        assert parameter.grad is None or parameter.grad.isfinite().all()


WANDER = {"kind": "wander", **SMALL["wander"]}


def balanced(adapter: dict[str, Any], method: dict[str, Any]) -> Built:
    """A network of tokens with an adapter and a balancing method."""
    case = case_of("tokens")
    experiment = experiment_of(case).model_dump() | {"adapter": adapter, "modulation": method}
    return build_network(Experiment.model_validate(experiment), dataset_of(case), seed=3)


def test_methods_balance_each_modalitys_own_part_of_an_adapter() -> None:
    made = balanced(WANDER, {"kind": "cggm", "preset": "paper"})
    network, parts = made.network, build_parts(made.network)
    assert parts.names == network.modalities
    for name in network.modalities:
        own = network.adapter.own(name)[0]
        assert {id(p) for p in parts.parameters(name)} == {id(p) for p in own.parameters()}
    assert train(case_of("tokens"), made).fitted.history[-1]["train_loss"] > 0


def test_rates_act_on_each_modalitys_own_part_of_an_adapter() -> None:
    """MSLR with a rate of nearly nothing: that modality's factors stay where they are, and the others' learn."""
    made = balanced(WANDER, {"kind": "mslr", "rates": {"audio": 1e-12}, "form": "keep"})
    trained = train(case_of("tokens"), made)
    moved = {
        name: max((trained.after[key] - trained.before[key]).abs().max() for key in trained.after if f".{name}." in key)
        for name in made.network.modalities
    }
    assert moved.pop("audio") < 1e-9
    assert min(moved.values()) > 1e-4


@pytest.mark.parametrize("adapter", [{"kind": "frozen"}, {"kind": "lora", "target": ["fusion.*"]}], ids=told)
def test_a_method_is_refused_where_an_adapter_leaves_a_modality_nothing(adapter: dict[str, Any]) -> None:
    with pytest.raises(
        BuildError, match="modulation: modality 'audio' has a frozen encoder, and no part of an adapter"
    ):
        balanced(adapter, {"kind": "cggm", "preset": "paper"})


@every
def test_the_check_without_data_passes_it_and_counts_what_learns(kind: str, form: dict[str, Any], network: str) -> None:
    case = case_of(network)
    experiment = experiment_of(case).model_copy(update={"adapter": specs("adapters")[kind].model_validate(form)})
    report = check_build(experiment, dataset_of(case))
    made = adapted(form, network).network
    assert report.trainable == module_parameters(made, trainable=True)
    assert report.total == module_parameters(made)
    assert (f"{report.trainable / report.total:.2%} learn" in str(report)) == (kind != "none")


class Watching(Modulation):
    """Remembers each modality's own factors before every step, and whose turn the step was."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = (network,)
        self.seen: list[tuple[frozenset[str] | None, dict[str, Tensor]]] = []

    def objective(self, loss: Tensor, step: Any) -> Tensor:
        owned = self.network[0].adapter
        own = {n: torch.cat([p.detach().flatten() for p in owned.own(n)[0].parameters()]) for n in step.features}
        self.seen.append((step.active, own))
        return loss


def test_out_of_turn_a_modalitys_own_part_of_an_adapter_stands_still() -> None:
    made = balanced(WANDER, {"kind": "none"})
    method = Watching(made.network)
    turns = Case("schedules", {"kind": "alternating"}, "classification", "tokens", 3)
    train(turns, replace(made, modulation=method))
    assert len(method.seen) > 6
    for (turn, before), (_, after) in pairwise(method.seen):
        assert turn is not None
        assert {name for name, value in after.items() if not torch.equal(value, before[name])} == turn


def test_networks_predict_classes() -> None:
    """What these tests compare is no constant."""
    for network in NETWORKS:
        logits = predicted(plain(network), batch(network))
        assert logits.shape[1] == CLASSES
        assert logits.std() > 1e-3


def test_options_train_with_adam() -> None:
    """Weight decay would move what has no gradient, and hide it."""
    assert "weight_decay" not in options().optimizer.keywords
