"""Which parameters of an adapted network learn, and which of its modules must not move."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from torch import nn

from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.norms import batch_norms, norm_parameters
from cggm_pipeline.network import Network

TRAINED = ("head.*", "fill.*")
"""What learns beside an adapter if nothing else is said: the parts that belong to the task and to its data."""

NORMALISATION = "norms"
"""In the place of a pattern: the scales and shifts of every normalisation layer."""


def only(network: Network, train: Sequence[str], change: Callable[[], int]) -> int:
    """Freeze `network`, make `change`, whose new parameters learn, and let learn what `train` names.

    Returns what `change` returns. Names are those before the change. Raises BuildError where one matches nothing,
    unless it is one of TRAINED.
    """
    chosen = named(network, train)
    network.requires_grad_(False)
    places = change()
    for parameter in chosen:
        parameter.requires_grad_(True)
    network.still = still(network)
    network.train(network.training)
    return places


def named(network: Network, train: Sequence[str]) -> list[nn.Parameter]:
    """The parameters that patterns name, each once, in the network's order."""
    found: dict[int, nn.Parameter] = {}
    for pattern in train:
        matching = norm_parameters(network) if pattern == NORMALISATION else _matching(network, pattern)
        if not matching and pattern not in TRAINED:
            raise BuildError(f"train: '{pattern}' matches no parameter of the network (it has: {_told(network)})")
        found |= {id(parameter): parameter for parameter in matching}
    chosen = [parameter for parameter in network.parameters() if id(parameter) in found]
    check_awake(network, chosen)
    return chosen


def _matching(network: Network, pattern: str) -> list[nn.Parameter]:
    return [parameter for name, parameter in network.named_parameters() if fnmatchcase(name, pattern)]


def _told(network: Network) -> str:
    """The network's parts that have parameters, and how many: what a pattern can name."""
    counts: dict[str, int] = {}
    for name, _ in network.named_parameters():
        parts = name.split(".")
        place = ".".join(parts[: 2 if parts[0] == "encoders" else 1])
        counts[place] = counts.get(place, 0) + 1
    return ", ".join(f"{place}.* {count}" for place, count in counts.items())


def check_awake(network: Network, learning: Iterable[nn.Parameter]) -> None:
    """BuildError where one of these parameters stands in an encoder with `freeze`, which no gradient passes."""
    wanted = {id(parameter) for parameter in learning}
    for name, encoder in network.encoders.items():
        if getattr(encoder, "freeze", False) and any(id(parameter) in wanted for parameter in encoder.parameters()):
            raise BuildError(
                f"the encoder of '{name}' has freeze: true, so nothing inside it can learn; remove "
                f"modalities.{name}.encoder.freeze (the adapter freezes the network by itself)"
            )


def still(network: Network) -> tuple[str, ...]:
    """Names of the batch normalisations whose statistics must stand still: not all of their own parameters learn."""
    frozen = {
        id(norm)
        for norm in batch_norms(network)
        if not all(parameter.requires_grad for parameter in norm.parameters()) or not list(norm.parameters())
    }
    return tuple(name for name, module in network.named_modules() if id(module) in frozen)
