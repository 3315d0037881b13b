"""Another run's weights in a network: a backbone that was trained before, or the source of an adaptation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from torch import Tensor

from cggm_pipeline.data.manifest import Manifest
from cggm_pipeline.errors import BuildError
from cggm_pipeline.network import Network

TAKEN = ("encoders.", "fusion.", "head.")
"""The parts of a network that start from another run's weights; its fill and its adapters are its own."""


@dataclass(frozen=True)
class Pretrained:
    """The weights of one seed of a run, what of them is left out, and modalities that have another name there.

    `statistics`: the manifest by whose training statistics inputs are normalised; null: that of the data at hand.
    """

    run: str
    tensors: Mapping[str, Tensor]
    leave: Sequence[str] = ()
    modalities: Mapping[str, str] = field(default_factory=dict)
    statistics: Manifest | None = None

    def put_(self, network: Network) -> int:
        """Copy the weights into the network and return how many tensors were taken.

        Raises BuildError where the network has a tensor that the run lacks or has in another shape, unless `leave`
        names it, and where a pattern of `leave` names nothing.
        """
        own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(TAKEN)}
        for pattern in self.leave:
            if not _matching(own, pattern):
                raise BuildError(f"weights.leave: '{pattern}' names no parameter (allowed: {_shown(own)})")
        left = {name for pattern in self.leave for name in _matching(own, pattern)}
        wanted = {name: tensor for name, tensor in own.items() if name not in left}
        wrong = [_fault(name, tensor, self.tensors.get(self._there(name))) for name, tensor in wanted.items()]
        found = [fault for fault in wrong if fault]
        if found:
            raise BuildError(
                f"weights: the run {self.run} does not fit this network: {_shown(found)}. "
                "Name what shall be drawn anew in weights.leave, e.g. encoders.* or head.*"
            )
        network.load_state_dict({name: self.tensors[self._there(name)] for name in wanted}, strict=False)
        return len(wanted)

    def _there(self, name: str) -> str:
        """What the run calls this tensor."""
        return ".".join(self.modalities.get(part, part) for part in name.split("."))


def _matching(names: Iterable[str], pattern: str) -> list[str]:
    return [name for name in names if fnmatchcase(name, pattern)]


def _fault(name: str, ours: Tensor, theirs: Tensor | None) -> str:
    if theirs is None:
        return f"it has no {name}"
    return "" if theirs.shape == ours.shape else f"{name} is {tuple(theirs.shape)} there and {tuple(ours.shape)} here"


def _shown(names: Iterable[str], most: int = 6) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
