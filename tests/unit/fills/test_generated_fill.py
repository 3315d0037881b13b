"""MPLMM against a plain restatement of its equations; its switches; padding and lengths that vary."""

from __future__ import annotations

from itertools import combinations, pairwise, product
from typing import Any

import plain_mplmm
import pytest
import torch
from torch import Tensor, nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fills.generated import Generated
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.layers.features import Features

LENGTHS = {"values": 5, "audio": 3, "type": 8}
WIDTH, LENGTH, STEPS = 4, 3, 6
HAD = dict(zip(sorted(LENGTHS), torch.tensor(list(product([True, False], repeat=3))).T, strict=True))
"""Every set of modalities once, down to none."""
SWITCHES = ("generative", "signal", "missing_type")


def features(lengths: dict[str, int] = LENGTHS, rows: int = 8) -> dict[str, Features]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: Features(torch.randn(rows, time, WIDTH, generator=generator, dtype=torch.float64))
        for name, time in lengths.items()
    }


def made(lengths: Any = LENGTHS, *, drawn: bool = True, **options: Any) -> Generated:
    torch.manual_seed(1)
    fill = Generated(dict.fromkeys(lengths, WIDTH), lengths, **{"length": LENGTH, "steps": STEPS} | options).double()
    for parameter in fill.parameters() if drawn else ():
        nn.init.normal_(parameter, std=0.5)
    return fill


@pytest.mark.parametrize("blocks", ["target", "subset"])
@pytest.mark.parametrize(("form", "kernel"), [("paper", 1), ("paper", 3), ("released", 1)])
def test_it_is_the_papers_equations_for_every_subset(form: str, kernel: int, blocks: str) -> None:
    fill, given = made(form=form, kernel=kernel, blocks=blocks), features()
    found = fill(given, HAD)
    for row in range(8):
        there = {name: given[name].tensor[row] for name in given if HAD[name][row]}
        state, options = fill.state_dict(), {"length": LENGTH, "steps": STEPS, "released": form == "released"}
        for name, expected in plain_mplmm.filled(state, there, LENGTHS, **options).items():
            torch.testing.assert_close(found[name].tensor[row], expected, rtol=0, atol=1e-12)
            assert found[name].mask is None


def test_a_block_learns_from_the_samples_that_have_its_set_alone() -> None:
    names, number = "abcd", 4
    lengths = dict.fromkeys(names, 2)
    fill = made(lengths, blocks="subset", signal=False, missing_type=False)
    assert fill.generation is not None
    for row, had in enumerate(product([True, False], repeat=number)):
        fill.zero_grad()
        given = {name: Features(value.tensor[row : row + 1]) for name, value in features(lengths, 16).items()}
        there = dict(zip(names, had, strict=True))
        found = fill(given, {name: torch.tensor([has]) for name, has in there.items()})
        sum(value.tensor.sum() for value in found.values()).backward()
        for name, maker in fill.generation.items():
            blocks = maker.mix.blocks
            assert len(blocks) == 2 ** (number - 1) - 1
            moved = {key for key, block in blocks.items() if block.weight.grad is not None and block.weight.grad.any()}
            others = "+".join(other for other in names if there[other] and other != name)
            assert moved == (set() if there[name] or not others else {others})


def test_vectors_are_one_token_and_get_the_mean_of_the_type_prompts() -> None:
    ones = dict.fromkeys(LENGTHS, 1)
    fill, given = made(ones), features(ones)
    found = fill({name: Features(value.tensor.squeeze(1)) for name, value in given.items()}, HAD)
    for row in range(8):
        there = {name: given[name].tensor[row] for name in given if HAD[name][row]}
        expected = plain_mplmm.filled(fill.state_dict(), there, ones, length=LENGTH, steps=STEPS)
        for name, tokens in expected.items():
            torch.testing.assert_close(found[name].tensor[row], tokens[LENGTH] + tokens[:LENGTH].mean(0))


