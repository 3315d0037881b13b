"""LoRA: which layers get a product, and that it is the paper's."""

from __future__ import annotations

import pytest
import torch
from adapter_networks import (
    CLASSES,
    FEATURES,
    LENGTHS,
    WIDTH,
    flat,
    images,
    inputs,
    learning,
    network,
    sequences,
    steps,
)
from torch import Tensor, nn

from cggm_pipeline.adapters.lora import LoRA
from cggm_pipeline.encoders import Encoder
from cggm_pipeline.encoders.mlp import MLP
from cggm_pipeline.errors import BuildError
from cggm_pipeline.fusions.late import Late
from cggm_pipeline.layers.features import Features, Input

pytest.importorskip("peft")


class Attending(Encoder):
    """One of torch's own attention layers, which reads the weight of its output layer and does not call it."""

    layout = "vector"
    widths = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Input) -> Features:
        tokens: Tensor = x.values.unsqueeze(1)
        return Features(self.linear(self.attention(tokens, tokens, tokens)[0].squeeze(1)))


def test_a_layer_is_the_frozen_one_plus_a_scaled_product_of_two_thin_ones() -> None:
    adapted, given = sequences({"audio": 6}), inputs({"audio": 6})
    LoRA(rank=2, alpha=3.0)(adapted, {"audio": 6})
    layer = adapted.encoders["audio"].projection
    steps(adapted, given, number=3)
    adapted.eval()
    a, b, base = layer.lora_A["default"].weight, layer.lora_B["default"].weight, layer.base_layer
    assert (a.shape, b.shape) == ((2, FEATURES), (WIDTH, 2))
    assert b.abs().sum() > 0
    x = given["audio"].values
    expected = x @ base.weight.T + base.bias + (3.0 / 2) * (x @ a.T) @ b.T
    torch.testing.assert_close(layer(x), expected)


def test_by_default_every_linear_layer_of_encoders_and_fusion_has_one() -> None:
    adapted = sequences()
    linear = [name for name, module in adapted.named_modules() if isinstance(module, nn.Linear)]
    expected = {name for name in linear if name != "head"}
    assert LoRA(rank=2)(adapted, LENGTHS) == len(expected) == 3 * 5 + 4 + 2
    products = {name.split(".lora_")[0] for name in learning(adapted) if ".lora_" in name}
    assert products == expected
    assert learning(adapted) - {"head.weight", "head.bias"} == {
        f"{name}.lora_{side}.default.weight" for name in expected for side in "AB"
    }
    assert isinstance(adapted.head, nn.Linear)


def test_all_products_learn_once_b_has_moved() -> None:
    adapted = sequences()
    LoRA(rank=2)(adapted, LENGTHS)
    steps(adapted, inputs(), number=3)
    assert all(p.grad.any() for name, p in adapted.named_parameters() if name in learning(adapted))


@pytest.mark.parametrize(
    ("target", "number"),
    [
        (["encoders.audio.*"], 5),
        (["encoders.*.qkv", "fusion.first"], 4),
        (["*.attention.*", "encoders.*.qkv"], 8),
    ],
)
def test_targets_are_patterns_over_names(target: list[str], number: int) -> None:
    assert LoRA(rank=2, target=target)(sequences(), LENGTHS) == number


def test_convolutions_are_named() -> None:
    adapted = images()
    with pytest.raises(
        BuildError, match=r"no linear layer in encoders and fusion; name convolutional ones with target"
    ):
        LoRA(rank=2)(adapted, {"photo": 1})
    assert LoRA(rank=2, target=["encoders.*"])(adapted, {"photo": 1}) == 2
    given = {"photo": Input(torch.randn(4, 1, 8, 8))}
    steps(adapted, given, number=3)
    assert all(p.grad.any() for name, p in adapted.named_parameters() if name in learning(adapted))


def test_a_target_that_matches_nothing_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(
        BuildError, match=r"target: 'encoders.audio.qvk' matches no .*encoders.audio.projection, .*\.\.\."
    ):
        LoRA(target=["encoders.*", "encoders.audio.qvk"])(sequences(), LENGTHS)
    with pytest.raises(BuildError, match="target: 'head' matches no linear or convolutional layer"):
        LoRA(target=["head"])(sequences(), LENGTHS)


def test_a_modality_may_have_the_name_of_a_modules_attribute() -> None:
    names = ("type", "float", "values")
    torch.manual_seed(0)
    adapted = network({name: MLP((FEATURES,), hidden=[4]) for name in names}, Late(dict.fromkeys(names, 4)))
    assert LoRA(rank=2)(adapted, dict.fromkeys(names, 1)) == 3
    given = {name: flat()["audio"] for name in names}
    steps(adapted, given)
    assert adapted(given).logits.shape == (5, CLASSES)


def test_layers_whose_weight_is_read_by_another_are_left_out() -> None:
    torch.manual_seed(0)
    adapted = network({"a": Attending()}, Late({"a": 4}))
    assert LoRA(rank=2)(adapted, {"a": 1}) == 1
    assert {name for name in learning(adapted) if "lora" in name} == {
        f"encoders.a.linear.lora_{side}.default.weight" for side in "AB"
    }


def test_a_layer_that_stands_in_two_places_is_one_layer_still() -> None:
    torch.manual_seed(0)
    shared = nn.Linear(4, 4)
    first, second = Attending(), Attending()
    first.linear = second.linear = shared
    adapted = network({"a": first, "b": second}, Late({"a": 4, "b": 4}))
    assert LoRA(rank=2)(adapted, {"a": 1, "b": 1}) == 1
    assert adapted.encoders["a"].linear is adapted.encoders["b"].linear is not shared


def test_dropout_acts_in_training_alone() -> None:
    adapted, given = sequences({"audio": 6}), inputs({"audio": 6})
    LoRA(rank=2, dropout=0.5)(adapted, {"audio": 6})
    steps(adapted, given, number=2)
    layer, x = adapted.encoders["audio"].projection, given["audio"].values
    assert not torch.equal(layer(x), layer(x))
    adapted.eval()
    assert torch.equal(layer(x), layer(x))


def test_an_encoder_that_is_frozen_by_itself_is_refused() -> None:
    frozen = sequences()
    frozen.encoders["text"].freeze = True
    with pytest.raises(BuildError, match=r"modalities\.text\.encoder\.freeze"):
        LoRA()(frozen, LENGTHS)
    assert LoRA(target=["encoders.audio.*"])(frozen, LENGTHS) == 5
