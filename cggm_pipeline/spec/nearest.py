"""Did you mean: the nearest allowed name, and the list of allowed names, both for messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MAX_LISTED = 12
_MAX_COMPARED = 80


def did_you_mean(found: str, names: Iterable[str]) -> tuple[str, str]:
    """A hint ("did you mean 'rho'?", or nothing) and the allowed names in one line."""
    names = list(names)
    found = found[:_MAX_COMPARED]
    lowered = {name.lower(): name for name in names}
    near = get_close_matches(found.lower(), lowered, n=1, cutoff=0.6)
    if not near and len(found) >= 2:
        near = [name for name in lowered if name.startswith(found.lower()) or found.lower().startswith(name)][:1]
    return f"did you mean '{lowered[near[0]]}'?" if near else "", listed(names)


def listed(names: Iterable[object]) -> str:
    """`preset, rho, lam, …`."""
    texts = [str(name) for name in names]
    return ", ".join(texts[:_MAX_LISTED] + ["…"] * (len(texts) > _MAX_LISTED))
