"""Encoders that go through their blocks side by side, and meet behind each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from cggm_pipeline.adapters._low_rank import Meeting
from cggm_pipeline.encoders.base import Encoder
from cggm_pipeline.layers.features import Features, Input
from cggm_pipeline.layers.named import ByName
from cggm_pipeline.network import Interplay

Meetings = Sequence[Meeting]
"""What a list of modules is to a type checker."""


class InStep(Interplay):
    """Behind each block, what `made(names)` says of the tokens of these modalities.

    `depths`: the number of blocks of each encoder's trunk. Encoders with fewer blocks join later: the last blocks of
    all stand side by side.
    """

    def __init__(self, depths: Mapping[str, int], made: Callable[[Sequence[str]], Meeting]) -> None:
        super().__init__()
        deepest = max(depths.values())
        self.late = {name: deepest - depths[name] for name in sorted(depths)}
        names = [[name for name, late in self.late.items() if late <= level] for level in range(deepest)]
        self.meetings: Meetings = nn.ModuleList(made(taking) for taking in names)  # type: ignore[assignment]

    def encode(self, encoders: ByName[Encoder], inputs: Mapping[str, Input]) -> dict[str, Features]:
        present = {name: inputs[name].present for name in self.late}
        trunks = {name: encoder.trunk for name, encoder in encoders.items()}
        underway = {name: encoder.enter(inputs[name]) for name, encoder in encoders.items()}
        for level, meeting in enumerate(self.meetings):
            for name in meeting.parts:
                underway[name] = underway[name].through(trunks[name][level - self.late[name]])
            met = meeting(
                {name: Features(underway[name].tokens, underway[name].mask) for name in meeting.parts}, present
            )
            underway |= {name: underway[name].with_tokens(value.tensor) for name, value in met.items()}
        return {name: encoder.leave(underway[name].tokens, inputs[name]) for name, encoder in encoders.items()}

    def own(self, name: str) -> list[nn.Module]:
        return [meeting.parts[name] for meeting in self.meetings if name in meeting.parts]
