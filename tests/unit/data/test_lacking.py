"""A sample that is made to lack a modality: nothing of it is left, not even its length."""

from __future__ import annotations

import pytest
import torch

from cggm_pipeline.data.input import Input
from cggm_pipeline.encoders.transformer import Transformer as Encoder
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.fusions.transformer import Transformer as Fusion

ABSENT = torch.tensor([True, False, True])


def sequences() -> Input:
    """Three sequences of 2, 4 and 4 steps."""
    steps = torch.tensor([[2], [4], [4]])
    mask = torch.arange(4) >= steps
    return Input(torch.ones(3, 4, 5).masked_fill(mask.unsqueeze(-1), 0), mask)


def test_one_step_of_zeros_is_left_of_a_sequence() -> None:
    given = sequences()
    lacking = given.lacking(ABSENT)
    assert lacking.present is not None
    assert lacking.mask is not None
    assert lacking.present.tolist() == [False, True, False]
    assert lacking.mask.tolist() == [[False, True, True, True], [False] * 4, [False, True, True, True]]
    assert not lacking.values[ABSENT].any()
    assert torch.equal(lacking.values[1], given.values[1])


@pytest.mark.parametrize("shape", [(3, 5), (3, 4, 5), (3, 1, 4, 4)])
def test_without_padding_there_is_no_mask(shape: tuple[int, ...]) -> None:
    lacking = Input(torch.ones(shape)).lacking(ABSENT)
    assert lacking.mask is None
    assert lacking.values.flatten(1).any(1).tolist() == [False, True, False]


def test_what_was_absent_stays_absent() -> None:
    there = torch.tensor([True, False, True])
    lacking = Input(torch.zeros(3, 5), None, there).lacking(torch.tensor([True, False, False]))
    assert lacking.present is not None
    assert lacking.present.tolist() == [False, False, True]


def test_the_length_of_a_missing_sequence_does_not_reach_the_prediction() -> None:
    torch.manual_seed(0)
    options = {"width": 4, "heads": 2, "layers": 1}
    encoders = {name: Encoder((None, 5), **options).eval() for name in ("audio", "text")}
    fusion = Fusion({"audio": 4, "text": 4}, heads=2, layers=1).eval()
    audio = Input(torch.ones(3, 4, 5), torch.zeros(3, 4, dtype=torch.bool))
    inputs = {"audio": audio, "text": sequences().lacking(torch.ones(3, dtype=torch.bool))}
    features = {name: encoder(inputs[name]) for name, encoder in encoders.items()}
    z = fusion(Zeros({})(features, {name: given.present for name, given in inputs.items()})).tensor
    torch.testing.assert_close(z[0], z[1])
