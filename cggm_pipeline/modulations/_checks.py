"""What every method asks of its arguments."""

from __future__ import annotations

from collections.abc import Sequence

from cggm_pipeline.modulations.base import Parts


def modalities(parts: Parts) -> tuple[str, ...]:
    """The names, sorted, so that the order given never matters; ValueError where there is nothing to balance."""
    if len(parts.names) < 2:
        raise ValueError(f"parts has {len(parts.names)} modality; balancing needs at least 2")
    return tuple(sorted(parts.names))


def one_of(what: str, value: str, allowed: Sequence[str]) -> None:
    """ValueError where `value` is none of the allowed."""
    if value not in allowed:
        raise ValueError(f"{what} is {value!r}; allowed: {', '.join(allowed)}")


def within(what: str, value: float, least: float = 0.0, most: float = float("inf")) -> None:
    """ValueError where `value` lies outside [least, most]; NaN lies nowhere."""
    if not least <= value <= most:
        allowed = f"at least {least:g}" if most == float("inf") else f"{least:g} to {most:g}"
        raise ValueError(f"{what} is {value}; allowed: {allowed}")
