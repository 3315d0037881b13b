"""What stands under the keys of a pickle, as the arrays, texts and ids that a source needs. ValueError for all else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cggm_pipeline.data.sources._stored import Stored


def numbers(value: Any) -> np.ndarray:
    """An array of numbers out of a pickle, not empty. ValueError where it is none."""
    if isinstance(value, Stored):
        array = value.array()
    elif isinstance(value, list | tuple) and all(isinstance(item, int | float) for item in value):
        array = np.array([float(item) if abs(item) < 2**63 else np.inf for item in value])
    else:
        raise ValueError(f"a {type(value).__name__} where an array of numbers is expected")
    if array.dtype.kind not in "fiu" or not array.size:
        raise ValueError(f"an array {list(array.shape)} of {array.dtype} where numbers are expected")
    return array


def one_each(array: np.ndarray) -> np.ndarray:
    """(n,) out of (n,), (n, 1) or (n, 1, 1): one number per sample. ValueError where there are more."""
    if not array.ndim or array.size != len(array):
        raise ValueError(f"an array {list(array.shape)}; expected one number per sample, n x 1 x 1 or n")
    return array.reshape(-1)


def texts(value: Any) -> list[str]:
    """Texts out of a pickle: a list, or an array (n,) of strings. ValueError where it is none."""
    if isinstance(value, Stored):
        if len(value.shape) != 1:
            raise ValueError(f"an array {list(value.shape)} where one text per sample is expected")
        value = value.flat()
    if not isinstance(value, list | tuple):
        raise ValueError(f"a {type(value).__name__} where a list of texts is expected")
    return [_text(item) for item in value]


def identities(value: Any) -> list[str]:
    """One id per sample: the text, or the parts of a row (video, start, end) joined by $_$ as MMSA does."""
    if not isinstance(value, Stored):
        return texts(value)
    if len(value.shape) not in (1, 2) or not all(value.shape):
        raise ValueError(f"an array {list(value.shape)} where one id per sample is expected")
    flat = [_text(item) for item in value.flat()]
    width = value.shape[1] if len(value.shape) == 2 else 1
    order = np.arange(len(flat)).reshape(-1, width)
    return ["$_$".join(flat[position] for position in row) for row in order.tolist()]


def _text(item: Any) -> str:
    if isinstance(item, bytes):
        return item.decode("utf-8")
    if isinstance(item, str | int | float) and not isinstance(item, bool):
        return str(item)
    raise ValueError(f"a {type(item).__name__} where a text is expected")


def unique(ids: Sequence[str]) -> tuple[list[str], int]:
    """The ids, where the second of the same name gets #2 and so on in the order of the file; and how many did."""
    taken = set(ids)
    seen: Counter[str] = Counter()
    result: list[str] = []
    for key in ids:
        seen[key] += 1
        name = key
        while seen[key] > 1 and name in taken:
            name = f"{key}#{seen[key]}"
            seen[key] += name in taken
        taken.add(name)
        result.append(name)
    return result, sum(name != key for name, key in zip(result, ids, strict=True))


def listed(keys: Mapping[Any, Any]) -> str:
    """The keys of a dict, in words."""
    found = ", ".join(str(key)[:40] for key in list(keys)[:20])
    return (found + (", ..." if len(keys) > 20 else "")) or "(none)"