@pytest.mark.parametrize("on", [on for number in (1, 2) for on in combinations(SWITCHES, number)], ids="-".join)
def test_every_switch_leaves_out_its_part_and_no_other_draw(on: tuple[str, ...]) -> None:
    whole, given = made(drawn=False), features()
    fill = made(drawn=False, **{switch: switch in on for switch in SWITCHES})
    parts = {"generation": "generative" in on, "signals": on != ("generative",), "types": "missing_type" in on}
    assert {key.split(".")[0] for key in fill.state_dict()} == {part for part, there in parts.items() if there}
    state = whole.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in fill.state_dict().items())
    found = fill(given, HAD)
    for row in range(8):
        there = {name: given[name].tensor[row] for name in given if HAD[name][row]}
        for name, expected in plain_mplmm.filled(state, there, LENGTHS, length=LENGTH, steps=STEPS, on=on).items():
            torch.testing.assert_close(found[name].tensor[row], expected, rtol=0, atol=1e-12)


def test_without_any_it_is_zeros_bit_for_bit() -> None:
    off = Generated({"a": 4, "b": 3}, {"a": 7, "b": None}, **dict.fromkeys(SWITCHES, False))
    mask = torch.tensor([[False, False, True]] * 4)
    given = {"a": Features(torch.randn(4, 4)), "b": Features(torch.randn(4, 3, 3), mask)}
    present = {"a": torch.tensor([True, False, True, False]), "b": None}
    found, zeros = off(given, present), Zeros({})(given, present)
    assert list(off.state_dict()) == []
    assert torch.equal(found["a"].tensor, zeros["a"].tensor)
    assert found["b"] is zeros["b"] is given["b"]


def test_padding_is_not_read_and_made_up_tokens_are_no_padding() -> None:
    """Tokens of a fixed number may be padded too, as those of a tokeniser are."""
    fill, given = made(kernel=3), features()
    mask = (torch.arange(5) >= torch.tensor([5, 3, 1, 0, 5, 3, 1, 0])[:, None])[:, torch.arange(5)]
    given["values"] = Features(given["values"].tensor, mask)
    garbage = {**given, "values": Features(given["values"].tensor.masked_fill(mask[..., None], 1e3), mask)}
    found, other = fill(given, HAD), fill(garbage, HAD)
    for name in ("audio", "type"):
        assert torch.equal(found[name].tensor, other[name].tensor)
    assert found["values"].mask is not None
    front = torch.zeros(8, LENGTH, dtype=torch.bool)
    assert torch.equal(found["values"].mask, torch.cat([front, mask & HAD["values"][:, None]], 1))
    behind = made(form="released")(given, HAD)["values"].mask
    assert behind is not None
    assert torch.equal(behind, torch.cat([mask & HAD["values"][:, None], front], 1))


def padded(rows: list[Tensor], length: int) -> Features:
    values = torch.stack([torch.cat([row, row.new_zeros(length - len(row), WIDTH)]) for row in rows])
    return Features(values, torch.arange(length) >= torch.tensor([len(row) for row in rows])[:, None])


def test_where_lengths_vary_a_sample_does_not_depend_on_its_batch() -> None:
    """Alone and without padding it says what it says in any batch; `steps` tokens stand for what it lacks."""
    torch.manual_seed(0)
    lengths = {"a": None, "b": None, "c": 4}
    fill = made(lengths, kernel=3)
    sequences = {name: [torch.randn(t, WIDTH, dtype=torch.float64) for t in (2, 9, 1, 5)] for name in "ab"}
    c = torch.randn(4, 4, WIDTH, dtype=torch.float64)
    present = {"a": torch.tensor([True, True, False, False]), "b": torch.tensor([True, False, True, False]), "c": None}
    for name in "ab":  # as in the data, where an absent sequence is one zero step
        sequences[name] = [
            row if there else row[:1] * 0 for row, there in zip(sequences[name], present[name], strict=True)
        ]
    batch = {"a": padded(sequences["a"], 12), "b": padded(sequences["b"], 9), "c": Features(c)}
    together = fill(batch, present)
    for row in range(4):
        single = {name: padded([sequences[name][row]], len(sequences[name][row])) for name in "ab"}
        here = {name: None if there is None else there[row : row + 1] for name, there in present.items()}
        alone = fill({**single, "c": Features(c[row : row + 1])}, here)
        for name in "abc":
            found = [kept(each[name], at) for each, at in ((together, row), (alone, 0))]
            torch.testing.assert_close(*found, rtol=0, atol=1e-12)
            lacks = present[name] is not None and not present[name][row]  # type: ignore[index]
            own = 4 if name == "c" else STEPS if lacks else len(sequences[name][row])
            assert len(found[0]) == LENGTH + own


