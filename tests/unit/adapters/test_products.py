"""The sum over ranks of products: values, derivatives, and that the products are not kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from cggm_pipeline.adapters._products import sum_of_products

BATCH, S, ROWS, RANK, R, DIM = 2, 3, 2, 2, 2, 3


def factors(number: int) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)

    def drawn(*sizes: int) -> Tensor:
        return torch.randn(sizes, generator=generator, dtype=torch.float64).requires_grad_()

    return [drawn(BATCH, S, ROWS, RANK) for _ in range(number)], [drawn(R, RANK, DIM) for _ in range(number)]


def lacking(number: int) -> list[Tensor | None]:
    """The first sample lacks the first modality; every other modality is always there."""
    return [torch.tensor([1.0, 0.0], dtype=torch.float64), *[None] * (number - 1)]


def plain(tall: list[Tensor], wide: list[Tensor], absent: list[Tensor | None]) -> Tensor:
    product: Tensor | float = 1.0
    for high, broad, lacks in zip(tall, wide, absent, strict=True):
        z = torch.einsum("bska,rad->brskd", high, broad)
        product = product * (z if lacks is None else z + lacks[:, None, None, None, None])
    assert isinstance(product, Tensor)
    return product.sum((1, 2))


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_values_and_gradients_are_those_of_all_products_at_once(number: int) -> None:
    tall, wide = factors(number)
    for absent in ([None] * number, lacking(number)):
        found, expected = sum_of_products(tall, wide, absent), plain(tall, wide, absent)
        torch.testing.assert_close(found, expected)
        weights = torch.randn_like(expected)
        gradients = [torch.autograd.grad(out, [*tall, *wide], weights) for out in (found, expected)]
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_it_is_differentiable_twice(number: int) -> None:
    tall, wide = factors(number)
    call = lambda *given: sum_of_products(given[:number], given[number:], lacking(number))  # noqa: E731
    assert torch.autograd.gradcheck(call, (*tall, *wide))
    assert torch.autograd.gradgradcheck(call, (*tall, *wide))


def test_what_needs_no_gradient_gets_none() -> None:
    tall, wide = factors(2)
    fixed = [each.detach() for each in wide]
    sum_of_products(tall, fixed, [None, None]).sum().backward()
    assert all(each.grad is not None for each in tall)
    assert all(each.grad is None for each in fixed)
    assert not sum_of_products([each.detach() for each in tall], fixed, [None, None]).requires_grad


def test_only_the_factors_are_kept_for_the_backward_pass() -> None:
    tall, wide = factors(3)
    kept: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        sum_of_products(tall, wide, [None] * 3)
    assert sum(kept) == sum(each.numel() for each in (*tall, *wide))
