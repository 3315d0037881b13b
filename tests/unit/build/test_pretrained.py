"""Another run's weights as a start: everything that fits is taken, and what does not is named."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cggm_pipeline.build import build_network
from cggm_pipeline.build.lengths import Lengths
from cggm_pipeline.build.pretrained import Pretrained
from cggm_pipeline.errors import BuildError
from cggm_pipeline.network import Network
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.experiment import Experiment


def dataset(**shapes: list[int | None]) -> Dataset:
    return Dataset.model_validate(
        {
            "version": 1,
            "kind": "dataset",
            "source": {"kind": "digits_two_view"},
            "split": {"kind": "random"},
            "modalities": {name: {"shape": shape} for name, shape in shapes.items()},
            "target": {"kind": "classes", "number": 3},
        }
    )


def experiment(encoders: dict[str, Any], **sections: Any) -> Experiment:
    return Experiment.model_validate(
        {
            "version": 1,
            "kind": "experiment",
            "data": "toy",
            "modalities": {name: {"encoder": encoder} for name, encoder in encoders.items()},
            "fusion": {"kind": "concat"},
            "task": {"kind": "classification"},
            "training": {"epochs": 1},
            **sections,
        }
    )


MLP = {"kind": "mlp", "hidden": [4]}
TWO = experiment({"left": MLP, "right": MLP})
SHAPES = dataset(left=[5], right=[6])


def network(seed: int, spec: Experiment = TWO, data: Dataset = SHAPES, start: Pretrained | None = None) -> Network:
    return build_network(spec, data, seed=seed, pretrained=start).network


def start(of: Network, **changes: Any) -> Pretrained:
    return Pretrained("table/row", of.state_dict(), **changes)


def test_every_tensor_is_taken() -> None:
    source = network(1)
    made = network(2, start=start(source))
    for name, tensor in made.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name]), name


def test_what_is_left_is_drawn_as_without_a_start() -> None:
    source, plain = network(1), network(2)
    made = network(2, start=start(source, leave=("head.*", "encoders.left.*"))).state_dict()
    for name, tensor in made.items():
        expected = plain if name.startswith(("head.", "encoders.left.")) else source
        assert torch.equal(tensor, expected.state_dict()[name]), name


def test_other_shapes_are_an_error_that_names_them_unless_they_are_left() -> None:
    source, wider = network(1), dataset(left=[9], right=[6])
    said = r"^weights: .*encoders\.left\..*\(4, 5\) there and \(4, 9\) here.*weights\.leave"
    with pytest.raises(BuildError, match=said):
        network(2, data=wider, start=start(source))
    made = network(2, data=wider, start=start(source, leave=("encoders.left.*",)))
    assert torch.equal(made.head.weight, source.head.weight)


def test_a_modality_that_the_run_has_not_is_an_error() -> None:
    summed = {"fusion": {"kind": "sum", "width": 4}}
    spec = experiment({"left": MLP, "right": MLP, "third": MLP}, **summed)
    source = network(1, experiment({"left": MLP, "right": MLP}, **summed))
    with pytest.raises(BuildError, match=r"it has no encoders\.third\."):
        network(2, spec, dataset(left=[5], right=[6], third=[2]), start(source))


def test_a_modality_of_another_name() -> None:
    source = network(1)
    renamed = experiment({"left": MLP, "sight": MLP})
    made = network(2, renamed, dataset(left=[5], sight=[6]), start(source, modalities={"sight": "right"}))
    for name, tensor in made.encoders["sight"].state_dict().items():
        assert torch.equal(tensor, source.encoders["right"].state_dict()[name])


def test_a_pattern_that_names_nothing_is_an_error() -> None:
    with pytest.raises(BuildError, match=r"weights\.leave: 'heads\.\*' names no parameter"):
        network(2, start=start(network(1), leave=("heads.*",)))


def test_running_statistics_are_taken_too() -> None:
    spec = experiment({"left": {"kind": "mlp", "hidden": [4], "batch_norm": True}, "right": MLP})
    source = network(1, spec)
    for name, buffer in source.named_buffers():
        if name.endswith("running_mean"):
            buffer.fill_(3.0)
    made = network(2, spec, start=start(source))
    assert any((b == 3.0).all() for name, b in made.named_buffers() if name.endswith("running_mean"))


def test_numbers_of_tokens_by_modality() -> None:
    encoders = {
        "flat": MLP,
        "fixed": {"kind": "transformer", "width": 4, "heads": 2, "layers": 1},
        "ragged": {"kind": "transformer", "width": 4, "heads": 2, "layers": 1},
        "first": {"kind": "transformer", "width": 4, "heads": 2, "layers": 1, "output": "first"},
    }
    spec = experiment(encoders, fusion={"kind": "transformer", "heads": 2, "layers": 1})
    data = dataset(flat=[3], fixed=[7, 2], ragged=[None, 2], first=[7, 2])
    made = network(0, spec, data)
    before = torch.get_rng_state()
    lengths = Lengths(dict(made.encoders.items()), spec, data)
    assert dict(lengths) == {"flat": 1, "fixed": 7, "ragged": None, "first": 1}
    assert torch.equal(before, torch.get_rng_state()), "counting drew a random number"
    assert all(module.training for module in made.modules()), "counting left a module in evaluation mode"
