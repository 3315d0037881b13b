"""Missing-aware prompts: which one a sample gets, where it stands, and how many modalities there may be."""

from __future__ import annotations

import pytest
import torch

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fills.missing_aware import MOST, MissingAware
from cggm_pipeline.layers.features import Features

HAD = {"a": torch.tensor([1, 0, 1, 0]).bool(), "b": torch.tensor([0, 1, 1, 0]).bool()}
CASES = (0, 1, 2, None)
"""The place of the prompt of each row: a alone, b alone, both; of a sample with neither there is none."""


def test_every_case_has_its_prompt_in_front() -> None:
    torch.manual_seed(0)
    fill = MissingAware({"a": 5, "b": 4}, length=3)
    mask = torch.tensor([[False, True]] * 4)
    features = {"a": Features(torch.randn(4, 6, 5)), "b": Features(torch.randn(4, 2, 4), mask)}
    filled = fill(features, HAD)
    for name, width in (("a", 5), ("b", 4)):
        prompts = fill.prompted[name].prompts
        assert prompts.shape == (3, 3, width)
        for row, case in enumerate(CASES):
            expected = torch.zeros(3, width) if case is None else prompts[case]
            assert torch.equal(filled[name].tensor[row, :3], expected)
            own = features[name].tensor[row] * HAD[name][row]
            assert torch.equal(filled[name].tensor[row, 3:], own)
    assert filled["a"].mask is None
    assert filled["b"].mask is not None
    assert torch.equal(filled["b"].mask, torch.cat([torch.zeros(4, 3, dtype=torch.bool), mask], 1))


def test_vectors_get_its_mean() -> None:
    torch.manual_seed(0)
    fill = MissingAware({"a": 5, "b": 4}, length=3)
    features = {"a": Features(torch.randn(4, 5)), "b": Features(torch.randn(4, 4))}
    filled = fill(features, HAD)
    for row, case in enumerate(CASES[:3]):
        expected = features["a"].tensor[row] * HAD["a"][row] + fill.prompted["a"].prompts[case].mean(0)
        torch.testing.assert_close(filled["a"].tensor[row], expected)
    assert not filled["a"].tensor[3].any()


def test_a_prompt_learns_from_its_own_case_alone() -> None:
    fill = MissingAware({"a": 5, "b": 4}, length=3)
    features = {"a": Features(torch.randn(4, 5)), "b": Features(torch.randn(4, 4))}
    filled = fill(features, HAD)
    filled["a"].tensor[1].sum().backward()
    reached = [prompt.any().item() for prompt in fill.prompted["a"].prompts.grad]
    assert reached == [False, True, False]
    assert fill.prompted["b"].prompts.grad is None


def test_it_can_be_differentiated_twice() -> None:
    fill = MissingAware({"a": 2}, length=2).double()
    prompts = fill.prompted["a"].prompts

    def filled(given: torch.Tensor) -> torch.Tensor:
        swapped = {"prompts": given}
        return torch.func.functional_call(fill.prompted["a"], swapped, torch.tensor([0, 1, 1])).sin()

    assert torch.autograd.gradgradcheck(filled, prompts.detach().requires_grad_())


def test_at_most_eight_modalities() -> None:
    names = [f"m{number}" for number in range(MOST + 1)]
    assert len(MissingAware(dict.fromkeys(names[:MOST], 2)).prompted["m0"].prompts) == 255
    with pytest.raises(BuildError, match=r"2\^M - 1 cases and takes at most 8 modalities, but there are 9; select"):
        MissingAware(dict.fromkeys(names, 2))
