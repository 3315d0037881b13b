"""The promise every adapter keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from cggm_pipeline.network import Network


class Adapter(ABC):
    """A change to a built network, in place. Built as `Class(*, ...)`, its parameters keyword-only.

    Every kind but `none` freezes the whole network; then its own parameters learn, and those that its `train` names.
    What it adds says nothing at first: the adapted network starts equal to the frozen one, bit for bit.
    """

    @abstractmethod
    def __call__(self, network: Network, lengths: Mapping[str, int | None]) -> int:
        """Adapt `network`; returns the number of places that were changed, or of parameters that learn in place.

        `lengths`: the number of tokens of each modality's features, None where it varies, 1 for vectors. Raises
        BuildError where there is no such place: an adapter that matches nothing would silently be plain training.
        """
