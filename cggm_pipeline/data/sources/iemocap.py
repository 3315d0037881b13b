"""IEMOCAP in the files of MMIN: features per utterance in three HDF5 files, folds and labels in .npy files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources import _hdf5
from cggm_pipeline.data.sources._folds import FILES as FOLD_FILES
from cggm_pipeline.data.sources._folds import Utterance, read_fold
from cggm_pipeline.data.sources.base import Raw, Source, Value, raw_path
from cggm_pipeline.data.statistics import Moments
from cggm_pipeline.data.twins.marker import banner

if TYPE_CHECKING:
    import h5py

FILES: Mapping[str, tuple[str, int]] = {
    "audio": ("A/comparE.h5", 130),
    "text": ("L/bert_large.h5", 1024),
    "video": ("V/denseface.h5", 342),
}
"""Modality -> its file and the width of a step."""
LONGEST = 20_000
"""Steps of an utterance that anybody could have said; more is a damaged or hostile file."""


class IEMOCAP(Source):
    """`path`: the folder; `fold`: 1 to 10. Sequences are (T, 130) audio, (T, 1024) text, (T, 342) video, float32.

    Zero steps at the end of a sequence are padding and are dropped (one step stays); then at most `audio_steps`,
    `text_steps`, `video_steps` are kept, the first ones. `normalise` is the z-score of the audio per feature, before
    the cut: "training" over every frame of the training split (population standard deviation), "utterance" over the
    utterance's own frames (sample standard deviation, as MMIN's code); a constant feature is centred only.
    """

    def __init__(
        self,
        *,
        path: str = "data/raw/iemocap",
        fold: int = 1,
        normalise: str | None = "training",
        audio_steps: int | None = 350,
        text_steps: int | None = 22,
        video_steps: int | None = 50,
    ) -> None:
        self.path = path
        self.fold = fold
        self.normalise = normalise
        self.steps = {"audio": audio_steps, "text": text_steps, "video": video_steps}

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(FILES)

    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """Read the fold, look up every utterance in the three files; z-score over the training split in one pass."""
        folder = raw_path(root, self.path)
        target = f"target/{self.fold}"
        names = [*(name for name, _ in FILES.values()), *(f"{target}/{name}" for name in FOLD_FILES)]
        utterances = read_fold(folder / target, f"{self.path}/{target}")
        opened = {key: _hdf5.opened(folder / name, f"{self.path}/{name}") for key, (name, _) in FILES.items()}
        files = {f"{self.path}/{name}": folder / name for name in names}
        return _Utterances(self, utterances, opened, files, banner(folder), problems)


class _Utterances(Raw):
    def __init__(
        self,
        source: IEMOCAP,
        utterances: Sequence[Utterance],
        opened: Mapping[str, h5py.File],
        files: Mapping[str, Path],
        banner: str,
        problems: Problems,
    ) -> None:
        self.source = source
        self.opened = opened
        self.files = files
        self.banner = banner
        self.ids = [utterance.id for utterance in utterances]
        self.labels = [utterance.label for utterance in utterances]
        self.splits: list[str] = [utterance.split for utterance in utterances]
        before = problems.count
        self._check(problems)
        self.mean: np.ndarray | float = 0.0
        self.std: np.ndarray | float = 1.0
        if source.normalise == "training" and problems.count == before:
            self.mean, self.std = self._training(problems)

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        found = {name: self._sequence(name, self.ids[index]) for name in FILES}
        audio = found["audio"].astype(np.float64)
        mean, std = self.mean, self.std
        if self.source.normalise == "utterance":
            mean = audio.mean(0)
            std = divisor(audio.std(0, ddof=1) if len(audio) > 1 else np.zeros(audio.shape[1]))
        found["audio"] = ((audio - mean) / std).astype(np.float32) if self.source.normalise else found["audio"]
        return {name: sequence[: self.source.steps[name]] for name, sequence in found.items()}

    def place(self, index: int) -> str:
        return f"{self.source.path} fold {self.source.fold}, utterance {self.ids[index]} ({self.splits[index]})"

    def _check(self, problems: Problems) -> None:
        first: dict[str, str] = {}
        for index, key in enumerate(self.ids):
            if key in first:
                problems.add(self.place(index), f"it stands in split {first[key]} already")
            first.setdefault(key, self.splits[index])
            for name, (file, width) in FILES.items():
                try:
                    steps = _hdf5.dataset(self.opened[name], key, (None, width)).shape[0]
                    if not 0 < steps <= LONGEST:
                        raise ValueError(f"{key!r} has {steps:,} steps (allowed: 1 to {LONGEST:,})")
                except ValueError as error:
                    problems.add(self.place(index), f"{file}: {error}")

    def _training(self, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
        """Mean and divisor of the audio over all frames of the training split, read once."""
        moments = Moments(Form((None, FILES["audio"][1]), "float32"))
        for index, split in enumerate(self.splits):
            if split != "train":
                continue
            try:
                moments.add(self._sequence("audio", self.ids[index]))
            except ValueError as error:
                problems.add(self.place(index), str(error))
        statistics = moments.result()
        return np.array(statistics.mean), divisor(np.array(statistics.std))

    def _sequence(self, name: str, key: str) -> np.ndarray:
        """The steps of an utterance without the zero steps at their end, (T, D) float32."""
        file, width = FILES[name]
        try:
            with np.errstate(over="ignore"):
                steps = _hdf5.values(_hdf5.dataset(self.opened[name], key, (None, width))).astype(np.float32)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
        if not np.isfinite(steps).all():
            raise ValueError(f"{file}: {key!r} holds values that are not finite in float32")
        filled = np.flatnonzero(steps.any(1))
        return steps[: max(int(filled[-1]) + 1 if len(filled) else 0, 1)]


def divisor(std: np.ndarray) -> np.ndarray:
    """What deviations are divided by: 1 for a feature that never changes."""
    return np.where(std == 0, 1.0, std)
