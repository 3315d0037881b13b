"""Copies of an encoder's tensors that a method remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn


class Snapshot(nn.Module):
    """Copies of tensors per modality, as buffers, so that a checkpoint holds them; the tensors stay the caller's.

    `tensors`: per modality what gives its tensors now: parameters, and running statistics where they belong to what is
    remembered. They are asked for each time, because moving a module to another device makes new buffers.
    """

    def __init__(self, tensors: Mapping[str, Callable[[], Sequence[Tensor]]]) -> None:
        super().__init__()
        self._live = {name: tensors[name] for name in sorted(tensors)}
        for number, live in enumerate(self._live.values()):
            for place, tensor in enumerate(live()):
                self.register_buffer(f"copy_{number}_{place}", tensor.detach().clone())

    def live(self, name: str) -> list[Tensor]:
        """One modality's tensors as they are now."""
        return list(self._live[name]())

    def copies(self, name: str) -> list[Tensor]:
        """The same tensors as they were when they were last taken; at first: when this was built."""
        number = list(self._live).index(name)
        return [self.get_buffer(f"copy_{number}_{place}") for place in range(len(self.live(name)))]

    @torch.no_grad()
    def take_(self, name: str) -> None:
        """Remember one modality's tensors as they are now."""
        for copy, tensor in zip(self.copies(name), self.live(name), strict=True):
            copy.copy_(tensor)

    @torch.no_grad()
    def restore_(self, name: str) -> None:
        """Put one modality's tensors back, bit for bit."""
        for copy, tensor in zip(self.copies(name), self.live(name), strict=True):
            tensor.copy_(copy)
