"""Attention to another sequence against torch's own, and what padding and the future may not do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.attention import SelfAttention, padding_bias
from cggm_pipeline.layers.cross_attention import CrossAttention, future, key_bias
from cggm_pipeline.layers.transformer import Block, Transformer

MASK = torch.tensor([[False] * 7, [False] * 4 + [True] * 3, [True] * 2 + [False] * 5])


@pytest.fixture
def both() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(3, 5, 12, dtype=torch.float64), torch.randn(3, 7, 12, dtype=torch.float64)


def random(module: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("tiny", [0.0, 1e-300])
def test_it_is_torchs_attention(both: tuple[Tensor, Tensor], causal: bool, padded: bool, tiny: float) -> None:
    """tiny: a rate so small that nothing is dropped, which sends training down the written-out path."""
    x, source = both
    ours = random(CrossAttention(12, 3, dropout=tiny).double())
    theirs = nn.MultiheadAttention(12, 3, batch_first=True).double()
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([ours.query.weight, ours.key_value.weight]).detach(),
            "in_proj_bias": torch.cat([ours.query.bias, ours.key_value.bias]).detach(),
            "out_proj.weight": ours.out.weight.detach(),
            "out_proj.bias": ours.out.bias.detach(),
        }
    )
    mask = MASK if padded else None
    later = torch.ones(5, 7, dtype=torch.bool).triu(3)  # two steps further than the difference in length
    found = ours(x, source, key_bias(x, source, mask, causal=causal))
    expected, _ = theirs(x, source, source, key_padding_mask=mask, attn_mask=later if causal else None)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_of_a_sequence_to_itself_it_is_self_attention(both: tuple[Tensor, Tensor]) -> None:
    x, _ = both
    own, cross = random(SelfAttention(12, 3).double()), CrossAttention(12, 3).double()
    cross.query.weight.data, cross.key_value.weight.data = own.qkv.weight.data.split([12, 24])
    cross.query.bias.data, cross.key_value.bias.data = own.qkv.bias.data.split([12, 24])
    cross.out.load_state_dict(own.out.state_dict())
    bias = padding_bias(MASK[:, :5], x.dtype)
    torch.testing.assert_close(cross(x, x, bias), own(x, bias))


def test_it_starts_as_one_projection_would() -> None:
    torch.manual_seed(0)
    cross, own = CrossAttention(64, 4), SelfAttention(64, 4)
    bound = own.qkv.weight.abs().max()
    for linear in (cross.query, cross.key_value):
        torch.testing.assert_close(linear.weight.abs().max(), bound, rtol=0.01, atol=0)
        assert not linear.bias.any()
    with pytest.raises(BuildError, match="a width of 64 is not a multiple of 5 heads"):
        CrossAttention(64, 5)


def test_the_future_begins_behind_the_difference_in_length() -> None:
    shut = [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    assert future(3, 3, torch.device("cpu")).int().tolist() == shut
    assert future(2, 4, torch.device("cpu")).int().tolist() == [[0, 0, 0, 1], [0, 0, 0, 0]]
    assert future(4, 2, torch.device("cpu")).int().tolist() == [[0, 0]] * 4


def test_a_cross_block_is_the_equations() -> None:
    torch.manual_seed(2)
    block = random(Block(12, 3, cross=True).double())
    x, source = torch.randn(2, 4, 12, dtype=torch.float64), torch.randn(2, 6, 12, dtype=torch.float64)
    norm, attention = block.attention_norm, block.attention
    h = x + attention(norm(x), norm(source))
    expected = h + block.narrow(block.widen(block.mlp_norm(h)).relu())
    torch.testing.assert_close(block(x, None, source), expected)


def test_what_stands_in_the_sources_padding_changes_nothing(both: tuple[Tensor, Tensor]) -> None:
    x, source = both
    reader = random(Transformer(12, 3, 2, cross=True).double())
    changed = source.masked_fill(MASK[..., None], 1e3)
    torch.testing.assert_close(reader(x, MASK, source), reader(x, MASK, changed))
    cut = reader(x[1:2], None, source[1:2, :4])
    torch.testing.assert_close(reader(x, MASK, source)[1:2], cut)
    empty = reader(x, torch.ones(3, 7, dtype=torch.bool), source)
    assert empty.isfinite().all()


@pytest.mark.parametrize("keys", [4, 6, 9])
def test_a_causal_token_sees_nothing_later(keys: int) -> None:
    torch.manual_seed(3)
    own, cross = (random(Transformer(12, 3, 2, cross=crossing, causal=True).double()) for crossing in (False, True))
    x, source = torch.randn(1, 6, 12, dtype=torch.float64), torch.randn(1, keys, 12, dtype=torch.float64)
    for place in range(6):
        moved = torch.cat([x[:, : place + 1], torch.randn_like(x[:, place + 1 :])], 1)
        torch.testing.assert_close(own(x)[:, place], own(moved)[:, place])
        seen = place + 1 + abs(keys - 6)
        later = torch.cat([source[:, :seen], torch.randn_like(source[:, seen:])], 1)
        torch.testing.assert_close(cross(x, None, source)[:, place], cross(x, None, later)[:, place])
    first = torch.cat([source[:, :-1], torch.randn_like(source[:, -1:])], 1)
    assert not torch.allclose(cross(x, None, source)[:, -1], cross(x, None, first)[:, -1])
