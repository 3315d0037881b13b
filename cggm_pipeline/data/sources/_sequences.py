"""One modality of one split of a pickle: what a sample of it is, in each way in which the publishers write it down."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.sources.base import Value


class Sequences(ABC):
    """n samples. `absent`: (n,) bool, True where a sample lacks the modality. ValueError where the values are wrong."""

    absent: np.ndarray

    def __len__(self) -> int:
        return len(self.absent)

    @abstractmethod
    def value(self, index: int) -> Value:
        """Sample `index`. ValueError where it holds what no encoder can read."""


class Steps(Sequences):
    """Feature vectors, (n, T, D) as views. Sequences of free length are cut to `lengths`, where there are any.

    A length of 0 means that the sample lacks the modality. Where `silence`, -inf (the logarithm of silence) becomes 0,
    as in the authors' loaders, and `replaced` counts how often.
    """

    def __init__(
        self, array: np.ndarray, form: Form, lengths: np.ndarray | None = None, *, silence: bool = False
    ) -> None:
        if array.ndim != 3:
            raise ValueError(f"an array {list(array.shape)}; expected n x steps x features")
        fits = len(form.shape) == 2 and form.shape[0] in (None, array.shape[1]) and form.shape[1] == array.shape[2]
        if not fits:
            raise ValueError(
                f"its samples are {array.shape[1]} steps x {array.shape[2]} features, declared is {form}. "
                f"Declare [{array.shape[1]}, {array.shape[2]}] (or null steps), or take the file that has them"
            )
        self.array = array
        self.lengths = counted(lengths, array.shape[:2]) if lengths is not None and form.ragged else None
        self.silence = silence
        self.absent = np.zeros(len(array), bool) if self.lengths is None else self.lengths == 0
        self.replaced = np.zeros(len(array), np.int64)

    def value(self, index: int) -> Value:
        if self.absent[index]:
            return None
        steps: np.ndarray = self.array[index] if self.lengths is None else self.array[index, : self.lengths[index]]
        if np.isnan(steps).any():
            raise ValueError(f"NaN at step {int(np.isnan(steps).any(axis=1).argmax())}; the file is damaged")
        silent = np.isneginf(steps)
        if self.silence and silent.any():
            self.replaced[index] = silent.sum()
            steps = np.where(silent, 0, steps)
        return steps


class Tokens(Sequences):
    """The ids of BERT's tokenizer, (T,) int64, out of (n, 3, L): ids, mask (1 where a token stands), segments."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.lengths = masked(array)
        self.absent = self.lengths == 0

    def value(self, index: int) -> Value:
        if self.absent[index]:
            return None
        found = self.array[index, 0, : self.lengths[index]]
        ids, exact = whole(found)
        if not exact.all() or (ids < 0).any():
            raise ValueError("its token ids are not whole numbers >= 0")
        return ids


class Words(Sequences):
    """The words themselves."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.absent = np.array([not text.strip() for text in texts], bool)

    def value(self, index: int) -> Value:
        return None if self.absent[index] else self.texts[index]


def counted(lengths: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Lengths, (n,) int64, of sequences padded to `shape` (n, T). ValueError where they are not 0 <= length <= T."""
    if lengths.size != shape[0]:
        raise ValueError(f"{lengths.size:,} lengths for {shape[0]:,} samples")
    found, exact = whole(lengths.reshape(-1))
    wrong = np.flatnonzero(~exact | (found < 0) | (found > shape[1]))
    if len(wrong):
        raise ValueError(f"length {lengths.reshape(-1)[wrong[0]]:g} of sample {wrong[0]} is none of 0 to {shape[1]}")
    return found


def whole(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values as int64, and where they were that already."""
    with np.errstate(invalid="ignore"):
        found: np.ndarray = values.astype(np.int64)
    return found, found == values


def masked(array: np.ndarray) -> np.ndarray:
    """How many tokens each sample of (n, 3, L) has: its mask must be ones, then zeros. ValueError otherwise."""
    if array.ndim != 3 or array.shape[1] != 3:
        raise ValueError(f"an array {list(array.shape)}; expected n x 3 x tokens")
    mask = array[:, 1, :]
    lengths: np.ndarray = (mask == 1).sum(axis=1)
    if not np.array_equal(mask, np.arange(mask.shape[1]) < lengths[:, None]):
        raise ValueError("its mask (the second row) is not ones followed by zeros")
    return lengths