def test_an_even_kernel_keeps_the_number_of_tokens() -> None:
    found = made(kernel=4)(features(), HAD)
    assert {name: value.tensor.shape[1] - LENGTH for name, value in found.items()} == LENGTHS


def test_it_can_be_differentiated_twice() -> None:
    """CGGM's direction term is: its gradients are differentiated again."""
    lengths, present = {"a": 3, "b": None}, {"a": torch.tensor([True, False]), "b": torch.tensor([False, True])}
    fill = made(lengths, length=2, steps=2)
    mask = torch.tensor([[False, False, True], [False, False, False]])

    def read(a: Tensor, b: Tensor) -> Tensor:
        filled = fill({"a": Features(a), "b": Features(b, mask)}, present)
        return torch.cat([found.tensor.flatten(1) for found in filled.values()], 1).sin()

    given = [torch.randn(2, 3, WIDTH, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradgradcheck(read, given)


def test_autocast_keeps_the_features_precision() -> None:
    fill, given = made().float(), {name: Features(value.tensor.float()) for name, value in features().items()}
    plain = fill(given, HAD)
    with torch.autocast("cpu", torch.bfloat16):
        cast = fill(given, HAD)
        halves = fill({name: Features(value.tensor.bfloat16()) for name, value in given.items()}, HAD)
    for name, found in cast.items():
        assert (found.tensor.dtype, halves[name].tensor.dtype) == (torch.float32, torch.bfloat16)
        torch.testing.assert_close(found.tensor, plain[name].tensor, rtol=0.05, atol=0.1)
        torch.testing.assert_close(halves[name].tensor.float(), plain[name].tensor, rtol=0.05, atol=0.1)


def kept(found: Features, row: int) -> Tensor:
    return found.tensor[row] if found.mask is None else found.tensor[row][~found.mask[row]]


def test_the_generator_does_not_grow_with_the_sequences_and_is_linear_in_modalities() -> None:
    def size(lengths: dict[str, int | None]) -> int:
        fill = Generated(dict.fromkeys(lengths, 30), lengths, signal=False, missing_type=False)
        return sum(parameter.numel() for parameter in fill.parameters())

    aligned = size({"audio": 50, "text": 50, "vision": 50})
    assert aligned == size({"audio": 375, "text": 50, "vision": 500}) == size(dict.fromkeys(("a", "b", "c")))
    per_target = [size({f"m{place}": 50 for place in range(number)}) / number for number in (1, 2, 3, 4)]
    assert {b - a for a, b in pairwise(per_target)} == {30 * 30 + 30 + 50 * 50}


def test_what_it_refuses() -> None:
    with pytest.raises(BuildError, match="missing_type needs features of one width, but they are: a 4, b 5; make"):
        Generated({"b": 5, "a": 4}, {"a": 1, "b": 1})
    assert Generated({"b": 5, "a": 4}, {"a": 1, "b": 1}, missing_type=False).types is None
    with pytest.raises(BuildError, match="generated fills vectors and tokens, but the features of 'b' are a pyramid"):
        Generated({"a": 4, "b": (4, 5)}, {"a": 1, "b": None})  # type: ignore[dict-item]
