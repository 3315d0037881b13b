"""How the contract tests train a case of a balancing method: as `fit` does it, on a few samples."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from contract_data import CLASSES, SHAPES, SIZE, VALUES, Toy
from contract_modulations import ENCODERS, Case, Form, fusions, least
from torch import Tensor

from cggm_pipeline.build import Built, build_network
from cggm_pipeline.build.modulation import build_schedule
from cggm_pipeline.build.rooms import specs
from cggm_pipeline.network import Network
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment
from cggm_pipeline.training.fit import Fitted, fit
from cggm_pipeline.training.optimizers import adam, sgd
from cggm_pipeline.training.options import Options
from cggm_pipeline.training.schedules import constant

TARGETS: dict[str, dict[str, Any]] = {
    "classes": {"kind": "classes", "number": CLASSES},
    "values": {"kind": "values", "width": VALUES},
    "mask": {"kind": "mask", "number": CLASSES, "shape": [SIZE, SIZE]},
}


def built(case: Case, names: tuple[str, ...] | None = None, form: Form | None = None, seed: int = 3) -> Built:
    """Network, task and method of a case; `form`: with this method instead."""
    return build_network(experiment_of(case, names, form), dataset_of(case, names), seed=seed)


def dataset_of(case: Case, names: tuple[str, ...] | None = None) -> Dataset:
    shape = SHAPES[fusions(case.spec)[case.fusion][0]]
    return Dataset.model_validate(
        {
            "version": 1,
            "kind": "dataset",
            "source": {"kind": "digits_two_view"},
            "split": {"kind": "random"},
            "modalities": {name: {"shape": list(shape)} for name in names or case.names},
            "target": TARGETS[specs("tasks")[case.task].target],
        }
    )


def experiment_of(case: Case, names: tuple[str, ...] | None = None, form: Form | None = None) -> Experiment:
    layout, fusion = fusions(case.spec)[case.fusion]
    given = {case.room: case.form if form is None else form}
    if case.room == "modulations" and form is None and case.spec.schedule:
        given["schedules"] = least("schedules", case.spec.schedule)
    return Experiment.model_validate(
        {
            "version": 1,
            "kind": "experiment",
            "data": "toy",
            "modalities": {name: {"encoder": ENCODERS[layout]} for name in names or case.names},
            "fusion": fusion,
            "task": {"kind": case.task},
            **{room.removesuffix("s"): form for room, form in given.items()},
            "classifiers": {"dropout": 0.0},
            "training": {"epochs": 2},
        }
    )


@dataclass
class Trained:
    """What a training left. `before`, `after`: the network's weights before the first and after the last step.

    `drew`: whether random numbers of torch's generator were taken; no network here takes any.
    """

    made: Built
    fitted: Fitted
    before: dict[str, Tensor]
    after: dict[str, Tensor]
    drew: bool

    @property
    def state(self) -> dict[str, Tensor]:
        """Network and method, after the last step."""
        return {**self.after, **{f"method.{name}": value for name, value in self.made.modulation.state_dict().items()}}


def options(**changes: Any) -> Options:
    """Two epochs with Adam and nothing else; `gentle`: with SGD, which does not enlarge what is rounded."""
    rate: Callable[..., Any] = (
        partial(sgd, lr=2e-2, momentum=0.0) if changes.pop("gentle", False) else partial(adam, lr=1e-2)
    )
    given = {
        "epochs": 2,
        "batch_size": 8,
        "optimizer": rate,
        "scheduler": lambda optimizer, epochs: constant(optimizer, epochs),
        "metric": "loss",
        "mode": "min",
        "device": "cpu",
    }
    return Options(**{**given, **changes})


def data_of(case: Case, seed: int, number: int) -> Toy:
    layout = fusions(case.spec)[case.fusion][0]
    return Toy(case.names, layout, specs("tasks")[case.task].target, number, seed)


def train(
    case: Case,
    made: Built | None = None,
    *,
    form: Form | None = None,
    names: tuple[str, ...] | None = None,
    data: Toy | None = None,
    double: bool = False,
    state: Path | None = None,
    **changes: Any,
) -> Trained:
    """The case's training; `state`: with checkpoints there."""
    made = made or built(case, names, form)
    train_data, valid = data or data_of(case, 1, 24), data_of(case, 2, 12)
    if double:
        doubled(made, train_data, valid)
    before, after = weights(made.network), {}
    made.task.metrics = lambda logits, target: {}  # type: ignore[method-assign]  # none is looked at, and they cost
    gc.freeze()  # `fit` collects garbage at its end; what was there before would be most of its time
    schedule = build_schedule(experiment_of(case, names, form), made.network)
    arguments = (made.network, made.task, made.modulation, train_data, valid, options(**changes))
    seen = lambda moment: after.update(weights(made.network))  # noqa: E731 - `fit` gives back those of the best epoch
    try:
        fitted = fit(*arguments, schedule=schedule, progress=seen, state=state, key="k")
    finally:
        gc.unfreeze()
    drew = not torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(0).get_state())
    return Trained(made, fitted, before, after, drew)


def weights(network: Network) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def doubled(made: Built, *data: Toy) -> None:
    """Everything in float64."""
    made.network.double()
    made.modulation.double()
    for part in data:
        part.values = {name: values.double() for name, values in part.values.items()}
        part.target = part.target.double() if part.target.is_floating_point() else part.target


def different(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """The names whose bits are not the same."""
    assert one.keys() == other.keys()
    return [name for name, value in one.items() if not torch.equal(value, other[name])]
