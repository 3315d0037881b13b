"""MPLMM's equations 1 to 5 sample by sample, written from the paper: what a sample lacks is simply not there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

State = Mapping[str, Tensor]


def gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / 2**0.5)) / 2


def on_grid(x: Tensor, number: int) -> Tensor:
    """(T, d) on another grid, through one that is finer than both."""
    return x.repeat_interleave(number, 0).view(number, -1, x.shape[1]).mean(1)


def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(T, d) to (T, width), step by step."""
    side = weight.shape[2] // 2
    around = torch.cat([x.new_zeros(side, x.shape[1]), x, x.new_zeros(side, x.shape[1])])
    return torch.stack(
        [sum(around[t + k] @ weight[:, :, k].T for k in range(weight.shape[2])) + bias for t in range(len(x))]
    )


def generated(state: State, name: str, there: Mapping[str, Tensor], grids: Mapping[str, int], length: int) -> Tensor:
    """Equations 1 and 2: f([P_G, f_j(x_j) for j that is there]), with the columns of f that read these alone.

    Where f has blocks of its own for each set, with the block of those that are there: it has no other columns.
    """
    others = [other for other in sorted(grids) if other != name]
    had = [other for other in others if other in there]
    own = f"generation.{name}.mix.blocks.{'+'.join(had)}"
    if f"generation.{name}.mix.weight" in state:
        mix, columns = f"generation.{name}.mix", others
    elif had:
        mix, columns = own, had
    else:
        return torch.zeros(grids[name], state[f"generation.{name}.prompt"].shape[1], dtype=torch.float64)
    weight, bias = state[f"{mix}.weight"][:, :, 0], state[f"{mix}.bias"]
    total, place = weight[:, :length] @ state[f"generation.{name}.prompt"] + bias[:, None], length
    for other in columns:
        if other in there:
            convolution = f"generation.{name}.pieces.{other}"
            piece = gelu(convolved(there[other], state[f"{convolution}.weight"], state[f"{convolution}.bias"]))
            total = total + weight[:, place : place + grids[other]] @ on_grid(piece, grids[other])
        place += grids[other]
    assert place == weight.shape[1]
    return gelu(total)


def prompts(state: State, there: Mapping[str, Tensor], names: list[str], *, released: bool) -> dict[str, Tensor]:
    """Equations 4 and 5: P'_MT of every modality."""
    projection: Tensor = torch.zeros(())
    for place, name in enumerate(names):
        signal = state[f"signals.{name}.{'there' if name in there else 'missing'}"]
        m = state["types.projection"][place]
        projection = projection + (signal.T @ m.T if released else m @ signal)
    return {name: state["types.prompt"][place] @ projection for place, name in enumerate(names)}


def filled(
    state: State,
    there: Mapping[str, Tensor],
    lengths: Mapping[str, int],
    *,
    length: int,
    steps: int,
    released: bool = False,
    on: Collection[str] = ("generative", "signal", "missing_type"),
) -> dict[str, Tensor]:
    """Every modality's tokens (T_m + length, d) of a sample that has those in `there`, (T_m, d)."""
    names = sorted(lengths)
    grids = {name: min(lengths[name], steps) for name in names}
    made = {}
    for name in names:
        x = there.get(name)
        if x is None and "generative" in on:
            x = on_grid(generated(state, name, there, grids, length), lengths[name])
        elif x is None:
            x = torch.zeros(lengths[name], state[f"signals.{name}.missing"].shape[1], dtype=torch.float64)
        if "signal" in on:
            x = x + on_grid(state[f"signals.{name}.{'there' if name in there else 'missing'}"], lengths[name])
        made[name] = x
    if "missing_type" in on:
        types = prompts(state, there, names, released=released)
        made = {name: torch.cat([x, types[name]] if released else [types[name], x]) for name, x in made.items()}
    return made
