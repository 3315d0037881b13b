"""What a split is drawn of: samples, or the groups that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cggm_pipeline.errors import DataError


@dataclass(frozen=True)
class Units:
    """Things that are never cut: `keys` names each, `of` (n,) says which one a sample belongs to.

    `target`: a class or the values of each, null for masks; `published`: the split of each, null where there is none.
    """

    keys: Sequence[str]
    of: np.ndarray
    target: np.ndarray | None
    published: Sequence[str] | None

    def spread(self, splits: Sequence[str]) -> list[str]:
        """The split of every sample from that of every unit."""
        return [splits[unit] for unit in self.of.tolist()]


def units(
    ids: Sequence[str], groups: Sequence[str] | None, target: np.ndarray | None, published: Sequence[str] | None
) -> Units:
    """Samples, or groups where there are any: a group has the class that most of its samples have.

    DataError where the source publishes a group in two splits.
    """
    if groups is None:
        return Units(ids, np.arange(len(ids)), target, published)
    keys, first, of = np.unique(np.array(groups), return_index=True, return_inverse=True)
    if published is not None:
        torn = sorted({str(groups[i]) for i, unit in enumerate(of.tolist()) if published[i] != published[first[unit]]})
        if torn:
            raise DataError(f"split: samples of one group are in several published splits: {', '.join(torn[:5])}")
        published = [published[i] for i in first.tolist()]
    if target is not None and target.ndim == 1:
        target = np.array([np.bincount(target[of == unit]).argmax() for unit in range(len(keys))], np.int64)
    elif target is not None:
        target = target[first]
    return Units(keys.tolist(), of, target, published)
