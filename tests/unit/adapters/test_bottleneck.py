"""Bottleneck adapters: the layer, and where it stands."""

from __future__ import annotations

import copy

import pytest
import torch
from adapter_networks import LENGTHS, flat, images, inputs, learning, sequences, steps, vectors
from torch.nn import functional as F

from cggm_pipeline.adapters.bottleneck import Bottleneck, Residual
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Features


def test_the_layer_is_its_equation() -> None:
    torch.manual_seed(0)
    layer = Residual(6, 3, "gelu").double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(4, 5, 6, dtype=torch.float64)
    down, up = layer.down, layer.up
    expected = x + F.gelu(x @ down.weight.T + down.bias) @ up.weight.T + up.bias
    torch.testing.assert_close(layer(x), expected)
    assert Residual(6, 3, "tanh").activation(torch.tensor(1.0)) == torch.tensor(1.0).tanh()


def test_behind_every_block_of_encoders_and_fusion() -> None:
    adapted, given = sequences(layers={"audio": 2}), inputs()
    assert Bottleneck(width=3)(adapted, LENGTHS) == 2 + 1 + 1 + 1
    steps(adapted, given, number=3)
    adapted.eval()
    encoder = adapted.encoders["audio"]
    tokens = encoder.transformer.embed(encoder.projection(given["audio"].values))
    for block, adapter in zip(encoder.transformer.blocks, encoder.bottlenecks, strict=True):
        hidden = tokens + block.attention(block.attention_norm(tokens))
        plain = hidden + block.narrow(block.widen(block.mlp_norm(hidden)).relu())
        tokens = adapter(plain)
        assert not torch.allclose(tokens, plain)
    torch.testing.assert_close(encoder(given["audio"]).tensor, encoder.transformer.norm(tokens))
    assert len(adapted.fusion.bottlenecks) == 1


def test_behind_the_last_features() -> None:
    adapted = vectors()
    assert Bottleneck(width=3, where="last")(adapted, {"audio": 1, "text": 1}) == 2
    steps(adapted, flat(), number=3)
    adapted.eval()
    output = adapted(flat())
    for name, encoder in adapted.encoders.items():
        assert torch.equal(output.features[name].tensor, adapted.adapter.parts[name](encoder(flat()[name]).tensor))
    assert adapted.parameter_counts()["adapter"] == sum(p.numel() for p in adapted.adapter.parameters()) > 0


@pytest.mark.parametrize("where", ["every", "last"])
def test_all_of_it_learns_once_the_second_layer_has_moved(where: str) -> None:
    adapted = sequences()
    Bottleneck(width=3, where=where)(adapted, LENGTHS)
    steps(adapted, inputs(), number=3)
    own = {name for name in learning(adapted) if "bottleneck" in name or name.startswith("adapter.")}
    assert own == learning(adapted) - {"head.weight", "head.bias"}
    assert all(p.grad.any() for name, p in adapted.named_parameters() if name in own)


def test_a_copied_network_calls_its_own_layers() -> None:
    adapted, given = sequences(), inputs()
    Bottleneck(width=3)(adapted, LENGTHS)
    twin = copy.deepcopy(adapted).eval()
    before = adapted.eval()(given).logits
    torch.nn.init.normal_(twin.encoders["audio"].bottlenecks[0].up.bias)
    assert not torch.equal(twin(given).logits, before)
    assert torch.equal(adapted(given).logits, before)


def test_without_blocks_or_with_maps_it_is_refused() -> None:
    with pytest.raises(BuildError, match=r"where: every stands behind Transformer blocks, .* where: last"):
        Bottleneck()(vectors(), {"audio": 1, "text": 1})
    pyramids = images()
    pyramids.encoders["photo"].layout = "pyramid"
    with pytest.raises(BuildError, match="the features of 'photo' are a pyramid of maps"):
        Bottleneck(where="last")(pyramids, {"photo": None})
    frozen = sequences()
    frozen.encoders["text"].freeze = True
    with pytest.raises(BuildError, match=r"modalities\.text\.encoder\.freeze"):
        Bottleneck()(frozen, LENGTHS)


def test_padding_and_masks_stay_with_the_features() -> None:
    adapted = sequences()
    Bottleneck(width=3, where="last")(adapted, LENGTHS)
    mask = torch.zeros(5, 6, dtype=torch.bool)
    given = {
        name: Features(torch.randn(5, length, 10), mask if name == "audio" else None)
        for name, length in LENGTHS.items()
    }
    assert adapted.adapter(given)["audio"].mask is mask
