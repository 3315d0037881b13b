"""Modality dropout: how often, what always stays, and nothing of it in evaluation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fills.modality_dropout import ModalityDropout
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.layers.features import Features

SAMPLES = 40_000


def kept(rate: object, present: dict[str, Tensor | None], samples: int = SAMPLES) -> dict[str, Tensor]:
    """Which rows are not empty after one training step."""
    torch.manual_seed(0)
    features = {name: Features(torch.ones(samples, 1)) for name in present}
    filled = ModalityDropout(dict.fromkeys(present, 1), rate=rate)(features, present)  # type: ignore[arg-type]
    return {name: found.tensor[:, 0] == 1 for name, found in filled.items()}


def share(rows: Tensor) -> float:
    return float(rows.double().mean())


def near(expected: float) -> object:
    """Five standard deviations of a share of SAMPLES."""
    return pytest.approx(expected, abs=5 * (0.25 / SAMPLES) ** 0.5)


def test_two_modalities_half_of_the_time() -> None:
    """Both 1/4, each alone 1/4 and half of the 1/4 that would have lost both."""
    found = kept(0.5, {"a": None, "b": None})
    assert (found["a"] | found["b"]).all()
    assert share(found["a"] & found["b"]) == near(1 / 4)
    assert share(found["a"] & ~found["b"]) == near(3 / 8)


def test_rates_by_name_and_the_chance_of_being_spared() -> None:
    """a goes with 0.8, b with 0.5, c never: one of three is always there. Without c, 0.4 would lose both."""
    found = kept({"a": 0.8, "b": 0.5}, {"a": None, "b": None, "c": None})
    assert (share(found["a"]), share(found["b"]), share(found["c"])) == (near(0.2), near(0.5), 1.0)
    found = kept({"a": 0.8, "b": 0.5}, {"a": None, "b": None})
    assert (share(found["a"]), share(found["b"])) == (near(0.2 + 0.2), near(0.5 + 0.2))


def test_what_is_absent_stays_absent_and_the_only_one_stays() -> None:
    rows = torch.arange(SAMPLES)
    present = {"a": rows % 2 == 0, "b": rows % 3 == 0, "c": rows % 5 == 0}
    found = kept(0.9, dict(present))
    for name, there in present.items():
        assert not (found[name] & ~there).any()
    number = torch.stack(list(present.values())).sum(0)
    left = torch.stack(list(found.values())).sum(0)
    assert (left >= number.clamp_max(1)).all()
    assert torch.equal(left[number == 1], number[number == 1])
    assert share(left[number == 3] == 1) > 0.9
    for name in "abc":  # of three that would all go each is spared as often
        only = (left == 1) & found[name]
        assert share(only[number == 3]) == pytest.approx(share(left[number == 3] == 1) / 3, abs=0.08)


def test_evaluation_is_zeros_and_draws_nothing() -> None:
    features = {"a": Features(torch.randn(6, 3, 2)), "b": Features([torch.randn(6, 2, 4, 4)])}
    present = {"a": torch.arange(6) > 2, "b": None}
    state = torch.get_rng_state()
    found = ModalityDropout({"a": 2, "b": (2,)}, rate=0.9).eval()(features, present)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(found["a"].tensor, Zeros({})(features, present)["a"].tensor)
    assert found["b"] is features["b"]


def test_dropped_rows_have_no_gradient() -> None:
    torch.manual_seed(1)
    values = {name: torch.randn(50, 3, requires_grad=True) for name in "ab"}
    fill = ModalityDropout({"a": 3, "b": 3}, rate=0.5)
    filled = fill({name: Features(value) for name, value in values.items()}, {})
    sum(found.tensor.sum() for found in filled.values()).backward()
    for name, value in values.items():
        gone = (filled[name].tensor == 0).all(1)
        assert gone.any()
        assert torch.equal(value.grad, (~gone)[:, None].expand_as(value).float())


def test_unknown_names_are_refused() -> None:
    with pytest.raises(BuildError, match=r"rate: there is no modality 'c' \(allowed: a, b\)"):
        ModalityDropout({"b": 1, "a": 1}, rate={"c": 0.1})
