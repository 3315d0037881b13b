"""Where a model of another package is a row of blocks: what its first block is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from cggm_pipeline.encoders.base import Underway


class _Reached(Exception):  # noqa: N818 - no error: it ends a forward pass where its rest is not wanted
    """The first block was called."""

    def __init__(self, underway: Underway) -> None:
        self.underway = underway


def before(block: nn.Module, run: Callable[[], Any], mask: Tensor | None = None) -> Underway:
    """What `run` gives to `block`, which it must call with tokens first; nothing of it runs from there on.

    So embeddings, positions and the attention's masks are the model's own, whatever its version. `mask`: (B, T), True
    where a token is padding.
    """

    def stop(module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        tokens, *others = arguments
        raise _Reached(Underway(tokens, mask, tuple(others), keywords))

    handle = block.register_forward_pre_hook(stop, with_kwargs=True, prepend=True)
    try:
        run()
    except _Reached as reached:
        return reached.underway
    finally:
        handle.remove()
    raise RuntimeError(f"{type(block).__name__} was not called")
