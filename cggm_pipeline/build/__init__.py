"""build: specs to objects, the only room that sees both halves.

`tables` says which class implements which kind and is torch-free; the others are imported only when asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cggm_pipeline.build.check import BuildReport, check_build
    from cggm_pipeline.build.network import Built, build_network
    from cggm_pipeline.build.run import Run, build

__all__ = ["BuildReport", "Built", "Run", "build", "build_network", "check_build"]

_PLACES = {
    "BuildReport": "check",
    "check_build": "check",
    "Built": "network",
    "build_network": "network",
    "Run": "run",
    "build": "run",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
