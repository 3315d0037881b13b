"""What the released MPLMM does and the paper does not say; docs/paper-vs-code.md names these tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cggm_pipeline.fills.generated import Generated
from cggm_pipeline.layers.features import Features

WIDTHS = {"audio": 4, "text": 4, "vision": 4}
LENGTHS = {"audio": 3, "text": 5, "vision": 1}
FORMS = ("paper", "released")
NEVER = ("types.prompt", "types.projection")


def trained(form: str, steps: int) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Parameters before and after some Adam steps on samples that lack something, and the last gradients."""
    torch.manual_seed(0)
    fill = Generated(WIDTHS, LENGTHS, length=3, form=form)  # type: ignore[arg-type]
    head = torch.nn.Linear(4, 1)
    optimizer = torch.optim.Adam([*fill.parameters(), *head.parameters()], lr=1e-2)
    before = {name: value.detach().clone() for name, value in fill.named_parameters()}
    for _ in range(steps):
        features = {name: Features(torch.randn(16, length, 4)) for name, length in LENGTHS.items()}
        present = {name: (torch.arange(16) >> place) % 2 == 1 for place, name in enumerate(LENGTHS)}
        filled = fill(features, present)
        read = torch.stack([torch.tanh(found.tensor).mean(1) for found in filled.values()]).sum(0)
        loss = (head(read).squeeze(1) - torch.randn(16)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    gradients = {name: value.grad for name, value in fill.named_parameters() if value.grad is not None}
    assert gradients.keys() == before.keys()
    return before, {name: value.detach() for name, value in fill.named_parameters()}, gradients


def test_in_the_papers_form_every_prompt_moves_in_the_first_step() -> None:
    before, after, gradients = trained("paper", 1)
    for name, value in before.items():
        assert gradients[name].any(), name
        assert not torch.equal(value, after[name]), name
        if "prompt" in name or name.startswith(("signals", "types")):
            assert (value != 0).all(), name


def test_as_released_missing_type_prompts_and_projections_never_move() -> None:
    """P_MT M_P with both factors at zero: each one's gradient is the other one times something."""
    before, after, gradients = trained("released", 8)
    for name, value in after.items():
        if name in NEVER:
            assert not gradients[name].any(), name
            assert not value.any(), name
        else:
            assert not torch.equal(before[name], value), name
    assert not any(before[name].any() for name in before if "prompt" in name or name.startswith("signals"))


def test_the_released_product_is_the_papers_turned_and_its_prompts_stand_behind() -> None:
    fills = [Generated(WIDTHS, LENGTHS, length=3, generative=False, signal=False, form=form) for form in FORMS]
    for parameter in fills[0].parameters():
        torch.nn.init.normal_(parameter)
    fills[1].load_state_dict(fills[0].state_dict())
    features = {name: Features(torch.randn(2, length, 4)) for name, length in LENGTHS.items()}
    present = {"audio": torch.tensor([True, False]), "text": None, "vision": torch.tensor([False, True])}
    (paper, released), types, signals = [fill(features, present) for fill in fills], fills[0].types, fills[0].signals
    assert types is not None
    assert signals is not None
    for row in range(2):
        chosen = [
            signal.there if present[name] is None or present[name][row] else signal.missing  # type: ignore[index]
            for name, signal in signals.items()
        ]
        straight = sum(m @ p for m, p in zip(types.projection, chosen, strict=True))
        turned = sum(p.T @ m.T for m, p in zip(types.projection, chosen, strict=True))
        for place, name in enumerate(sorted(LENGTHS)):
            torch.testing.assert_close(paper[name].tensor[row, :3], types.prompt[place] @ straight)
            torch.testing.assert_close(released[name].tensor[row, -3:], types.prompt[place] @ turned)
            assert torch.equal(paper[name].tensor[row, 3:], released[name].tensor[row, :-3])


def released_mixing(lengths: Mapping[str, int]) -> int:
    """Parameters that mix time in the release: for each target one block per non-empty subset of the two others."""
    total = 0
    for target, steps in lengths.items():
        one, other = (time for name, time in lengths.items() if name != target)
        total += sum((16 + read) * steps + steps for read in (one, other, one + other))
    return total


def released_parameters(lengths: Mapping[str, int], sizes: Sequence[int], d: int = 30) -> int:
    """All that the release trains, from the shapes in its model.py: of modalities with these feature sizes."""
    maps = sum(2 * (size * d + d) for size in sizes)  # f_{j->m} reads the raw features
    prompts = 3 * 16 * d + sum(2 * d * steps for steps in lengths.values())  # generative, signal
    types = 3 * 16 * d + sum(steps * 2 * d for steps in lengths.values())
    return maps + released_mixing(lengths) + prompts + types + sum(d * size for size in sizes) + 6 * d + 1


def test_blocks_per_subset_as_in_the_release_or_one_per_target_and_no_growth_with_time() -> None:
    """88,141 and 1,115,666 are what others counted in the release: 8.2 % and 104 % of its backbone."""
    aligned, unaligned = dict.fromkeys(WIDTHS, 50), {"audio": 375, "text": 50, "vision": 500}
    assert released_parameters(aligned, (5, 300, 20)) == 88_141
    assert released_parameters(unaligned, (5, 300, 20)) == 1_115_666
    assert released_mixing(aligned) == 37_650
    for lengths in (aligned, unaligned):
        for blocks, mixing, whole in (("target", 17_550, 30_330), ("subset", released_mixing(aligned), 50_430)):
            fill = Generated(dict.fromkeys(WIDTHS, 30), lengths, blocks=blocks)  # type: ignore[arg-type]
            assert sum(parameter.numel() for parameter in fill.parameters()) == whole
            counted = [value.numel() for name, value in fill.named_parameters() if ".mix." in name]
            assert sum(counted) == mixing
            assert len(counted) == 2 * (3 if blocks == "target" else 9)
