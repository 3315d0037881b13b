"""The network itself: absent samples, edits, reruns, names."""

from __future__ import annotations

import pytest
import torch
from test_network_build import SHAPES, dataset, experiment, inputs
from torch import nn

from cggm_pipeline.build import build_network
from cggm_pipeline.layers.features import Features, Input
from cggm_pipeline.layers.named import ByName
from cggm_pipeline.network import Network


@pytest.fixture
def network() -> Network:
    return build_network(experiment(fusion={"kind": "concat"}), dataset(), seed=0).network.eval()


def test_rerun_gives_the_logits_without_a_modality(network: Network) -> None:
    out = network(inputs())
    assert out.rerun is not None
    assert out.blocks is not None
    z = out.fused.clone()
    z[:, out.blocks["sound"]] = 0
    torch.testing.assert_close(out.rerun(["sound"]), network.head(z))
    torch.testing.assert_close(out.rerun([]), out.logits)
    torch.testing.assert_close(out.rerun(list(SHAPES)), network.head.bias.expand(3, 3))


def test_an_edit_changes_the_features_before_fusion(network: Network) -> None:
    def drop(features: dict[str, Features]) -> dict[str, Features]:
        return {**features, "image": features["image"].map(torch.zeros_like)}

    out = network(inputs(), edit=drop)
    assert not out.features["image"].tensor.any()
    torch.testing.assert_close(out.logits, network(inputs()).rerun(["image"]))


def test_an_absent_sample_is_zeros_in_z_and_does_not_touch_the_others(network: Network) -> None:
    given = inputs()
    there = torch.tensor([True, False, True])
    out = network({**given, "sound": Input(given["sound"].values, None, there)})
    whole = network(given)
    assert not out.fused[1, out.blocks["sound"]].any()
    torch.testing.assert_close(out.logits[there], whole.logits[there])


def test_predict_has_no_graph_and_features_do(network: Network) -> None:
    assert not network.predict(inputs()).requires_grad
    assert all(value.tensor.requires_grad for value in network(inputs()).features.values())


def test_modalities_may_be_called_like_attributes_of_a_module() -> None:
    names = ["type", "values", "training", "float", "keys", "requires_grad", "a-b"]
    made = ByName({name: nn.Linear(1, 1) for name in names})
    assert list(made) == sorted(names)
    assert len(made.state_dict()) == 14
    assert made.training
    assert made.double()["float"].weight.dtype == torch.float64
    assert made.eval() is made
    assert not made.training
    assert not any(module.training for _, module in made.items())
    assert made.train().training
    assert made["training"].training
    with pytest.raises(ValueError, match="no dot"):
        ByName({"a.b": nn.Linear(1, 1)})


def test_a_step_never_reads_a_value_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """No .item(), .cpu(), .tolist(), bool(), int() or float() of a tensor in forward, loss and score."""
    spec = experiment(fusion={"kind": "concat", "width": 8, "dropout": 0.1})
    made = build_network(spec, dataset(), seed=0)
    given, target = inputs(4), torch.tensor([0, 1, 2, 0])
    given["sound"] = Input(given["sound"].values, torch.zeros(4, 10, dtype=torch.bool), torch.ones(4, dtype=torch.bool))

    def refuse(*_: object) -> None:
        raise AssertionError("a value went to the host")

    for name in ("item", "cpu", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    out = made.network(given)
    loss = made.task.loss(out.logits, target)
    made.task.score(out.logits, target)
    loss.backward()
