"""Every balancing method trains every task it names, with two, three and four modalities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from contract_members import NAMES

from cggm_pipeline.build import Built, build_network
from cggm_pipeline.build.rooms import specs
from cggm_pipeline.layers.features import Input
from cggm_pipeline.modulations.base import Step
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.describe import annotations_of, strip
from cggm_pipeline.spec.experiment import Experiment

SIZE = 8
TARGETS = {
    "classes": {"kind": "classes", "number": 3},
    "values": {"kind": "values", "width": 2},
    "mask": {"kind": "mask", "number": 3, "shape": [SIZE, SIZE]},
}
FUSIONS: dict[str, dict[str, Any]] = {
    "blocks": {"kind": "concat"},
    "projected": {"kind": "concat", "width": 8},
    "late": {"kind": "late"},
    "deeplab": {"kind": "deeplab", "width": 8, "low_width": 3, "low_level": 1},
}
INPUTS = {"vector": [5], "map": [1, SIZE, SIZE]}
ENCODERS = {
    "vector": {"kind": "mlp", "hidden": [6]},
    "map": {"kind": "conv", "channels": [2, 3, 4], "output": "pyramid"},
}
"""The data and the encoders by the form of z."""


def forms(kind: str) -> Iterator[dict[str, Any]]:
    """The method with its defaults, once per value of every closed list it has (preset, form)."""
    spec = specs("modulations")[kind]
    lists = {
        n: strip(a)[0].__args__
        for n, a in annotations_of(spec).items()
        if n != "kind" and "Literal" in str(strip(a)[0])
    }
    if not lists:
        yield {"kind": kind}
    for name, values in lists.items():
        for value in values:
            required = {n: other[0] for n, other in lists.items() if spec.model_fields[n].is_required()}
            yield {"kind": kind, **required, name: value}


def form_of_z(fusion: str) -> str:
    return str(specs("fusions")[FUSIONS[fusion]["kind"]].layout)


CASES = [
    (form, task, fusion, number)
    for kind, spec in specs("modulations").items()
    for form in forms(kind)
    for task in sorted(spec.tasks)
    for fusion in FUSIONS
    if form_of_z(fusion) in specs("tasks")[task].accepts
    for number in (2, 3, 4)
]
every = pytest.mark.parametrize(
    ("form", "task", "fusion", "number"),
    CASES,
    ids=lambda part: "-".join(part.values()) if isinstance(part, dict) else str(part),
)


def built(form: dict[str, Any], task: str, fusion: str, number: int, names: tuple[str, ...] = NAMES) -> Built:
    names = names[:number]
    target, form_z = TARGETS[specs("tasks")[task].target], form_of_z(fusion)
    dataset = Dataset.model_validate(
        {
            "version": 1,
            "kind": "dataset",
            "source": {"kind": "digits_two_view"},
            "split": {"kind": "random"},
            "modalities": {name: {"shape": INPUTS[form_z]} for name in names},
            "target": target,
        }
    )
    experiment = Experiment.model_validate(
        {
            "version": 1,
            "kind": "experiment",
            "data": "toy",
            "modalities": {name: {"encoder": ENCODERS[form_z]} for name in names},
            "fusion": FUSIONS[fusion],
            "task": {"kind": task},
            "modulation": form,
            "training": {"epochs": 1},
        }
    )
    return build_network(experiment, dataset, seed=3)


def train(made: Built, steps: int = 3, absent: bool = False) -> list[dict[str, Any]]:
    """Adam steps on random batches; the records."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(5)
    optimizer = torch.optim.Adam([*made.network.parameters(), *made.modulation.parameters()], lr=1e-2)
    records = []
    shape = INPUTS["map" if made.network.fusion.dense else "vector"]
    made.modulation.start_epoch(0)
    for index in range(steps):
        there = torch.tensor([True] * 7 + [False]) if absent else None
        inputs = {
            name: Input(torch.randn(8, *shape, generator=generator), None, there)
            for name in sorted(NAMES)
            if name in made.network.modalities
        }
        classes = torch.randint(3, (8, *shape[1:]), generator=generator)
        target = classes if made.task.out_features == 3 else torch.randn(8, 2, generator=generator)
        optimizer.zero_grad()
        out = made.network(inputs, edit=made.modulation.mask)
        step = Step(out.features, out.fused, out.logits, target, 0, index, out.blocks, out.rerun)
        records.append(made.modulation.backward(made.task.loss(out.logits, target), step))
        optimizer.step()
    made.modulation.end_epoch(0)
    return records


@every
def test_steps_move_every_part_and_stay_finite(form: dict[str, Any], task: str, fusion: str, number: int) -> None:
    made = built(form, task, fusion, number)
    before = {name: value.clone() for name, value in made.network.state_dict().items()}
    records = train(made, absent=True)
    for name, value in made.network.state_dict().items():
        assert value.isfinite().all(), name
    moved = {
        name.split(".")[1]
        for name, value in made.network.state_dict().items()
        if name.startswith("encoders") and not torch.equal(value, before[name])
    }
    assert moved == set(made.network.modalities)
    assert any(not torch.equal(before[f"head.{n}"], p) for n, p in made.network.head.named_parameters())
    for record in records:
        for value in record.values():
            values = value.values() if isinstance(value, dict) else [value]
            assert all(isinstance(v, torch.Tensor) and v.dim() == 0 and not v.requires_grad for v in values)
            if isinstance(value, dict):
                assert set(value) == set(made.network.modalities)


@every
def test_a_run_can_be_repeated_and_the_order_of_modalities_does_not_matter(
    form: dict[str, Any], task: str, fusion: str, number: int
) -> None:
    first, second = built(form, task, fusion, number), built(form, task, fusion, number, tuple(NAMES[:number][::-1]))
    train(first)
    train(second)
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name


@every
def test_the_network_starts_the_same_under_every_method(
    form: dict[str, Any], task: str, fusion: str, number: int
) -> None:
    plain = built({"kind": "none"}, task, fusion, number).network.state_dict()
    for name, value in built(form, task, fusion, number).network.state_dict().items():
        assert torch.equal(value, plain[name])


@every
def test_a_restart_from_the_state_dicts_continues_bit_for_bit(
    form: dict[str, Any], task: str, fusion: str, number: int
) -> None:
    made, copy = built(form, task, fusion, number), built(form, task, fusion, number)
    train(made)
    copy.network.load_state_dict(made.network.state_dict())
    copy.modulation.load_state_dict(made.modulation.state_dict())
    train(made)
    train(copy)
    for name, value in made.network.state_dict().items():
        assert torch.equal(value, copy.network.state_dict()[name]), name
