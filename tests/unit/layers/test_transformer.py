"""The shared block against torch's own layer, and what padding may not do."""

import pytest
import torch
from torch import nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.attention import SelfAttention, padding_bias
from cggm_pipeline.layers.transformer import Block, Transformer, positions


def torch_layer(block: Block, width: int, heads: int) -> nn.TransformerEncoderLayer:
    layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True).double()
    pairs = {
        "self_attn.in_proj_weight": block.attention.qkv.weight,
        "self_attn.in_proj_bias": block.attention.qkv.bias,
        "self_attn.out_proj.weight": block.attention.out.weight,
        "self_attn.out_proj.bias": block.attention.out.bias,
        **{f"linear1.{n}": p for n, p in block.widen.named_parameters()},
        **{f"linear2.{n}": p for n, p in block.narrow.named_parameters()},
        **{f"norm1.{n}": p for n, p in block.attention_norm.named_parameters()},
        **{f"norm2.{n}": p for n, p in block.mlp_norm.named_parameters()},
    }
    layer.load_state_dict({name: value.detach() for name, value in pairs.items()})
    return layer


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("tiny", [0.0, 1e-300])
def test_without_dropout_the_block_equals_torchs_layer(training: bool, padded: bool, tiny: float) -> None:
    """tiny: a rate so small that nothing is dropped, which sends training down the written-out path."""
    torch.manual_seed(0)
    block = Block(40, 5, attention_dropout=tiny).double().train(training)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.3)
    layer = torch_layer(block, 40, 5).train(training)
    x = torch.randn(16, 21, 40, dtype=torch.float64)
    mask = torch.arange(21) >= torch.randint(1, 22, (16, 1)) if padded else None

    ours, theirs = block(x, padding_bias(mask, x.dtype)), layer(x, src_key_padding_mask=mask)
    kept = torch.ones(16, 21, dtype=torch.bool) if mask is None else ~mask
    torch.testing.assert_close(ours[kept], theirs[kept], rtol=0, atol=1e-10)


def test_gradients_equal_torchs_layer() -> None:
    torch.manual_seed(1)
    block = Block(20, 4).double()
    layer = torch_layer(block, 20, 4)
    x = torch.randn(3, 7, 20, dtype=torch.float64)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    block(a).square().sum().backward()
    layer(b).square().sum().backward()
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-9, atol=1e-9)


def test_what_stands_in_padding_changes_nothing() -> None:
    torch.manual_seed(2)
    stack = Transformer(12, 3, 2).eval()
    x = torch.randn(2, 6, 12)
    mask = torch.tensor([[False] * 4 + [True] * 2, [False] * 6])
    changed = x.clone()
    changed[0, 4:] = 1e3
    torch.testing.assert_close(stack(x, mask)[0, :4], stack(changed, mask)[0, :4])
    torch.testing.assert_close(stack(x, mask)[0, :4], stack(x[:1, :4])[0])


@pytest.mark.parametrize("training", [True, False])
def test_a_sample_of_nothing_but_padding_stays_finite(training: bool) -> None:
    torch.manual_seed(3)
    stack = Transformer(12, 3, 2, attention_dropout=0.1).train(training)
    x = torch.randn(2, 50, 12, requires_grad=True)
    out = stack(x, torch.tensor([[True] * 50, [False] * 50]))
    out.sum().backward()
    assert out.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("width", [1, 2, 7, 40])
def test_positions_are_distinct_and_bounded(width: int) -> None:
    table = positions(torch.zeros(1, 50, width))
    assert table.shape == (50, width)
    assert table.abs().max() <= 1
    assert torch.unique(table, dim=0).shape[0] == 50


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(BuildError, match="width of 64 is not a multiple of 5 heads"):
        SelfAttention(64, 5)
