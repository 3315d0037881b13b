"""Low-rank sequence fusion against the equations, written out rank by rank and sample by sample."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu

from cggm_pipeline.adapters._low_rank import Meeting, ProductOfSums, SumOfProducts
from cggm_pipeline.layers.features import Features

DIM, RANK, DRANK, TRANK, BATCH = 5, 3, 2, 4, 3
TOKENS = {"text": 4, "audio": 6, "vision": 2, "a": 3, "b": 3, "c": 3, "d": 3}
numbers = pytest.mark.parametrize("number", [1, 2, 3, 7])


def meeting(made: Callable[..., Meeting], number: int, *, resample: bool = False, tokens: int | None = None) -> Meeting:
    torch.manual_seed(0)
    counts = {name: tokens or count for name, count in list(TOKENS.items())[:number]}
    return made(DIM, counts, rank=RANK, drank=DRANK, trank=TRANK, resample=resample).double()


def given(number: int, *, dim: int = DIM, batch: int = BATCH) -> dict[str, Features]:
    generator = torch.Generator().manual_seed(1)
    return {
        name: Features(torch.randn(batch, count, dim, generator=generator, dtype=torch.float64))
        for name, count in list(TOKENS.items())[:number]
    }


def moved_(made: Meeting) -> Meeting:
    """As after some training: every parameter elsewhere."""
    generator = torch.Generator().manual_seed(2)
    for parameter in made.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data += 0.3 * noise
    return made


def summed(features: dict[str, Features], factors: dict[str, dict[str, Tensor]], row: int) -> Tensor:
    """F of one sample: the sum over both ranks of the product over modalities, (dim, rank)."""
    total = torch.zeros(DIM, RANK, dtype=torch.float64)
    for r in range(DRANK):
        for s in range(TRANK):
            product = torch.ones(DIM, RANK, dtype=torch.float64)
            for name, value in features.items():
                f = factors[name]
                narrow = gelu(value.tensor[row] @ f["down"] + f["shift"])
                product = product * ((narrow @ f["element"][r]).T @ f["time"][s])
            total = total + product
    return total


@numbers
def test_the_sum_over_ranks_of_products_goes_back_to_every_modality(number: int) -> None:
    made, features = moved_(meeting(SumOfProducts, number)), given(number)
    found = made(features, {})
    now = {name: {k: v.detach() for k, v in part.now().items()} for name, part in made.parts.items()}
    first = {name: part.at_first() for name, part in made.parts.items()}
    for row in range(BATCH):
        after, before = summed(features, now, row), summed(features, first, row)
        for name, value in features.items():
            expected = value.tensor[row] + now[name]["back"] @ after.T - first[name]["back"] @ before.T
            torch.testing.assert_close(found[name].tensor[row], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("number", [2, 3])
def test_the_product_of_sums_is_added_to_the_first_tokens_of_all(number: int) -> None:
    made, features = moved_(meeting(ProductOfSums, number)), given(number)
    found = made(features, {})
    names = sorted(features)
    joined = torch.cat([features[name].tensor for name in names], dim=1)
    for row in range(BATCH):
        product = torch.ones(DIM, RANK, dtype=torch.float64)
        for name in names:
            part = made.parts[name]
            narrow = gelu(features[name].tensor[row] @ part.down.weight.T + part.down.bias)
            width = sum(part.element[r] for r in range(DRANK))
            time = sum(part.time[s] for s in range(TRANK))
            product = product * ((narrow @ width).T @ time)
        joined[row, :RANK] += product.T.detach()
    torch.testing.assert_close(torch.cat([found[name].tensor for name in names], dim=1), joined, rtol=0, atol=1e-9)


def test_the_first_tokens_of_all_may_be_those_of_several_modalities() -> None:
    counts = {"a": 1, "b": 1, "c": 3}
    made = ProductOfSums(DIM, counts, rank=RANK, drank=1, trank=1, resample=False)
    for parameter in made.parameters():
        torch.nn.init.ones_(parameter)
    features = {name: Features(torch.ones(1, count, DIM)) for name, count in counts.items()}
    added = {name: (value.tensor - 1).abs().sum((0, 2)) > 0 for name, value in made(features, {}).items()}
    assert {name: list(map(bool, where)) for name, where in added.items()} == {
        "a": [True], "b": [True], "c": [True, False, False],
    }  # fmt: skip


def test_the_sum_of_products_is_no_product_of_sums() -> None:
    """The two agree where there is one rank, and only there."""
    one = torch.randn(4, 6, DIM, RANK, dtype=torch.float64)  # (drank trank, ...) of one modality, and another
    other = torch.randn_like(one)
    assert not torch.allclose((one * other).sum(0), one.sum(0) * other.sum(0))
    assert torch.allclose((one * other)[:1].sum(0), one[:1].sum(0) * other[:1].sum(0))


@pytest.mark.parametrize("made", [SumOfProducts, ProductOfSums])
@numbers
def test_at_first_nothing_is_added_bit_for_bit(made: Callable[..., Meeting], number: int) -> None:
    features = given(number)
    found = meeting(made, number)(features, {})
    assert all(torch.equal(found[name].tensor, value.tensor) for name, value in features.items())


@numbers
def test_at_first_nothing_is_added_to_resampled_sequences_either(number: int) -> None:
    features = given(number)
    features["text"] = Features(features["text"].tensor, (torch.arange(4) >= 3).repeat(BATCH, 1))
    found = meeting(SumOfProducts, number, resample=True, tokens=3)(features, {"text": torch.arange(BATCH) > 0})
    assert all(torch.equal(found[name].tensor, value.tensor) for name, value in features.items())


@numbers
def test_every_factor_has_a_gradient_in_the_first_step(number: int) -> None:
    made = meeting(SumOfProducts, number)
    loss = sum(value.tensor.square().sum() for value in made(given(number), {}).values())
    loss.backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None
        share = (parameter.grad != 0).double().mean()
        assert share == 1, name


@pytest.mark.parametrize("number", [2, 3])
def test_the_released_factors_never_learn(number: int) -> None:
    """Zeros times zeros: every gradient is exactly 0, in every step. With one modality there is no product."""
    made = meeting(ProductOfSums, number)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    optimizer = torch.optim.Adam(made.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        sum(value.tensor.square().sum() for value in made(given(number), {}).values()).backward()
        assert all(parameter.grad is not None and not parameter.grad.any() for parameter in made.parameters())
        optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    alone = meeting(ProductOfSums, 1)
    sum(value.tensor.square().sum() for value in alone(given(1), {}).values()).backward()
    assert alone.parts["text"].time.grad.any()


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_the_first_terms_and_their_sum_are_of_the_size_of_one(number: int) -> None:
    torch.manual_seed(3)
    dim, tokens, sizes = 40, 50, {"rank": 16, "drank": 8, "trank": 12}
    names = list(TOKENS)[:number]
    made = SumOfProducts(dim, dict.fromkeys(names, tokens), **sizes, resample=False)
    features = {name: Features(torch.randn(8, tokens, dim)) for name in names}
    factors = {name: part.at_first() for name, part in made.parts.items()}
    terms = []
    for name in names:
        f = factors[name]
        narrow = gelu(features[name].tensor @ f["down"] + f["shift"])
        terms.append(torch.einsum("bta,rad,stk->brsdk", narrow, f["element"], f["time"]))
        assert 0.08 < terms[-1].square().mean().sqrt() < 1.5
    fused = torch.stack(terms).prod(0).sum((1, 2))
    assert 0.3 < fused.square().mean().sqrt() < 3


@pytest.mark.parametrize("made", [SumOfProducts, ProductOfSums])
def test_a_modality_that_a_sample_lacks_counts_one_and_gets_nothing(made: Callable[..., Meeting]) -> None:
    full, features = moved_(meeting(made, 3)), given(3)
    there = torch.tensor([True, False, True])
    found = full(features, {"audio": there})
    assert torch.equal(found["audio"].tensor[1], features["audio"].tensor[1])
    everybody = full(features, {})
    for name, value in everybody.items():
        torch.testing.assert_close(found[name].tensor[there], value.tensor[there])
    if made is ProductOfSums:  # its first tokens are audio's, which gets nothing where it is absent
        return
    now = {name: {k: v.detach() for k, v in part.now().items()} for name, part in full.parts.items()}
    first = {name: part.at_first() for name, part in full.parts.items()}
    others = {name: value for name, value in features.items() if name != "audio"}
    after, before = summed(others, now, 1), summed(others, first, 1)
    expected = features["text"].tensor[1] + now["text"]["back"] @ after.T - first["text"]["back"] @ before.T
    torch.testing.assert_close(found["text"].tensor[1], expected)


def test_what_stands_in_padding_does_not_matter() -> None:
    made, features = moved_(meeting(SumOfProducts, 2)), given(2)
    mask = torch.zeros(BATCH, 6, dtype=torch.bool)
    mask[1, 4:] = True
    other = features["audio"].tensor.clone()
    other[mask] = 99.0
    found = [made({**features, "audio": Features(values, mask)}, {}) for values in (features["audio"].tensor, other)]
    assert torch.equal(found[0]["text"].tensor, found[1]["text"].tensor)
    assert torch.equal(found[0]["audio"].tensor[~mask], found[1]["audio"].tensor[~mask])
    unpadded = made(features, {})
    assert not torch.allclose(unpadded["text"].tensor[1], found[0]["text"].tensor[1])


def test_resampled_sequences_do_not_depend_on_how_far_a_batch_is_padded() -> None:
    made, features = moved_(meeting(SumOfProducts, 2, resample=True, tokens=3)), given(2)
    short = features["audio"].tensor
    longer = torch.cat([short, torch.full((BATCH, 5, DIM), 7.0, dtype=torch.float64)], dim=1)
    mask = (torch.arange(11) >= 6).repeat(BATCH, 1)
    exact = made(features, {})
    padded = made({**features, "audio": Features(longer, mask)}, {})
    torch.testing.assert_close(padded["text"].tensor, exact["text"].tensor)
    torch.testing.assert_close(padded["audio"].tensor[:, :6], exact["audio"].tensor)


def test_resampling_to_the_same_number_of_tokens_changes_nothing() -> None:
    features = {name: value for name, value in given(3).items() if name != "vision"}
    features = {name: Features(value.tensor[:, :4]) for name, value in features.items()}
    made = [moved_(meeting(SumOfProducts, 2, resample=resample, tokens=4)) for resample in (False, True)]
    found = [each(features, {}) for each in made]
    assert all(torch.equal(found[0][name].tensor, found[1][name].tensor) for name in features)


def test_a_vector_is_one_token_that_no_resampling_changes() -> None:
    torch.manual_seed(0)
    made = SumOfProducts(DIM, {"a": 1, "b": 4}, rank=RANK, drank=DRANK, trank=TRANK, resample=True)
    features = {"a": Features(torch.randn(2, 1, DIM)), "b": Features(torch.randn(2, 9, DIM))}
    found = made(features, {})
    assert {name: tuple(value.tensor.shape) for name, value in found.items()} == {"a": (2, 1, DIM), "b": (2, 9, DIM)}


def test_the_released_form_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match=r"rank: form released adds 3 fused .* there are 2; set a smaller rank"):
        ProductOfSums(DIM, {"a": 1, "b": 1}, rank=3, drank=1, trank=1, resample=False)
    with pytest.raises(ValueError, match=r"tokens: form released .* resamples none; remove tokens"):
        ProductOfSums(DIM, {"a": 4, "b": 4}, rank=3, drank=1, trank=1, resample=True)
