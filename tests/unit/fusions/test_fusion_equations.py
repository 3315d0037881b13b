"""Each fusion against its equation, written out term by term."""

import pytest
import torch
from torch import Tensor

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fusions.concat import Concat
from cggm_pipeline.fusions.film import Film
from cggm_pipeline.fusions.gated import Gated
from cggm_pipeline.fusions.late import Late
from cggm_pipeline.fusions.low_rank import LowRank
from cggm_pipeline.fusions.sum import Sum
from cggm_pipeline.fusions.transformer import Transformer
from cggm_pipeline.layers.features import Features

WIDTHS = {"c": 4, "a": 2, "b": 3}


@pytest.fixture
def h() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {name: torch.randn(5, width, dtype=torch.float64) for name, width in WIDTHS.items()}


def z(fusion: torch.nn.Module, h: dict[str, Tensor]) -> Tensor:
    made: Tensor = fusion.double().eval()({name: Features(value) for name, value in h.items()}).tensor
    return made


def test_concat_is_sorted_by_name(h: dict[str, Tensor]) -> None:
    fusion = Concat(WIDTHS)
    assert torch.equal(z(fusion, h), torch.cat([h["a"], h["b"], h["c"]], 1))
    assert fusion.blocks == {"a": slice(0, 2), "b": slice(2, 5), "c": slice(5, 9)}


def test_concat_with_a_width_projects_and_has_no_blocks(h: dict[str, Tensor]) -> None:
    fusion = Concat(WIDTHS, width=6, activation="tanh")
    everything = torch.cat([h["a"], h["b"], h["c"]], 1)
    torch.testing.assert_close(z(fusion, h), fusion.layers[0](everything).tanh())
    assert fusion.blocks is None


def test_concat_with_a_residual_block(h: dict[str, Tensor]) -> None:
    fusion = Concat(WIDTHS, width=6, residual=True)
    before = fusion.layers[0](torch.cat([h["a"], h["b"], h["c"]], 1).float()).relu()
    block = fusion.layers[2]
    expected = before + block.second(block.first(before).relu())
    torch.testing.assert_close(z(fusion, h).float(), expected)
    with pytest.raises(BuildError, match="residual: it stands behind a projection; give concat a width"):
        Concat(WIDTHS, residual=True)


def test_late_is_the_mean_of_per_modality_classifiers(h: dict[str, Tensor]) -> None:
    fusion, head = Late(WIDTHS), torch.nn.Linear(9, 7).double()
    own = [h[name] @ head.weight[:, fusion.blocks[name]].T for name in h]
    torch.testing.assert_close(head(z(fusion, h)), sum(own) / 3 + head.bias)


def test_sum(h: dict[str, Tensor]) -> None:
    fusion = Sum(WIDTHS, width=6)
    made = z(fusion, h)
    torch.testing.assert_close(made, sum(fusion.projections[name](value) for name, value in h.items()))


def test_gated_units_weigh_each_modality_by_all(h: dict[str, Tensor]) -> None:
    fusion = Gated(WIDTHS, width=6)
    made = z(fusion, h)
    everything = torch.cat([h["a"], h["b"], h["c"]], 1)
    terms = [
        (fusion.gates[n].weight @ everything.T).T.sigmoid() * (h[n] @ fusion.projections[n].weight.T).tanh() for n in h
    ]
    torch.testing.assert_close(made, sum(terms))


def test_film_modulates_the_others(h: dict[str, Tensor]) -> None:
    fusion = Film(WIDTHS, condition="b", width=6)
    made = z(fusion, h)
    affine = fusion.affine(h["b"])
    others = fusion.projections["a"](h["a"]) + fusion.projections["c"](h["c"])
    torch.testing.assert_close(made, (1 + affine[:, :6]) * others + affine[:, 6:])


def test_film_needs_its_condition_and_something_to_modulate() -> None:
    with pytest.raises(BuildError, match=r"condition: there is no modality 'x' \(allowed: a, b, c\)"):
        Film(WIDTHS, condition="x")
    with pytest.raises(BuildError, match="besides its condition"):
        Film({"a": 2}, condition="a")


def test_low_rank_is_a_sum_over_rank_of_products(h: dict[str, Tensor]) -> None:
    fusion = LowRank(WIDTHS, width=6, rank=3)
    made = z(fusion, h)
    expected = fusion.bias.detach().expand(5, 6).clone()
    for rank in range(3):
        product = torch.ones(5, 6, dtype=torch.float64)
        for name, value in h.items():
            factor = fusion.factors[name]
            matrix = torch.cat([factor.weight.view(3, 6, -1)[rank], factor.bias.view(3, 6, 1)[rank]], 1)
            product = product * (torch.cat([value, torch.ones(5, 1)], 1) @ matrix.T)
        expected = expected + fusion.weights[rank] * product
    torch.testing.assert_close(made, expected)


def test_low_rank_equals_a_full_tensor_product(h: dict[str, Tensor]) -> None:
    """The factors of two modalities spell out one weight tensor that reads [h; 1] outer [g; 1]."""
    fusion = LowRank({"a": 2, "b": 3}, width=6, rank=4)
    made = z(fusion, {"a": h["a"], "b": h["b"]})
    matrices = [
        torch.cat([fusion.factors[n].weight.view(4, 6, -1), fusion.factors[n].bias.view(4, 6, 1)], 2) for n in "ab"
    ]
    tensor = torch.einsum("r,rwi,rwj->wij", fusion.weights, *matrices)
    ones = torch.ones(5, 1)
    outer = torch.einsum("bi,bj->bij", torch.cat([h["a"], ones], 1), torch.cat([h["b"], ones], 1))
    torch.testing.assert_close(made, torch.einsum("wij,bij->bw", tensor, outer) + fusion.bias)


def test_the_transformer_wants_one_width() -> None:
    with pytest.raises(BuildError, match="features of one width, but they are: a 2, b 3, c 4"):
        Transformer(WIDTHS)


def test_the_transformer_reads_vectors_as_tokens_and_ignores_padding() -> None:
    torch.manual_seed(1)
    fusion = Transformer({"a": 10, "b": 10}, layers=2).eval()
    tokens, vector = torch.randn(3, 4, 10), torch.randn(3, 10)
    mask = torch.tensor([[False, False, True, True]] * 3)
    padded = fusion({"a": Features(vector), "b": Features(tokens, mask)}).tensor
    cut = fusion({"b": Features(tokens[:, :2]), "a": Features(vector)}).tensor
    torch.testing.assert_close(padded, cut)
