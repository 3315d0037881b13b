"""The scores that CGGM compares."""

from __future__ import annotations

import torch

from cggm_pipeline.modulations import accuracy, sign_accuracy


def test_accuracy():
    logits = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    assert accuracy(logits, torch.tensor([1, 0, 0])).item() == 2 / 3  # exact in float64


def test_accuracy_of_pixels():
    logits = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])  # (1, 2, 1, 2): classes 0 and 1
    assert accuracy(logits, torch.tensor([[[0, 0]]])).item() == 0.5


def test_sign_accuracy_counts_zero_as_negative():
    prediction = torch.tensor([[0.5], [-0.5], [0.1], [0.0]])
    assert sign_accuracy(prediction, torch.tensor([2.0, -1.0, 0.0, -3.0])).item() == 0.75


def test_sign_accuracy_never_compares_across_samples():
    """(B, 1) against (B): compared sample by sample, not broadcast to (B, B)."""
    assert sign_accuracy(torch.tensor([[1.0], [-1.0]]), torch.tensor([1.0, -1.0])).item() == 1
