"""Text to word ids without a vocabulary."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import ClassVar

import numpy as np

from cggm_pipeline.data.transforms.base import FrontEnd

WORD = re.compile(r"\w+|[^\w\s]+")
"""Letters, digits and _ together; other signs together: "don't :)" has the words don, ', t and :)."""


class HashWords(FrontEnd):
    """The UTF-8 bytes of a text to the ids of its words, (T) int64 with T <= `max_length` and 1 <= id < `buckets`.

    id = 1 + BLAKE2b-64(word, case folded, as UTF-8) mod (`buckets` - 1), the same on every machine; two words may share
    one (Weinberger et al. 2009, ICML). In a batch, 0 is padding; a text without any word is one step of id 0.
    """

    stacks: ClassVar[bool] = False

    def __init__(self, *, buckets: int = 4096, max_length: int = 50) -> None:
        self.buckets = buckets
        self.max_length = max_length

    def __call__(self, sample: np.ndarray) -> np.ndarray:
        words = WORD.findall(sample.tobytes().decode("utf-8").casefold())[: self.max_length]
        return np.array([self.id(word) for word in words] or [0], np.int64)

    def id(self, word: str) -> int:
        """The id of a word as it is (not case folded)."""
        digest = blake2b(word.encode(), digest_size=8).digest()
        return 1 + int.from_bytes(digest, "big") % (self.buckets - 1)
