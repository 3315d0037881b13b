"""Another dataset's samples with Gaussian noise, as raw data of a shifted dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from cggm_pipeline.data.images import encode
from cggm_pipeline.data.manifest import SPLITS, Form
from cggm_pipeline.data.prepared import Prepared, Split
from cggm_pipeline.data.sources.base import Raw, Value
from cggm_pipeline.data.upstream import upstream_files


class Shifted(Raw):
    """Ids, splits, groups and gaps of `prepared`; a sample is its own with noise on the modalities that `noise` names.

    The noise is standard normal, drawn from (seed, modality, id) alone, times `noise` times the standard deviation of
    the value's channel on the training split (the manifest's statistics). Integers are rounded and kept in their range.
    `shuffle`: the samples of a split stand in the order of the SHA-256 of (seed, id), those of a group together;
    otherwise in that of `prepared`.
    """

    def __init__(self, prepared: Prepared, noise: Mapping[str, float], seed: int, *, shuffle: bool) -> None:
        self.prepared, self.noise, self.seed = prepared, noise, seed
        manifest = prepared.manifest
        order = {
            name: self._order(prepared.split(name)) if shuffle else _as_they_stand(prepared, name) for name in SPLITS
        }
        self.places = [(name, place) for name in SPLITS for place in order[name]]
        self.splits: list[str] = [name for name, _ in self.places]
        self.ids = [prepared.split(name).ids[place] for name, place in self.places]
        self.labels: Sequence[str] = ()
        self.files = upstream_files(prepared.folder)
        self.absent = {name: ~self._present(name) for name in manifest.gaps}
        self.banner = manifest.banner
        if manifest.grouped:
            self.groups = [(prepared.split(name).groups or [])[place] for name, place in self.places]

    @property
    def target(self) -> np.ndarray:
        """The targets of all samples, in their order."""
        return np.array([self.prepared.split(name).target[place] for name, place in self.places])

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        name, place = self.places[index]
        split = self.prepared.split(name)
        return {key: self._value(key, split.take(key, [place])[0], index) for key in split.columns}

    def mask(self, index: int) -> np.ndarray:
        name, place = self.places[index]
        found: np.ndarray = self.prepared.split(name).targets([place])[0]
        return found

    def _order(self, split: Split) -> list[int]:
        keys = split.ids if split.groups is None else split.groups
        drawn = [hashlib.sha256(f"{self.seed}:order:{key}".encode()).digest() for key in keys]
        return sorted(range(len(drawn)), key=lambda place: (drawn[place], place))

    def _present(self, name: str) -> np.ndarray:
        """(n,) bool over all splits."""
        found = {split: self.prepared.split(split).present(name) for split in SPLITS}
        return np.array([there[place] for split, place in self.places if (there := found[split]) is not None])

    def _value(self, name: str, values: np.ndarray, index: int) -> Value:
        form = self.prepared.manifest.modalities[name]
        if name in self.absent and self.absent[name][index]:
            return None
        if form.dtype == "text":
            return values.tobytes().decode()
        level = self.noise.get(name)
        noisy = values if level is None else self._noisy(name, values, level, index, form)
        return encode(noisy) if form.image and None in form.shape else noisy

    def _noisy(self, name: str, values: np.ndarray, level: float, index: int, form: Form) -> np.ndarray:
        digest = hashlib.sha256(f"{self.seed}:{name}:{self.ids[index]}".encode()).digest()
        drawn = np.random.default_rng(int.from_bytes(digest, "big")).standard_normal(values.shape)
        spread = np.array(self.prepared.manifest.statistics[name].std)
        noisy = values + level * drawn * (spread[:, None, None] if form.image else spread)
        if np.issubdtype(values.dtype, np.integer):
            limits = np.iinfo(values.dtype)
            noisy = noisy.round().clip(limits.min, limits.max)
        made: np.ndarray = noisy.astype(values.dtype)
        return made


def _as_they_stand(prepared: Prepared, split: str) -> list[int]:
    return list(range(len(prepared.split(split))))
