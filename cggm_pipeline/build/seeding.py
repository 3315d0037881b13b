"""Parameters drawn from (seed, name), so that nothing else that is built can change them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def drawn_from(seed: int, name: str) -> Iterator[None]:
    """Inside, torch's CPU generator is seeded with SHA-256 of the seed and the name; outside it is as it was.

    One block per top-level module (`encoders.audio`, `fusion`, `head`, `classifiers.audio`) makes the weights
    independent of the order of modalities and of the modulation. Modules are built inside and not reset afterwards,
    because many (timm's above all) set parameters in their constructor that no `reset_parameters` would draw again.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        yield
