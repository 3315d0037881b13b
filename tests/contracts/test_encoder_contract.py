"""What every encoder promises."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from contract_members import SHAPES, encoder, encoder_cases, given, spec_of, tensors

from cggm_pipeline.build.tables import TABLES
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Input

CASES = list(encoder_cases())


@pytest.fixture(params=CASES, ids=lambda case: "-".join(str(part) for part in (case[0], case[1], *case[2].values())))
def case(request: pytest.FixtureRequest) -> Any:
    kind, rank, options = request.param
    made = encoder(kind, rank, options)
    if isinstance(made, BuildError):
        pytest.skip(f"{kind} refuses this combination: {made}")
    assert made.layout == spec_of("encoders", kind, **options).layout
    return made, rank


@pytest.mark.parametrize("kind", TABLES["encoders"])
def test_every_rank_and_output_that_the_spec_names_can_be_made(kind: str) -> None:
    made = [
        (rank, options)
        for name, rank, options in CASES
        if name == kind
        if not isinstance(encoder(name, rank, options), BuildError)
    ]
    offered = [(rank, options) for name, rank, options in CASES if name == kind]
    assert {rank for rank, _ in made} == {rank for rank, _ in offered}
    if kind != "custom":  # its output is whatever the user's class says
        assert {str(options) for _, options in made} == {str(options) for _, options in offered}


def test_features_are_as_wide_as_promised_and_finite_with_gradients(case: Any) -> None:
    made, rank = case
    x = given(rank)
    made.train()
    features = made(x)
    values = tensors(features)
    axis = 2 if made.layout == "tokens" else 1
    assert tuple(value.shape[axis] for value in values) == made.widths
    assert {value.dim() for value in values} == {{"vector": 2, "tokens": 3, "pyramid": 4}[made.layout]}
    assert all(value.isfinite().all() and len(value) == 4 for value in values)
    if made.layout == "pyramid":
        assert [value.shape[2] for value in values] == sorted((value.shape[2] for value in values), reverse=True)
    sum(value.square().sum() for value in values).backward()
    gradients = [parameter.grad for parameter in made.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_evaluation_is_deterministic_and_rows_are_independent(case: Any) -> None:
    made, rank = case
    made.eval()
    x = given(rank)
    whole = tensors(made(x))
    again = tensors(made(x))
    assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))
    for row in range(4):
        alone = made(Input(x.values[row : row + 1], None if x.mask is None else x.mask[row : row + 1]))
        for a, b in zip(tensors(alone), whole, strict=True):
            torch.testing.assert_close(a[0], b[row], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", [case for case in CASES if case[1] == 2], indirect=True)
def test_what_stands_in_padding_changes_nothing(case: Any) -> None:
    made, rank = case
    made.eval()
    x = given(rank)
    assert x.mask is not None
    garbage = Input(x.values.masked_fill(x.mask[..., None], 1e3), x.mask)
    kept = ~x.mask
    for a, b in zip(tensors(made(x)), tensors(made(garbage)), strict=True):
        same = (a[kept], b[kept]) if made.layout == "tokens" else (a, b)
        torch.testing.assert_close(*same)


@pytest.mark.parametrize(("kind", "rank", "options"), CASES)
def test_one_seed_gives_one_encoder_and_the_state_dict_carries_it(
    kind: str, rank: int, options: dict[str, Any]
) -> None:
    first, second = encoder(kind, rank, options), encoder(kind, rank, options)
    if isinstance(first, BuildError) or isinstance(second, BuildError):
        pytest.skip(f"{kind} refuses this combination: {first}")
    states = first.state_dict(), second.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    for parameter in second.parameters():
        torch.nn.init.normal_(parameter)
    second.load_state_dict(first.state_dict())
    x = given(rank)
    for a, b in zip(tensors(first.eval()(x)), tensors(second.eval()(x)), strict=True):
        assert torch.equal(a, b)


def test_it_runs_in_float64_and_takes_whole_numbers(case: Any) -> None:
    made, rank = case
    made.double().eval()
    assert all(value.dtype == torch.float64 for value in tensors(made(given(rank, dtype=torch.float64))))
    whole = Input(torch.randint(0, 255, (2, *SHAPES[rank])))
    assert all(value.isfinite().all() for value in tensors(made(whole)))


@pytest.mark.parametrize("case", [case for case in CASES if case[1] == 2], indirect=True)
def test_a_mask_of_nothing_but_padding_stays_finite(case: Any) -> None:
    made, rank = case
    made.train()
    x = given(rank)
    empty = Input(torch.zeros_like(x.values), torch.ones(4, 9, dtype=torch.bool))
    values = tensors(made(empty))
    sum(value.sum() for value in values).backward()
    assert all(value.isfinite().all() for value in values)
    assert all(p.grad.isfinite().all() for p in made.parameters() if p.grad is not None)
