"""Micro-batches, mixed precision and float64 give the plain training of every method, within tolerance."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contract_modulations import KINDS, Case, once
from contract_training import Trained, train

from cggm_pipeline.build.rooms import specs

GENTLE: dict[str, Any] = {"gentle": True, "epochs": 1}
DOUBLE = {**GENTLE, "double": True}


def apart(one: Trained, other: Trained) -> float:
    """How far two trainings moved apart, in units of how far the second moved."""
    networks = [each.after for each in (one, other)]
    gap = torch.stack([(a.double() - b.double()).norm() for a, b in zip(*(n.values() for n in networks), strict=True)])
    way = torch.stack([(value.double() - other.before[name].double()).norm() for name, value in networks[1].items()])
    return (gap.norm() / way.norm()).item()


@pytest.mark.parametrize(("room", "kind"), KINDS)
def test_two_micro_batches_are_one_batch(room: str, kind: str) -> None:
    """Of a method that says why they are not, this is true."""
    spec = specs(room)[kind]
    gaps = [apart(train(c, accumulate=2, **DOUBLE), train(c, **DOUBLE)) for c in once(0) if c.spec is spec]
    assert max(gaps) > 1e-9 if getattr(spec, "per_micro_batch", "") else max(gaps) < 1e-9


@pytest.mark.parametrize("case", once(1), ids=str)
def test_bfloat16_is_close(case: Case) -> None:
    assert apart(train(case, precision="bfloat16", **GENTLE), train(case, **GENTLE)) < 0.25


@pytest.mark.parametrize("case", once(2), ids=str)
def test_float64_is_close(case: Case) -> None:
    """But for a method that draws random numbers: others in float64 than in float32."""
    half, double = train(case, **GENTLE), train(case, **DOUBLE)
    assert half.drew or apart(half, double) < 1e-3
