"""The mean fill: the exact mean of everything seen, in every layout, and only in training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, distributed

from cggm_pipeline.fills.mean import Mean
from cggm_pipeline.layers.features import Features

WIDTHS = {"image": (2, 3), "text": 4, "values": 5}
BATCHES = 4


def batch(seed: int) -> tuple[dict[str, Features], dict[str, Tensor | None]]:
    generator = torch.Generator().manual_seed(seed)

    def drawn(*sizes: int) -> Tensor:
        return torch.randn(3 + seed, *sizes, generator=generator, dtype=torch.float64) + 1

    rows = {name: torch.rand(3 + seed, generator=generator) < 0.6 for name in ("image", "text")}
    mask = torch.rand(3 + seed, 6, generator=generator) < 0.4
    image = Features([drawn(2, 4, 4), drawn(3, 2, 2)])
    return {"text": Features(drawn(6, 4), mask), "image": image, "values": Features(drawn(5))}, {**rows, "values": None}


def seen(seeds: range) -> dict[str, list[Tensor]]:
    """The means, from all rows at once."""
    batches = [batch(seed) for seed in seeds]
    text = torch.cat(
        [found["text"].tensor[rows["text"][:, None] & ~found["text"].mask] for found, rows in batches]  # type: ignore[index, operator]
    )
    maps = [
        torch.cat(
            [found["image"].values[level][rows["image"]].transpose(0, 1).flatten(1) for found, rows in batches], 1
        )
        for level in (0, 1)
    ]
    values = torch.cat([found["values"].tensor for found, _ in batches])
    return {"text": [text.mean(0)], "image": [each.mean(1) for each in maps], "values": [values.mean(0)]}


def test_it_is_the_mean_of_everything_seen_so_far() -> None:
    fill = Mean(WIDTHS).double()
    for seed in range(BATCHES):
        features, present = batch(seed)
        filled = fill(features, present)
        means = seen(range(seed + 1))
        for name, rows in present.items():
            values = features[name].values if isinstance(features[name].values, list) else [features[name].tensor]
            found = filled[name].values if isinstance(filled[name].values, list) else [filled[name].tensor]
            for before, after, mean in zip(values, found, means[name], strict=True):
                there = torch.ones(len(before), dtype=torch.bool) if rows is None else rows
                assert torch.equal(after[there], before[there])
                shown = mean.view(-1, 1, 1) if before.dim() == 4 else mean
                torch.testing.assert_close(after[~there], shown.expand_as(before)[~there], rtol=0, atol=1e-12)


def test_zeros_before_anything_was_seen_and_nothing_is_learnt_in_evaluation() -> None:
    fill = Mean(WIDTHS).double()
    features, present = batch(1)
    lacking = {name: torch.zeros(4, dtype=torch.bool) for name in present}
    fill.train()(features, lacking)
    assert all(not buffer.any() for buffer in fill.buffers())
    filled = fill.eval()(features, present)
    assert not filled["text"].tensor[~present["text"]].any()  # type: ignore[operator]
    assert all(not buffer.any() for buffer in fill.buffers())


def test_a_checkpoint_goes_on_where_it_was() -> None:
    straight, stopped, resumed = (Mean(WIDTHS).double() for _ in range(3))
    for seed in range(BATCHES):
        straight(*batch(seed))
    for seed in range(2):
        stopped(*batch(seed))
    resumed.load_state_dict(stopped.state_dict())
    for seed in range(2, BATCHES):
        resumed(*batch(seed))
    assert all(torch.equal(a, b) for a, b in zip(straight.buffers(), resumed.buffers(), strict=True))


def test_no_gradient_reaches_the_mean() -> None:
    features, present = batch(2)
    values = features["text"].tensor.requires_grad_()
    filled = Mean(WIDTHS).double()({**features}, present)["text"].tensor
    filled.sum().backward()
    assert torch.equal(values.grad, present["text"][:, None, None].expand_as(values).double())  # type: ignore[index]


def test_several_processes_learn_what_one_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process is a list of what it added up, in the order in which both call."""
    sent: list[Tensor] = []
    first, second, alone = (Mean(WIDTHS).double() for _ in range(3))
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed, "all_reduce", lambda tensor: sent.append(tensor.clone()))
    first(*batch(0))
    monkeypatch.setattr(distributed, "all_reduce", lambda tensor: tensor.add_(sent.pop(0)))
    second(*batch(1))
    assert not sent
    monkeypatch.undo()
    for seed in range(2):
        alone(*batch(seed))
    for a, b in zip(second.buffers(), alone.buffers(), strict=True):
        torch.testing.assert_close(a, b)
