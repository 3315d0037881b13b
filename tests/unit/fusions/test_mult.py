"""MulT against a plain restatement of the paper's section 3, the released network's size, and what it may not read."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cggm_pipeline.encoders.projection import Projection
from cggm_pipeline.errors import BuildError
from cggm_pipeline.fusions.mult import MulT, last
from cggm_pipeline.layers.features import Features

WIDTHS = {"v": 10, "a": 10, "t": 10}
LENGTHS = {"a": 6, "t": 4, "v": 5}
KEPT = {"a": [6, 3, 1], "t": [4, 4, 2], "v": [5, 1, 3]}
"""How many tokens of each row are no padding."""


def given(dtype: torch.dtype = torch.float64) -> dict[str, Features]:
    generator = torch.Generator().manual_seed(0)
    values = {name: torch.randn(3, time, 10, generator=generator, dtype=dtype) for name, time in LENGTHS.items()}
    masks = {name: torch.arange(time) >= torch.tensor(KEPT[name])[:, None] for name, time in LENGTHS.items()}
    return {name: Features(value, masks[name]) for name, value in values.items()}


def made(widths: dict[str, int] = WIDTHS, **options: Any) -> MulT:
    torch.manual_seed(1)
    fusion = MulT(widths, **{"layers": 2, "memory_layers": 1} | options).double().eval()
    for parameter in fusion.parameters():
        nn.init.normal_(parameter, std=0.2)
    return fusion


def attention(state: dict[str, Tensor], at: str, q: Tensor, kv: Tensor, heads: int) -> Tensor:
    """Head by head, of one sample without padding: (T, d) and (S, d)."""
    if f"{at}.qkv.weight" in state:
        weights, biases = state[f"{at}.qkv.weight"].chunk(3), state[f"{at}.qkv.bias"].chunk(3)
    else:
        weights = state[f"{at}.query.weight"], *state[f"{at}.key_value.weight"].chunk(2)
        biases = state[f"{at}.query.bias"], *state[f"{at}.key_value.bias"].chunk(2)
    q, k, v = (x @ w.T + b for x, w, b in zip((q, kv, kv), weights, biases, strict=True))
    size = q.shape[1] // heads
    parts = []
    for head in range(heads):
        here = slice(head * size, (head + 1) * size)
        parts.append((q[:, here] @ k[:, here].T / math.sqrt(size)).softmax(1) @ v[:, here])
    return torch.cat(parts, 1) @ state[f"{at}.out.weight"].T + state[f"{at}.out.bias"]


def embedded(x: Tensor) -> Tensor:
    half = x.shape[1] // 2
    rates = torch.tensor([10_000 ** (-k / half) for k in range(half)], dtype=x.dtype)
    angles = torch.arange(len(x), dtype=x.dtype)[:, None] * rates
    return math.sqrt(x.shape[1]) * x + torch.cat([angles.sin(), angles.cos()], 1)


def transformer(state: dict[str, Tensor], at: str, blocks: int, x: Tensor, source: Tensor | None, heads: int) -> Tensor:
    def norm(key: str, values: Tensor) -> Tensor:
        weight, bias = state[f"{key}.weight"], state[f"{key}.bias"]
        return functional.layer_norm(values, values.shape[-1:], weight, bias)

    x, source = embedded(x), None if source is None else embedded(source)
    for number in range(blocks):
        key = f"{at}.blocks.{number}"
        q = norm(f"{key}.attention_norm", x)
        kv = q if source is None else norm(f"{key}.attention_norm", source)
        x = x + attention(state, f"{key}.attention", q, kv, heads)
        hidden = norm(f"{key}.mlp_norm", x) @ state[f"{key}.widen.weight"].T + state[f"{key}.widen.bias"]
        x = x + hidden.relu() @ state[f"{key}.narrow.weight"].T + state[f"{key}.narrow.bias"]
    return norm(f"{at}.norm", x)


def restated(fusion: MulT, features: dict[str, Features], row: int, heads: int) -> Tensor:
    """z of one sample, whose sequences are cut to what is no padding."""
    state = fusion.state_dict()
    x = {name: features[name].tensor[row, : KEPT[name][row]] for name in sorted(features)}
    h = []
    for name in x:
        crossed = [
            transformer(state, f"cross.{name}.{other}", 2, x[name], x[other], heads) for other in x if other != name
        ]
        h.append(transformer(state, f"memory.{name}", 1, torch.cat(crossed or [x[name]], 1), None, heads)[-1])
    joined = torch.cat(h)
    hidden = (joined @ state["residual.first.weight"].T + state["residual.first.bias"]).relu()
    return joined + hidden @ state["residual.second.weight"].T + state["residual.second.bias"]


@pytest.mark.parametrize("names", ["a", "av", "atv"])
def test_z_is_the_papers_section_3(names: str) -> None:
    features = {name: value for name, value in given().items() if name in names}
    fusion = made(dict.fromkeys(names, 10))
    z = fusion(features).tensor
    assert z.shape == (3, fusion.width)
    assert fusion.width == len(names) * max(len(names) - 1, 1) * 10
    expected = torch.stack([restated(fusion, features, row, 5) for row in range(3)])
    torch.testing.assert_close(z, expected, rtol=0, atol=1e-10)


def test_parameters_are_the_released_networks() -> None:
    """1,071,211, with nothing to explain: the defaults of MPLMM's main.py (30 wide, 5 heads, 5 levels), aligned MOSI
    (300, 5, 20 features), projections of kernel 1 without a bias, and one output.

    Its memory has max(levels, 3) blocks, that is 5 here. Cross-modal blocks have as many parameters as others: queries,
    keys and values of one size, and one layer norm for both sequences. Positions are no parameters in either.
    """
    encoders = [Projection((50, width), width=30, bias=False) for width in (300, 5, 20)]
    fusion = MulT(dict.fromkeys(("audio", "text", "vision"), 30))
    assert fusion.width == 180
    parts = [*encoders, fusion, fusion.head(1)]
    assert sum(parameter.numel() for part in parts for parameter in part.parameters()) == 1_071_211


def test_the_last_token_that_is_no_padding() -> None:
    values = torch.arange(24.0).view(4, 3, 2)
    mask = torch.tensor([[0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1]]).bool()
    assert torch.equal(last(values, mask), values[[0, 1, 2, 3], [2, 1, 1, 0]])
    assert torch.equal(last(values, None), values[:, -1])


def test_what_stands_in_padding_changes_nothing() -> None:
    features = given()
    fusion = made()
    garbage = {
        name: Features(value.tensor.masked_fill(value.mask[..., None], 1e3), value.mask)
        for name, value in features.items()
        if value.mask is not None
    }
    torch.testing.assert_close(fusion(features).tensor, fusion(garbage).tensor)


def test_causal_tokens_read_nothing_later_in_another_modality() -> None:
    """Of `a` only the first two tokens are there, so that z reads its second, at place 1."""
    features = {"a": given()["a"].tensor, "v": given()["v"].tensor}
    mask = (torch.arange(6) >= 2).repeat(3, 1)
    moved = features["v"].clone()
    moved[:, 3:] = moved[:, 3:].flip(-1)  # later than 1 + (6 - 5)
    half = slice(0, 10)  # of z, before the residual block mixes it
    for causal, same in ((True, True), (False, False)):
        fusion = made({"a": 10, "v": 10}, causal=causal)
        nn.init.zeros_(fusion.residual.second.weight)
        z, other = (
            fusion({"a": Features(features["a"], mask), "v": Features(v)}).tensor for v in (features["v"], moved)
        )
        assert torch.allclose(z[:, half], other[:, half]) == same


@pytest.mark.parametrize("place", ["attention", "relu", "residual", "embedding", "output"])
def test_every_dropout_acts_in_training_alone(place: str) -> None:
    rates = dict.fromkeys((f"{name}_dropout" for name in ("attention", "relu", "residual", "embedding", "output")), 0.0)
    features = given()
    plain, dropped = made(**rates), made(**rates | {f"{place}_dropout": 0.5})
    assert torch.equal(plain(features).tensor, dropped(features).tensor)
    assert not torch.allclose(plain(features).tensor, dropped.train()(features).tensor)


def test_refused_widths() -> None:
    with pytest.raises(BuildError, match="mult needs features of one width, but they are: a 10, b 20"):
        MulT({"b": 20, "a": 10})
    with pytest.raises(BuildError, match="width of 10 is not a multiple of 3 heads"):
        MulT({"b": 10, "a": 10}, heads=3)
