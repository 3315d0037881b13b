"""The derivative of a loss through the minimum of another: implicit differentiation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def hypergradient(inner: Tensor, slope: Tensor, outer: Tensor, parameters: Sequence[Tensor], iterations: int) -> Tensor:
    """d outer(theta*(a)) / da = - <d slope / dtheta, H^-1 d outer / dtheta>, a scalar without a graph.

    theta*(a) minimises `inner`; `slope` = d inner / da as a function of theta; H: the Hessian of `inner` in
    `parameters`. H^-1 v is `iterations` steps of `solve`; each differentiates the graph of `inner` a second time.
    """
    first = _joined(torch.autograd.grad(inner, parameters, create_graph=True, materialize_grads=True))

    @torch.enable_grad()
    def product(vector: Tensor) -> Tensor:
        return _joined(torch.autograd.grad(first @ vector, parameters, retain_graph=True, materialize_grads=True))

    mixed = _joined(torch.autograd.grad(slope, parameters, retain_graph=True, materialize_grads=True))
    wanted = _joined(torch.autograd.grad(outer, parameters, retain_graph=True, materialize_grads=True))
    return -(mixed @ solve(product, wanted, iterations))


@torch.no_grad()
def solve(product: Callable[[Tensor], Tensor], wanted: Tensor, iterations: int) -> Tensor:
    """x with product(x) = wanted, by conjugate residuals from 0, for a symmetric matrix that need not be definite.

    Every iteration costs one product and makes |wanted - product(x)| no larger; as many as there are eigenvalues solve
    it. Conjugate gradients would need a positive definite one, which a network's Hessian is not. x stays as it is from
    where the residual has no curvature left. No value moves to the host.
    """
    solved, residual = torch.zeros_like(wanted), wanted
    direction, pushed = torch.zeros_like(wanted), torch.zeros_like(wanted)  # pushed = product(direction)
    before = torch.ones_like(wanted[0])
    going = torch.ones_like(before, dtype=torch.bool)
    for _ in range(iterations):
        curved = product(residual)
        curvature = residual @ curved
        going = going & (curvature != 0)
        ratio = torch.where(going, curvature / before, 0.0)
        direction, pushed = residual + ratio * direction, curved + ratio * pushed
        length = torch.where(going, curvature / (pushed @ pushed), 0.0)
        solved, residual, before = solved + length * direction, residual - length * pushed, curvature
    return solved


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
