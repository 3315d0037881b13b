"""Encoders that are a row of blocks: entering it, each block in its turn and leaving it is the forward pass."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, DistilBertConfig, GPT2Config, RobertaConfig

from cggm_pipeline.encoders import Encoder
from cggm_pipeline.encoders._trunk import before
from cggm_pipeline.encoders.custom import Custom
from cggm_pipeline.encoders.mlp import MLP
from cggm_pipeline.encoders.text import Text
from cggm_pipeline.encoders.timm import Timm
from cggm_pipeline.encoders.transformer import Transformer
from cggm_pipeline.layers.features import Features, Input

SIZES = {"vocab_size": 20, "max_position_embeddings": 16}
MODELS = {
    "bert": BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, **SIZES),
    "roberta": RobertaConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, **SIZES),
    "distilbert": DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=32, **SIZES),
    "gpt2": GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=16, vocab_size=20),
}
IDS = torch.tensor([[2, 7, 9, 11, 3], [2, 5, 3, 0, 0]])
MASK = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])


def walked(encoder: Encoder, x: Input) -> Features:
    underway = encoder.enter(x)
    for block in encoder.trunk:
        underway = underway.through(block)
    return encoder.leave(underway.tokens, x)


def same(encoder: Encoder, x: Input, blocks: int) -> None:
    encoder.eval()
    whole, steps = encoder(x), walked(encoder, x)
    assert len(encoder.trunk) == blocks
    assert torch.equal(whole.tensor, steps.tensor)
    assert (whole.mask is None) == (steps.mask is None)
    tokens = encoder.enter(x).tokens
    assert tokens.shape[2] == encoder.widths[0]


@pytest.mark.parametrize("output", ["tokens", "first", "mean"])
@pytest.mark.parametrize("padded", [False, True])
def test_the_transformer(output: str, padded: bool) -> None:
    torch.manual_seed(0)
    x = Input(torch.randn(2, 5, 4), MASK if padded else None)
    encoder = Transformer((5, 4), width=8, heads=2, layers=3, output=output)
    same(encoder, x, 3)
    assert encoder.enter(x).mask is x.mask


@pytest.mark.parametrize("output", ["tokens", "vector"])
def test_a_vision_transformer_of_timm(output: str) -> None:
    torch.manual_seed(0)
    same(Timm((3, 160, 160), model="test_vit", output=output), Input(torch.randn(2, 3, 160, 160)), 6)


@pytest.mark.parametrize("output", ["tokens", "first", "mean"])
@pytest.mark.parametrize("model", ["bert", "roberta", "distilbert"])
def test_language_models(model: str, output: str, tmp_path, monkeypatch) -> None:
    MODELS[model].save_pretrained(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    encoder = Text((None,), model="model", width=16, pretrained=False, output=output)
    same(encoder, Input(IDS, MASK), 2)
    same(encoder, Input(IDS), 2)
    assert encoder.enter(Input(IDS, MASK)).mask is MASK


def test_what_is_no_row_of_blocks_has_no_trunk(tmp_path, monkeypatch) -> None:
    MODELS["gpt2"].save_pretrained(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    encoders = [
        MLP((4,)),
        Timm((3, 32, 32), model="test_resnet", output="tokens"),
        Text((None,), model="model", width=16, pretrained=False),
    ]
    assert [tuple(encoder.trunk) for encoder in encoders] == [(), (), ()]
    with pytest.raises(NotImplementedError, match="MLP has no trunk"):
        encoders[0].enter(Input(torch.zeros(1, 4)))
    with pytest.raises(NotImplementedError, match="MLP has no trunk"):
        encoders[0].leave(torch.zeros(1, 1, 4), Input(torch.zeros(1, 4)))


def test_an_encoder_of_ones_own_has_the_trunk_of_its_class(tmp_path, monkeypatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.cggm]\ncustom = ["cggm_trunk_for_tests"]\n')
    (tmp_path / "cggm_trunk_for_tests.py").write_text(
        "from cggm_pipeline.encoders.transformer import Transformer\n"
        "class Two(Transformer):\n"
        "    def __init__(self, shape):\n        super().__init__(shape, width=8, heads=2, layers=2)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    torch.manual_seed(0)
    same(Custom((5, 4), path="cggm_trunk_for_tests:Two", output="tokens"), Input(torch.randn(2, 5, 4)), 2)


def test_a_first_block_that_is_never_called_is_said() -> None:
    with pytest.raises(RuntimeError, match="Linear was not called"):
        before(torch.nn.Linear(2, 2), lambda: None)


def test_gradients_pass_through_the_whole_row() -> None:
    torch.manual_seed(0)
    encoder, x = Transformer((5, 4), width=8, heads=2, layers=2).eval(), Input(torch.randn(2, 5, 4))
    found = []
    for run in (encoder, lambda given: walked(encoder, given)):
        encoder.zero_grad()
        run(x).tensor.square().sum().backward()
        found.append([parameter.grad.clone() for parameter in encoder.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
