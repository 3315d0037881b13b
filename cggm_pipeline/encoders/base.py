"""The promise every encoder keeps, and what those that are a row of blocks can do besides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from cggm_pipeline.layers.features import Features, Input, Layout

Shape = tuple[int | None, ...]
"""One sample's shape without the batch axis: (D,), (T, D) or (C, H, W); None where it varies."""


@dataclass(frozen=True)
class Underway:
    """Tokens (B, T, D) on their way through a trunk, their padding, and what each of its blocks takes besides them."""

    tokens: Tensor
    mask: Tensor | None = None
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def through(self, block: nn.Module) -> Underway:
        """Behind one block more."""
        return self.with_tokens(block(self.tokens, *self.arguments, **self.keywords))

    def with_tokens(self, tokens: Tensor) -> Underway:
        """At the same place, with other tokens."""
        return replace(self, tokens=tokens)


class Encoder(nn.Module, ABC):
    """One modality's input to features. Built as `Class(shape, *, ...)`.

    `layout` is the form of the features, `widths` their channel counts: one, or several for a pyramid, finest first.
    """

    layout: Layout
    widths: tuple[int, ...]

    @abstractmethod
    def forward(self, x: Input) -> Features:
        """Input (B, ...) to features with batch axis B. Rows are independent of one another in eval mode."""

    @property
    def trunk(self) -> Sequence[nn.Module]:
        """The blocks that tokens (B, T, widths[0]) pass one after the other; none where the encoder is no such row.

        Where there are some, `enter`, each block in its turn and `leave` are `forward`, bit for bit.
        """
        return ()

    def enter(self, x: Input) -> Underway:
        """From the input to the tokens that the first block reads."""
        raise NotImplementedError(f"{type(self).__name__} has no trunk")

    def leave(self, tokens: Tensor, x: Input) -> Features:
        """From the tokens behind the last block to the features."""
        raise NotImplementedError(f"{type(self).__name__} has no trunk")
