"""Who is in which split: drawn once from ids and seed, written to a committed file, and read from there ever after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np

from cggm_pipeline.data.manifest import SPLITS
from cggm_pipeline.data.targets import shortened
from cggm_pipeline.errors import DataError


class Split(ABC):
    """A way of splitting. Its keyword arguments are the fields of its spec, and the header of the pinned file."""

    kind: str

    @abstractmethod
    def draw(self, ids: Sequence[str], target: np.ndarray | None, published: Sequence[str] | None) -> list[str]:
        """The split of every sample (or group). Independent of their order. `target`: null for masks."""

    @abstractmethod
    def parameters(self) -> Mapping[str, object]:
        """What the result depends on besides ids and targets."""


class Published(Split):
    """The split that the source itself carries.

    `valid`: where no validation split is published, this share of the published training split becomes one, class by
    class if the target has classes, with `seed`.
    """

    kind = "published"

    def __init__(self, *, valid: float | None = None, seed: int = 0) -> None:
        self.valid = valid
        self.seed = seed

    def parameters(self) -> Mapping[str, object]:
        return {} if self.valid is None else {"valid": self.valid, "seed": self.seed}

    def draw(self, ids: Sequence[str], target: np.ndarray | None, published: Sequence[str] | None) -> list[str]:
        if published is None:
            raise DataError(
                "split: kind published needs a source that carries its split (for a table: source.split, the name of "
                "a column with train, valid and test); this one has none. Use kind stratified or random"
            )
        splits = list(published)
        if self.valid is None:
            return splits
        if "valid" in splits:
            raise DataError("split.valid: the source publishes a validation split; remove split.valid to use it")
        train = [index for index, split in enumerate(splits) if split == "train"]
        groups = target[train] if target is not None and target.ndim == 1 else np.zeros(len(train), np.int64)
        for position, split in zip(
            train, divided([ids[i] for i in train], groups, self.valid, 0, self.seed), strict=True
        ):
            splits[position] = split
        return splits


class Random(Split):
    """Shares drawn at random; the rest is training."""

    kind = "random"

    def __init__(self, *, valid: float = 0.15, test: float = 0.15, seed: int = 0) -> None:
        self.valid = valid
        self.test = test
        self.seed = seed

    def parameters(self) -> Mapping[str, object]:
        return {"valid": self.valid, "test": self.test, "seed": self.seed}

    def draw(self, ids: Sequence[str], target: np.ndarray | None, published: Sequence[str] | None) -> list[str]:
        return divided(ids, np.zeros(len(ids), np.int64), self.valid, self.test, self.seed)


class Stratified(Split):
    """Shares drawn at random class by class: sizes as for `random`, and every class keeps a training sample."""

    kind = "stratified"

    def __init__(self, *, valid: float = 0.15, test: float = 0.15, seed: int = 0) -> None:
        self.valid = valid
        self.test = test
        self.seed = seed

    def parameters(self) -> Mapping[str, object]:
        return {"valid": self.valid, "test": self.test, "seed": self.seed}

    def draw(self, ids: Sequence[str], target: np.ndarray | None, published: Sequence[str] | None) -> list[str]:
        if target is None or target.ndim != 1:
            raise DataError("split: kind stratified needs a target of kind classes; use kind random")
        return divided(ids, target, self.valid, self.test, self.seed)


def divided(ids: Sequence[str], groups: np.ndarray, valid: float, test: float, seed: int) -> list[str]:
    """The split of every id: a group is ranked by SHA-256 of (seed, id); test comes first, then valid, then train."""
    if valid + test >= 1:
        raise DataError(f"split: valid {valid} and test {test} leave nothing to train on (their sum must be below 1)")
    ranked: dict[int, list[str]] = {int(group): [] for group in np.unique(groups)}
    for key, group in sorted(zip(ids, groups.tolist(), strict=True), key=lambda pair: rank(seed, pair[0])):
        ranked[group].append(key)
    sizes = np.array([len(members) for members in ranked.values()])
    tests = apportioned(sizes, test, sizes - 1)
    valids = apportioned(sizes, valid, sizes - 1 - tests)
    split: dict[str, str] = {}
    for members, number_test, number_valid in zip(ranked.values(), tests.tolist(), valids.tolist(), strict=True):
        for position, key in enumerate(members):
            end = number_test + number_valid
            split[key] = "test" if position < number_test else "valid" if position < end else "train"
    return [split[key] for key in ids]


def rank(seed: int, key: str) -> bytes:
    """A random order of ids that depends on nothing but the seed and each id."""
    return sha256(f"{seed}:{key}".encode()).digest()


def apportioned(sizes: np.ndarray, share: float, room: np.ndarray) -> np.ndarray:
    """round(share * total) seats for groups of these sizes by largest remainders, at most `room` for each."""
    room = np.maximum(room, 0)
    exact = share * sizes
    seats: np.ndarray = np.minimum(np.floor(exact + 1e-9).astype(np.int64), room)
    missing = round(float(share * sizes.sum())) - int(seats.sum())
    for group in np.argsort(-(exact - seats), kind="stable").tolist():
        if missing > 0 and seats[group] < room[group]:
            seats[group] += 1
            missing -= 1
    return seats


def check(ids: Sequence[str], splits: Sequence[str], target: np.ndarray | None, classes: Sequence[str]) -> None:
    """DataError where a split is empty, or a class stands in valid or test that training never sees.

    A split "" is none: the sample is left out. `target`: null for masks, whose classes are not known here.
    """
    counts = Counter(splits)
    empty = [name for name in SPLITS if not counts[name]]
    if empty:
        raise DataError(
            f"split: no sample is in {' and '.join(empty)} ({len(ids):,} samples: "
            f"{', '.join(f'{name} {counts[name]:,}' for name in SPLITS)}). "
            "A published split without valid gets one from its training samples with split.valid: 0.15"
        )
    if target is None or not classes:
        return
    member = np.array(splits)
    elsewhere = (member != "train") & (member != "")
    unseen = sorted(set(target[elsewhere].tolist()) - set(target[member == "train"].tolist()))
    lines = []
    for index in unseen:
        where = [f"{ids[i]} ({splits[i]})" for i in np.flatnonzero((target == index) & (member != "")).tolist()]
        lines.append(
            f"split: class {classes[index]!r} is not in train, but has samples elsewhere: {shortened(where, 5)}"
        )
    if lines:
        raise DataError(
            "\n".join([*lines, "Move a sample of the class to train, use kind stratified, or drop the class"])
        )
